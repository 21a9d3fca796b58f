"""The sliced Wasserstein distance against TF-GAN, closed forms and a naive rewrite."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.evaluation.metrics import sliced_wasserstein as module
from tfgan_stab.evaluation.metrics.sliced_wasserstein import (
    distance_along,
    sliced_wasserstein,
    unit_directions,
)


def gaussian(seed, samples=200, size=9):
    return np.random.default_rng(seed).normal(size=(samples, size))


def test_along_the_same_directions_it_is_tfgans(monkeypatch):
    real, fake = gaussian(0), 2.0 * gaussian(1) + 0.5
    directions = unit_directions(9, 40, seed=3)
    inner = tfgan.evaluation().sliced_wasserstein._sliced_wasserstein
    # Of any length: TF-GAN brings them to length 1 itself.
    monkeypatch.setattr(tf.random, "normal", lambda shape: tf.constant(7.0 * directions))
    expected = inner(tf.constant(real), tf.constant(fake), 1, 40)
    assert_allclose(distance_along(real, fake, directions), expected, rtol=1e-10)
    assert_allclose(sliced_wasserstein(real, fake, 40, seed=3), expected, rtol=1e-10)


@pytest.mark.parametrize("samples", [(6, 6), (6, 4), (3, 7), (1, 5)])
def test_it_is_the_area_between_quantile_functions(samples):
    real, fake = gaussian(0, samples[0], 2), gaussian(1, samples[1], 2)
    directions = unit_directions(2, 50, seed=0)
    # Each sample as often as there are on the other side: the same two distributions, equal sizes.
    areas = [
        np.abs(
            np.sort(np.repeat(real @ direction, samples[1]))
            - np.sort(np.repeat(fake @ direction, samples[0]))
        ).mean()
        for direction in directions.T
    ]
    assert_allclose(sliced_wasserstein(real, fake, 50), np.mean(areas), rtol=1e-10)


def test_one_feature_has_one_direction():
    assert_allclose(sliced_wasserstein([[0.0], [4.0]], [[1.0], [1.0]]), (1 + 3) / 2, rtol=1e-15)
    # Quantiles 0 0 4 4 against 1 1 1 9.
    distance = sliced_wasserstein([[0.0], [4.0]], [[9.0], [1.0], [1.0], [1.0]])
    assert_allclose(distance, (1 + 1 + 3 + 5) / 4, rtol=1e-15)


def test_a_shift_counts_by_its_length_along_each_direction():
    shift = np.arange(9.0)
    expected = np.abs(shift @ unit_directions(9, 128, seed=5)).mean()
    distance = sliced_wasserstein(gaussian(0), gaussian(0) + shift, seed=5)
    assert_allclose(distance, expected, rtol=1e-10)


def test_directions_are_even_over_the_sphere():
    directions = unit_directions(3, 20000, seed=0)
    assert_allclose((directions**2).sum(axis=0), 1.0, rtol=1e-12)
    assert_allclose(directions @ directions.T / 20000, np.eye(3) / 3, atol=0.01)
    assert_allclose(np.abs(directions).mean(axis=1), 0.5, atol=0.01)  # Archimedes' hat box.


def test_order_does_not_matter_and_a_set_is_at_no_distance_from_itself():
    real, fake = gaussian(0), gaussian(1, 170)
    shuffled = np.random.default_rng(0).permutation(real)
    assert_allclose(sliced_wasserstein(real, shuffled), 0.0, atol=1e-14)
    assert_allclose(sliced_wasserstein(shuffled, fake), sliced_wasserstein(real, fake), rtol=1e-12)
    assert_allclose(sliced_wasserstein(fake, real), sliced_wasserstein(real, fake), rtol=1e-12)


def test_the_seed_decides():
    real, fake = gaussian(0), gaussian(1)
    assert sliced_wasserstein(real, fake, seed=1) == sliced_wasserstein(real, fake, seed=1)
    assert sliced_wasserstein(real, fake, seed=1) != sliced_wasserstein(real, fake, seed=2)


def test_pieces_change_nothing(monkeypatch):
    real, fake = gaussian(0), gaussian(1, 170)
    expected = sliced_wasserstein(real, fake)
    monkeypatch.setattr(module, "_ROWS", 7)
    monkeypatch.setattr(module, "_DIRECTIONS", 5)
    assert_allclose(sliced_wasserstein(real, fake), expected, rtol=1e-12)


def test_single_precision_is_computed_in_double():
    real, fake = gaussian(0).astype(np.float32), gaussian(1).astype(np.float32)
    exact = sliced_wasserstein(real.astype(np.float64), fake.astype(np.float64))
    assert sliced_wasserstein(real, fake) == exact


def test_features_too_large_to_project_are_refused():
    with pytest.raises(OverflowError, match="too large for their projections"):
        sliced_wasserstein(np.full((3, 9), 1.7e308), -np.full((3, 9), 1.7e308))


def test_no_projections_are_refused():
    with pytest.raises(ValueError, match="`projections` must be an integer >= 1. Received: 0"):
        sliced_wasserstein(gaussian(0), gaussian(1), projections=0)


def test_features_of_different_extractors_are_refused():
    with pytest.raises(ValueError, match="same extractor. Received: 9 and 8"):
        sliced_wasserstein(gaussian(0), gaussian(1, size=8))
