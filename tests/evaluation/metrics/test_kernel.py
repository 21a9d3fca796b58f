"""The kernel distance against TF-GAN, a naive rewrite and what it must be on average."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.evaluation.metrics.kernel import kernel_distance


def gaussian(seed, samples=300, size=16, rank=None):
    random = np.random.default_rng(seed)
    rank = rank or size
    return random.normal(size=(samples, rank)) @ random.normal(size=(rank, size))


def heavy_tailed(seed, samples=300, size=16):
    random = np.random.default_rng(seed)
    return random.standard_t(3, size=(samples, size)) * np.geomspace(1e-3, 10, size)


def kernel(x, y):
    return (math.fsum(x * y) / len(x) + 1) ** 3


def naive_block(real, fake):
    """The unbiased estimate by its definition, one pair at a time."""
    inside = [
        math.fsum(kernel(x, y) for x, y in itertools.permutations(side, 2))
        / (len(side) * (len(side) - 1))
        for side in (real, fake)
    ]
    between = math.fsum(kernel(x, y) for x, y in itertools.product(real, fake))
    return inside[0] + inside[1] - 2 * between / (len(real) * len(fake))


CASES = {
    "one block": (gaussian(0), gaussian(1), 1024),
    "three blocks": (gaussian(0), gaussian(1), 100),
    "blocks of two sizes": (gaussian(0, 301), gaussian(1, 299), 64),
    "fewer fake": (gaussian(0), gaussian(1, 77), 64),
    "fewer real": (gaussian(0, 41), gaussian(1), 64),
    "rank-deficient": (gaussian(0, rank=3), gaussian(1, rank=2), 128),
    "heavy-tailed": (heavy_tailed(0), heavy_tailed(1) * 1.5, 100),
    "one feature": (gaussian(0, size=1), gaussian(1, size=1), 100),
}
by_case = pytest.mark.parametrize("real, fake, size", CASES.values(), ids=CASES)


@by_case
def test_distance_and_error_are_tfgans(real, fake, size):
    metrics = tfgan.evaluation().classifier_metrics
    value, error = metrics.kernel_classifier_distance_and_std_from_activations(
        tf.constant(real), tf.constant(fake), max_block_size=size
    )
    estimate = kernel_distance(real, fake, size)
    assert_allclose(estimate, value, rtol=1e-6)
    assert_allclose(estimate.standard_error, error, rtol=1e-6)


def test_the_distance_is_that_of_the_definition():
    # 7 samples in blocks of at most 3: TF-GAN's rule gives sizes 2, 2, 3; of 6 it gives 2, 2, 2.
    real, fake = gaussian(0, 7, 5), gaussian(1, 6, 5)
    pieces = [(slice(0, 2), slice(0, 2)), (slice(2, 4), slice(2, 4)), (slice(4, 7), slice(4, 6))]
    expected = [naive_block(real[a], fake[b]) for a, b in pieces]
    assert_allclose(kernel_distance(real, fake, 3).parts, expected, rtol=1e-8)


def test_a_case_by_hand():
    # One feature: k(x, y) = (x y + 1)^3. Real 0 and 1: k = 1. Fake 1 and 2: k = 27.
    # Between: k(0, .) = 1, k(1, 1) = 8, k(1, 2) = 27, mean 37 / 4.
    assert_allclose(kernel_distance([[0], [1]], [[1], [2]]), 1 + 27 - 2 * 37 / 4, rtol=1e-15)


def test_it_has_no_bias():
    random = np.random.default_rng(0)
    values = [kernel_distance(*random.normal(size=(2, 4, 2)), 4) for _ in range(4000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0 < max(values)


def test_single_precision_is_computed_in_double():
    real, fake = gaussian(0).astype(np.float32), gaussian(1).astype(np.float32)
    exact = kernel_distance(real.astype(np.float64), fake.astype(np.float64), 100)
    assert kernel_distance(real, fake, 100) == exact


def test_one_block_has_a_value_and_no_error():
    estimate = kernel_distance(gaussian(0), gaussian(1), 300)
    assert np.isfinite(estimate) and estimate.parts.size == 1
    assert math.isnan(estimate.standard_error)


def test_blocks_without_a_pair_are_refused():
    with pytest.raises(ValueError, match="Each of the 5 blocks .* 300 real and 9 fake samples"):
        kernel_distance(gaussian(0), gaussian(1, 9), 64)
    with pytest.raises(ValueError, match="Each of the 1 blocks .* 1 real and 1 fake"):
        kernel_distance([[1.0]], [[2.0]])


def test_block_sizes_without_a_pair_are_refused():
    with pytest.raises(ValueError, match="`max_block_size` must be an integer >= 2. Received: 1"):
        kernel_distance(gaussian(0), gaussian(1), 1)


def test_features_too_large_for_cubes_are_refused():
    with pytest.raises(OverflowError, match="too large .* up to 1.0e[+]70"):
        kernel_distance(np.full((3, 2), 1e70), np.zeros((3, 2)))


def test_features_of_different_extractors_are_refused():
    with pytest.raises(ValueError, match="same extractor. Received: 16 and 15"):
        kernel_distance(gaussian(0), gaussian(1, size=15))
