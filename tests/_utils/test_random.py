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
