"""Moments: the same whatever the pieces, and no digits lost to an offset."""

import functools
import operator
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.metrics.moments import Moments, RunningMoments


def features(samples=1000, size=7, offset=0.0):
    random = np.random.default_rng(0)
    return random.normal(size=(samples, size)) @ random.normal(size=(size, size)) + offset


def in_pieces(array, sizes):
    pieces = np.split(array, np.cumsum(sizes)[:-1])
    return [Moments.of(piece) for piece in pieces]


def assert_same(moments, expected, tolerance=1e-10):
    assert moments.count == expected.count
    assert_allclose(moments.mean, expected.mean, rtol=tolerance, atol=1e-12)
    scale = np.abs(expected.scatter).max()
    assert_allclose(moments.scatter / scale, expected.scatter / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["centred", "offset"])
@pytest.mark.parametrize(
    "sizes", [[1000], [1] * 1000, [999, 1], [1, 999], [500, 500], [3, 400, 1, 596]], ids=len
)
def test_any_split_gives_the_same_moments(sizes, offset):
    array = features(offset=offset)
    merged = functools.reduce(operator.add, in_pieces(array, sizes))
    assert_same(merged, Moments.of(array))


@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["centred", "offset"])
def test_any_order_and_grouping_of_merges_gives_the_same_moments(offset):
    array = features(offset=offset)
    pieces = in_pieces(array, [3, 400, 1, 596])
    expected = Moments.of(array)
    assert_same(functools.reduce(operator.add, pieces[::-1]), expected)
    assert_same((pieces[2] + pieces[0]).merge(pieces[3] + pieces[1]), expected)


def test_the_covariance_is_numpys_unbiased_one():
    array = features()
    moments = Moments.of(array)
    assert_allclose(moments.covariance, np.cov(array.T), rtol=1e-12, atol=1e-12)
    assert_allclose(moments.mean, array.mean(axis=0), rtol=1e-12, atol=1e-14)


def test_an_offset_of_a_million_costs_no_digits():
    # Sums of squares would leave 4 of 16 digits here.
    centred = np.round(features() * 2**10) / 2**10  # So that adding the offset is exact.
    halves = in_pieces(centred + 1e6, [137, 863])
    expected = Moments.of(centred).covariance
    scale = np.abs(expected).max()
    assert_allclose((halves[0] + halves[1]).covariance / scale, expected / scale, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", "uint8", ml_dtypes.bfloat16])
def test_any_real_type_is_counted_in_float64(dtype):
    array = np.arange(12).reshape(4, 3).astype(dtype)
    moments = Moments.of(array)
    assert moments.mean.dtype == moments.scatter.dtype == np.float64
    assert_allclose(moments.covariance, np.full((3, 3), 15.0), rtol=1e-12)


def test_features_are_left_as_they_were():
    array = features(10)
    before = array.copy()
    Moments.of(array)
    assert np.array_equal(array, before)


@pytest.mark.parametrize("shape", [[5], [5, 2, 2], [0, 3], [3, 0], []], ids=str)
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[samples, features\].*Received: shape"):
        Moments.of(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_located(bad):
    array = features(10)
    array[[4, 7], 2] = bad
    with pytest.raises(
        ValueError, match="NaN or infinity in 2 of 10 samples, the first at index 4"
    ):
        Moments.of(array)


@pytest.mark.parametrize("values", [np.ones((2, 2), complex), np.array([["a"]])], ids=["i", "text"])
def test_values_that_are_not_real_are_refused(values):
    with pytest.raises(TypeError, match="real numbers. Received: dtype"):
        Moments.of(values)


def test_moments_of_different_features_do_not_merge():
    with pytest.raises(ValueError, match="Received: 7 and 6 features"):
        Moments.of(features()) + Moments.of(features(size=6))


def test_one_sample_has_no_covariance():
    with pytest.raises(ValueError, match="at least 2 samples. Received: 1"):
        _ = Moments.of([[1.0, 2.0]]).covariance


PIECES = {
    "one": [5000],
    "rows": [1] * 5000,
    "blocks": [1024] * 4 + [904],
    "across blocks": [1023, 2, 1025, 2950],
    "random": list(np.random.default_rng(3).multinomial(5000, np.ones(17) / 17)),
}


@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["centred", "offset"])
@pytest.mark.parametrize("sizes", PIECES.values(), ids=PIECES)
def test_running_moments_are_numpys_whatever_the_pieces(sizes, offset):
    centred = np.round(features(5000) * 2**10) / 2**10
    running = RunningMoments()
    for piece in np.split(centred + offset, np.cumsum(sizes)[:-1]):
        running.add(piece)
    moments = running.moments
    assert running.count == moments.count == 5000
    assert_allclose(moments.mean - offset, centred.mean(axis=0), rtol=0, atol=1e-9)
    covariance = np.cov(centred.T)
    assert_allclose(moments.covariance, covariance, rtol=0, atol=1e-10 * covariance.max())


def test_running_moments_are_the_same_bits_whatever_the_pieces():
    array = features(5000, offset=3.0)
    found = []
    for sizes in PIECES.values():
        running = RunningMoments()
        for piece in np.split(array, np.cumsum(sizes)[:-1]):
            running.add(piece)
        found.append(running.moments)
    for moments in found[1:]:
        np.testing.assert_array_equal(moments.scatter, found[0].scatter)
        np.testing.assert_array_equal(moments.mean, found[0].mean)


def test_asking_in_between_changes_nothing_but_rounding():
    array = features(3000)
    running = RunningMoments().add(array[:700])
    assert_same(running.moments, Moments.of(array[:700]))
    early = running.moments
    running.add(array[700:])
    assert_same(running.moments, Moments.of(array))
    assert early.count == 700  # And it is not changed by what comes after.
    assert_same(early, Moments.of(array[:700]))


def test_the_caller_may_fill_an_array_again():
    array, reused = features(600), np.empty([200, 7])
    running = RunningMoments()
    for start in (0, 200, 400):
        reused[:] = array[start : start + 200]
        running.add(reused)
    assert_same(running.moments, Moments.of(array))


def test_streaming_takes_memory_for_features_squared_only():
    batch = np.random.default_rng(0).normal(size=[250, 400]).astype(np.float32)
    running = RunningMoments().add(batch)
    tracemalloc.start()
    for _ in range(40):
        running.add(batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A block of rows' finite test, and little more: 10,000 rows in all would be 32 MB.
    assert peak < 4e6


def test_the_root_is_a_factor_of_the_covariance():
    whole, flat = features(), features()
    flat[:, 3:] = flat[:, [0, 1, 2, 0]]
    for array, rank in ((whole, 7), (flat, 3), (np.zeros([5, 7]), 0)):
        moments = Moments.of(array)
        assert moments.root.shape[1] == rank and moments.root is moments.root
        scale = max(np.abs(moments.covariance).max(), 1.0)
        product = moments.root @ moments.root.T
        assert_allclose(product, moments.covariance, rtol=0, atol=1e-12 * scale)


def test_nothing_has_no_moments():
    with pytest.raises(ValueError, match="at least 1 sample. Received: none"):
        _ = RunningMoments().moments
    with pytest.raises(ValueError, match="same features. Received: 7 and 6"):
        RunningMoments().add(features()).add(features(size=6))


def test_an_offset_that_leaves_whole_numbers_only_costs_nothing_within_a_block():
    numbers = np.random.RandomState(0).randint(-50, 50, [1000, 3]).astype(np.float64)
    moments = Moments.of(numbers + 1e14)
    np.testing.assert_allclose(moments.covariance, np.cov(numbers, rowvar=False), rtol=1e-11)
