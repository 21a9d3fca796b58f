"""What is measured of a step: spreads, norms and angles, and which callbacks ask for it."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.training.nan_monitor import (
    Fault,
    angle,
    dot,
    mean_squared_distance,
    squared_norm_of_each,
    watchers_among,
)


@pytest.mark.parametrize("shape", [(7, 3), (5, 4, 2, 1), (2, 6)])
def test_spread_is_the_mean_squared_distance_over_all_pairs(shape):
    images = np.random.RandomState(0).normal(size=shape, loc=3.0)
    pairs = [(a, b) for i, a in enumerate(images) for j, b in enumerate(images) if i != j]
    expected = np.mean([np.sum((a - b) ** 2) for a, b in pairs])
    assert float(mean_squared_distance(tf.constant(images))) == pytest.approx(expected)


def test_spread_of_a_single_image_is_zero():
    assert float(mean_squared_distance(tf.ones([1, 3]))) == 0.0


def test_half_precision_is_added_up_in_float32():
    large = tf.fill([100_000], tf.constant(100.0, tf.float16))
    assert float(squared_norm_of_each([large])[0]) == pytest.approx(1e9, rel=1e-3)
    assert float(mean_squared_distance(tf.stack([large, -large]))) == pytest.approx(4e9, rel=1e-3)
    assert float(dot([large], [-large])) == pytest.approx(-1e9, rel=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2e19])
def test_squared_norm_that_is_not_finite(value):
    norms = squared_norm_of_each([tf.ones([3]), tf.constant([1.0, value])]).numpy()
    assert np.isfinite(norms).tolist() == [True, False]


def test_angle_between_lists_of_tensors():
    random = np.random.RandomState(1)
    one, other = ([random.normal(size=shape) for shape in [(2, 3), (4,)]] for _ in range(2))
    u, v = (np.concatenate([np.ravel(w) for w in own]) for own in (one, other))
    expected = np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
    one, other = ([tf.constant(w) for w in own] for own in (one, other))
    squares = [tf.reduce_sum(squared_norm_of_each(own)) for own in (one, other)]
    assert float(angle(dot(one, other), *squares)) == pytest.approx(expected, rel=1e-12)


def test_angle_to_nothing_is_not_a_number():
    assert np.isnan(angle(*map(tf.constant, [0.0, 1.0, 0.0])))


def test_angle_of_a_vector_to_itself_in_spite_of_rounding():
    product = tf.constant(1.0 + 1e-15, tf.float64)
    assert float(angle(product, *(tf.constant(1.0, tf.float64) for _ in range(2)))) == 0.0


def test_fault_in_words():
    fault = Fault("generator", "gradient", "maker/kernel", 2, 1, step=7, of=(4, 1))
    assert str(fault) == (
        "the generator's gradient of 'maker/kernel' in step 7, evaluation 2 of 4, minibatch 1 of 1"
    )


def test_watchers_and_what_they_measure():
    guard, diagnostics = tgs.callbacks.DivergenceGuard(), tgs.callbacks.Diagnostics(0.1, 5)
    for callbacks, measured in (
        ([], None),
        ([guard], None),
        ([diagnostics], (0.1, 5)),
        ([diagnostics, tgs.callbacks.SwapWeights("ema"), guard], (0.1, 5)),
    ):
        watchers, found = watchers_among(callbacks)
        assert watchers == [each for each in callbacks if each in (guard, diagnostics)]
        assert found == measured


@pytest.mark.parametrize("kind", [tgs.callbacks.DivergenceGuard, tgs.callbacks.Diagnostics])
def test_two_watchers_of_a_kind(kind):
    with pytest.raises(ValueError, match="One guard and one set.*Received: 2 callbacks. Keep one"):
        watchers_among([kind(), kind()])
