"""FID at several sizes, and the line through them."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors.function import FunctionExtractor
from tfgan_stab.evaluation.scores.fid import FID, FIDAtSizes, extrapolated

POINTS = FunctionExtractor(lambda points: tf.identity(points), name="points", content_hash="v1")


def test_fid_at_a_size_with_fewer_real_images(noise, pixels):
    fake = noise(80, seed=1, width=0.7)
    first, *_ = FIDAtSizes(pixels, noise(300), sizes=[40, 80], real_samples=100)([fake])
    alone = tgs.FID(pixels, noise(300), samples=40, real_samples=100)([fake])
    assert first.protocol == alone.protocol
    assert_allclose(first.value, alone.value, rtol=1e-9)


def test_baseline_does_not_depend_on_the_order_of_classes(noise, pixels):
    """Two far clusters one after the other: the first images would be of one of them."""
    real = np.concatenate([noise(200, 0, width=0.1) - 0.8, noise(200, 1, width=0.1) + 0.8])
    score = FIDAtSizes(pixels, real, sizes=[50, 100, 999])
    found = score.baseline()
    assert [baseline.name for baseline in found] == ["fid_50", "fid_100", "fid_infinity"]
    assert all(baseline.value < 0.5 for baseline in found[:2])
    assert score.real_images.held_out.whole.count == 200
    assert [at.count for at in score.real_images.held_out.at.values()] == [50, 100]
    assert "/fake=50+100 real/held-out-seed=0" in str(found[2].protocol)
    rows, ranks = score.real_images.rows[0], np.random.RandomState(0).permutation(200)
    expected = real[rows[ranks < 50]].reshape(50, -1).mean(axis=0)
    assert_allclose(score.real_images.held_out.at[50].mean, expected, rtol=1e-6)
    other = FIDAtSizes(pixels, real, sizes=[50, 100], seed=1)
    other.baseline()
    assert not np.allclose(other.real_images.held_out.at[50].mean, expected)


def gaussian(count, seed, shift=0.0, size=8):
    return (np.random.default_rng(seed).normal(size=[count, size]) + shift).astype(np.float32)


def test_each_size_is_fid():
    real, fake = gaussian(500, 0), gaussian(300, 1)
    results = FIDAtSizes(POINTS, real, sizes=[200, 100, 300])([fake[:70], fake[70:]])
    assert [result.name for result in results] == ["fid_100", "fid_200", "fid_300", "fid_infinity"]
    for size, result in zip((100, 200, 300), results, strict=False):
        single = FID(POINTS, real, samples=size)([fake])
        assert_allclose(result.value, single.value, rtol=1e-9)
        assert result.protocol == single.protocol
    assert str(results[-1].protocol).startswith("fid_infinity/points@v1/")
    assert "/fake=100+200+300/seed=0" in str(results[-1].protocol)


def test_line_is_that_of_least_squares():
    random = np.random.default_rng(0)
    sizes = [100, 150, 400, 1000, 3000]
    values = [7.0 + 90.0 / n + random.normal() * 0.05 for n in sizes]
    (increase, value), covariance = np.polyfit(1 / np.array(sizes), values, 1, cov=True)
    line = extrapolated(sizes, values)
    assert_allclose(line.value, value, rtol=1e-9)
    assert_allclose(line.standard_error, np.sqrt(covariance[1, 1]), rtol=1e-9)
    assert increase > 0


def test_two_sizes_have_no_error():
    line = extrapolated([10, 20], [3.0, 2.0])
    assert_allclose((line, line.standard_error), (1.0, 0.0), atol=1e-12)


@pytest.mark.slow
def test_extrapolation_is_nearer_to_the_truth():
    """Two Gaussians at squared distance 8 * 0.5**2 = 2, with the real side all but exact."""
    real = gaussian(100_000, 0)
    score = FIDAtSizes(POINTS, real, sizes=[60, 80, 120, 200, 300])
    runs = [[r.value for r in score([gaussian(300, seed, 0.5)])] for seed in range(1, 31)]
    means = np.mean(runs, axis=0)
    assert np.all(np.diff(means[:5]) < 0)  # The bias falls with size.
    assert abs(means[5] - 2.0) < 0.35 * abs(means[4] - 2.0)


def test_baseline_has_the_same_sizes():
    found = FIDAtSizes(POINTS, gaussian(1000, 0), sizes=[100, 200]).baseline()
    assert [baseline.name for baseline in found] == ["fid_100", "fid_200", "fid_infinity"]
    assert "/real=800 array@" in str(found[0].protocol) and "/fake=100 real/" in str(
        found[0].protocol
    )
    assert found[0].value > found[1].value


def test_baseline_leaves_out_large_sizes():
    score = FIDAtSizes(POINTS, gaussian(300, 0), sizes=[100, 200])
    assert score.baseline().name == "fid_100"
    assert FIDAtSizes(POINTS, gaussian(150, 0), sizes=[100, 200]).baseline() == []


def test_default_sizes():
    assert FIDAtSizes(POINTS, gaussian(300, 0), samples=500).sizes == [100, 200, 300, 400, 500]


@pytest.mark.parametrize("sizes", [[], [100], [100, 100]])
def test_fewer_than_two_sizes_raise(sizes):
    with pytest.raises(ValueError, match="`sizes` must hold at least 2 sizes"):
        FIDAtSizes(POINTS, gaussian(300, 0), sizes=sizes)
    with pytest.raises(ValueError, match="at least 2 different sizes"):
        extrapolated(sizes, [1.0] * len(sizes))


def test_sizes_below_the_number_of_features_warn():
    with pytest.warns(UserWarning, match="FID from 8 generated images, for 8 features"):
        results = FIDAtSizes(POINTS, gaussian(300, 0), sizes=[8, 100])([gaussian(100, 1)])
    assert [str(r.protocol).endswith("singular-covariance") for r in results] == [True, False, True]
