"""Moments: the same whatever the pieces, and no digits lost to an offset."""

import functools
import operator

import ml_dtypes
import numpy as np
import pytest
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.statistics import Moments


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


def test_an_offset_that_leaves_whole_numbers_only_costs_nothing_within_a_block():
    numbers = np.random.RandomState(0).randint(-50, 50, [1000, 3]).astype(np.float64)
    moments = Moments.of(numbers + 1e14)
    np.testing.assert_allclose(moments.covariance, np.cov(numbers, rowvar=False), rtol=1e-11)
