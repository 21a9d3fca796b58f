"""Noise is a function of its counters, and nothing else."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab._utils import random as noise
from tfgan_stab.data.latents import Normal


def test_keys_of_different_paths_differ():
    paths = itertools.product(range(2), range(3), range(3), range(3))
    keys = {tuple(noise.key(*path).numpy()) for path in paths}
    assert len(keys) == 2 * 27


def test_a_long_seed_counts_in_all_its_bits():
    keys = {tuple(noise.key(seed, 0).numpy()) for seed in (1, 1 + 2**31, 1 + 2**40)}
    assert len(keys) == 3


@pytest.mark.slow
def test_eager_graph_and_xla_give_the_same_key():
    def draw(step_number):
        return noise.key(3, noise.TRAINING, step_number, 1)

    steps = tf.constant(7, tf.int64)
    expected = draw(steps).numpy()
    for jit in (False, True):
        np.testing.assert_array_equal(tf.function(draw, jit_compile=jit)(steps), expected)


def test_latents_of_successive_steps_are_uncorrelated():
    first, second = (Normal(100)(1000, noise.key(0, 0, r)).numpy().ravel() for r in (5, 6))
    # 1e5 pairs: the correlation's standard deviation is 0.0032.
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 * 0.0032


def test_purposes_keep_their_numbers():
    """Another number would change the noise of all runs."""
    purposes = "TRAINING TESTING SAMPLING PENALTIES RECALIBRATING AUGMENTING FAKE_LABELS".split()
    assert [getattr(noise, name) for name in purposes] == list(range(7))


@pytest.mark.parametrize("bound", [1, 2, 10, 1000])
def test_integers_come_equally_often(bound):
    count = 100_000
    drawn = noise.integers(count, bound, [3, bound])
    assert drawn.dtype == tf.int32 and drawn.shape == [count]
    counts = np.bincount(drawn.numpy(), minlength=bound)
    assert len(counts) == bound
    statistic = np.sum((counts - count / bound) ** 2) / (count / bound)
    # Chi-squared: the mean is one less than the bound, the variance twice that.
    assert statistic <= bound - 1 + 5 * np.sqrt(2 * (bound - 1))


def test_no_integer_reaches_the_bound(monkeypatch):
    largest = tf.constant(1.0 - 2.0**-24)
    monkeypatch.setattr(noise, "uniform", lambda shape, seed: largest)
    for bound in [*range(1, 300), 1000, 2**20 + 1, 2**24 - 1, 2**24]:
        assert noise.integers(1, bound, [0, 0]) == bound - 1


@pytest.mark.slow
def test_eager_graph_and_xla_draw_the_same_integers():
    def draw(count):
        return noise.integers(count, 10, [0, 1])

    expected = draw(100).numpy()
    assert expected.min() == 0 and expected.max() == 9
    graph = tf.function(draw)(tf.constant(100))
    compiled = tf.function(lambda: draw(100), jit_compile=True)()
    for found in (graph, compiled):
        np.testing.assert_array_equal(found, expected)
