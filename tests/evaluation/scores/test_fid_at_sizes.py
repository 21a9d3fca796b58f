"""FID at several sizes, and the line through them."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.extractors.base import FunctionExtractor
from tfgan_stab.evaluation.scores.fid import FID
from tfgan_stab.evaluation.scores.fid_at_sizes import FIDAtSizes, extrapolated

FLAT = FunctionExtractor(lambda points: tf.identity(points), name="flat", content_hash="v1")


def gaussian(count, seed, shift=0.0, size=8):
    return (np.random.default_rng(seed).normal(size=[count, size]) + shift).astype(np.float32)


def test_each_size_is_the_fid_of_so_many_images_and_says_so():
    real, fake = gaussian(500, 0), gaussian(300, 1)
    results = FIDAtSizes(FLAT, real, sizes=[200, 100, 300])([fake[:70], fake[70:]])
    assert [result.name for result in results] == ["fid_100", "fid_200", "fid_300", "fid_infinity"]
    for size, result in zip((100, 200, 300), results, strict=False):
        single = FID(FLAT, real, samples=size)([fake])
        assert_allclose(result.value, single.value, rtol=1e-9)
        assert result.protocol == single.protocol
    assert results[-1].protocol.startswith("fid_infinity/flat@v1/")
    assert "/fake=100+200+300/seed=0" in results[-1].protocol


def test_the_line_is_that_of_least_squares():
    random = np.random.default_rng(0)
    sizes = [100, 150, 400, 1000, 3000]
    values = [7.0 + 90.0 / n + random.normal() * 0.05 for n in sizes]
    (slope, value), covariance = np.polyfit(1 / np.array(sizes), values, 1, cov=True)
    line = extrapolated(sizes, values)
    assert_allclose(line.value, value, rtol=1e-9)
    assert_allclose(line.standard_error, np.sqrt(covariance[1, 1]), rtol=1e-9)
    assert slope > 0


def test_two_sizes_make_a_line_without_error():
    assert_allclose(extrapolated([10, 20], [3.0, 2.0]), (1.0, 0.0), atol=1e-12)


def test_the_extrapolation_is_nearer_to_the_truth_than_any_size():
    """Two Gaussians at squared distance 8 * 0.5**2 = 2, with the real side all but exact."""
    real = gaussian(100_000, 0)
    score = FIDAtSizes(FLAT, real, sizes=[60, 80, 120, 200, 300])
    runs = [[r.value for r in score([gaussian(300, seed, 0.5)])] for seed in range(1, 31)]
    means = np.mean(runs, axis=0)
    assert np.all(np.diff(means[:5]) < 0)  # The bias falls with size.
    assert abs(means[5] - 2.0) < 0.35 * abs(means[4] - 2.0)


def test_the_floor_is_of_the_same_sizes():
    floors = FIDAtSizes(FLAT, gaussian(1000, 0), sizes=[100, 200]).floor()
    assert [floor.name for floor in floors] == ["fid_100", "fid_200", "fid_infinity"]
    assert "/real=800 array@" in floors[0].protocol and "/fake=100 real/" in floors[0].protocol
    assert floors[0].value > floors[1].value


def test_a_floor_has_the_sizes_that_half_of_the_reals_reach():
    score = FIDAtSizes(FLAT, gaussian(300, 0), sizes=[100, 200])
    assert score.floor().name == "fid_100"
    assert FIDAtSizes(FLAT, gaussian(150, 0), sizes=[100, 200]).floor() == []


def test_sizes_are_even_steps_unless_given():
    assert FIDAtSizes(FLAT, gaussian(300, 0), samples=500).sizes == [100, 200, 300, 400, 500]


@pytest.mark.parametrize("sizes", [[], [100], [100, 100]])
def test_fewer_than_two_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="`sizes` must hold at least 2 sizes"):
        FIDAtSizes(FLAT, gaussian(300, 0), sizes=sizes)
    with pytest.raises(ValueError, match="at least 2 different sizes"):
        extrapolated(sizes, [1.0] * len(sizes))


def test_sizes_below_the_number_of_features_are_warned_of():
    with pytest.warns(UserWarning, match="8 samples of 8 features"):
        results = FIDAtSizes(FLAT, gaussian(300, 0), sizes=[8, 100])([gaussian(100, 1)])
    assert [r.protocol.endswith("singular-covariance") for r in results] == [True, False, True]
