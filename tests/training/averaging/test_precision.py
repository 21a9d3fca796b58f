"""A million updates cost an average no more digits than its documentation says."""

import numpy as np
import pytest
import tensorflow as tf
from folding import MeanInFloat32, folded

import tfgan_stab as tgs

UPDATES = 1_000_000


@pytest.fixture(scope="module")
def drifting():
    """float32 weights of sizes 0.01 to 100 that shift by 1 % on the way, and shake."""
    random = np.random.RandomState(0)
    sizes = np.float32(10.0) ** np.arange(-2, 3)
    shifted = 1 + 0.01 * (np.arange(UPDATES) > 0.4 * UPDATES)[:, None]
    shaken = 1 + 1e-3 * random.normal(size=[UPDATES, 1])
    return (sizes * shifted * shaken).astype(np.float32)


def off(rule, points):
    """By which part of itself a mean of points is wrong."""
    exact = points.mean(axis=0, dtype=np.float64)
    return np.abs(folded(rule, points, points[0]) / exact - 1).max()


def test_a_uniform_mean_of_a_million_points_is_exact(drifting):
    assert off(tgs.UniformAverage(), drifting) < 1e-12


def test_a_mean_kept_in_float32_is_not(drifting):
    assert off(MeanInFloat32(), drifting) > 5e-3


@pytest.mark.parametrize("decay", [0.99, 0.999, 0.9999])
def test_an_exponential_average_follows_up_to_what_float32_resolves(drifting, decay):
    average = folded(tgs.ExponentialAverage(decay), drifting, drifting[0])
    ages = np.arange(min(UPDATES, round(40 / (1 - decay))))[::-1]
    shares = decay**ages
    exact = shares @ drifting[-len(ages) :].astype(np.float64) / shares.sum()
    assert np.abs(average / exact - 1).max() < 6e-8 / (1 - decay)


@pytest.mark.slow
def test_an_average_of_weights_that_stand_still_stands_still():
    weights = np.random.RandomState(0).normal(size=2000).astype(np.float32)
    points = np.tile(weights, [100, 1])
    for rule in (tgs.ExponentialAverage(0.9999), tgs.UniformAverage(), MeanInFloat32()):
        found = folded(rule, points, points[0])
        np.testing.assert_array_equal(found.astype(np.float32), points[0])


def test_a_mean_is_kept_in_float64_and_other_averages_in_float32():
    points = tf.ones([3, 2])
    assert folded(tgs.UniformAverage(), points, points[0]).dtype == np.float64
    assert folded(tgs.ExponentialAverage(), points, points[0]).dtype == np.float32
