"""The Inception score against TF-GAN, its definition and known answers."""

import math

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.evaluation.metrics import inception_score as module
from tfgan_stab.evaluation.metrics.inception_score import (
    ClassPredictions,
    inception_score,
)


def logits(seed, samples=2600, classes=7, scale=3.0):
    return scale * np.random.default_rng(seed).normal(size=(samples, classes))


def naive_score(values):
    """exp E KL by its definition, one sample and class at a time."""
    predictions = []
    for row in values:
        total = math.fsum(math.exp(value) for value in row)
        predictions.append([math.exp(value) / total for value in row])
    mean = [math.fsum(column) / len(predictions) for column in zip(*predictions, strict=True)]
    divergences = [
        math.fsum(p * math.log(p / q) for p, q in zip(row, mean, strict=True))
        for row in predictions
    ]
    return math.exp(math.fsum(divergences) / len(divergences))


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_each_split_is_tfgans_and_the_definitions(scale):
    values = logits(0, samples=103, scale=scale)
    estimate = inception_score(values, splits=10)
    parts = np.array_split(values, 10)
    assert [len(part) for part in parts] == [11, 11, 11, 10, 10, 10, 10, 10, 10, 10]
    score = tfgan.evaluation().classifier_score_from_logits
    assert_allclose(estimate.parts, [score(tf.constant(part)) for part in parts], rtol=1e-6)
    assert_allclose(estimate.parts, [naive_score(part) for part in parts], rtol=1e-8)
    assert_allclose(estimate, np.mean(estimate.parts), rtol=1e-15)


def test_many_samples_are_one_split_or_more():
    values = logits(1)
    assert_allclose(inception_score(values, splits=1), naive_score(values), rtol=1e-8)
    expected = [naive_score(values[:1300]), naive_score(values[1300:])]
    assert_allclose(inception_score(values, splits=2).parts, expected, rtol=1e-8)


def test_single_precision_is_computed_in_double():
    values = logits(2).astype(np.float32)
    assert inception_score(values) == inception_score(values.astype(np.float64))


def test_sure_and_evenly_spread_predictions_score_their_number():
    assert_allclose(inception_score(200.0 * np.eye(5), splits=1), 5.0, rtol=1e-12)


def test_equal_or_unsure_predictions_score_one():
    assert_allclose(inception_score(np.tile([1.0, 5.0, 2.0], (20, 1))), 1.0, rtol=1e-12)
    assert inception_score(np.zeros((20, 3))) == 1.0
    assert inception_score(np.ones((20, 1))) == 1.0
    assert inception_score(logits(0, 20), splits=20) == pytest.approx(1.0)


def test_impossible_classes_count_for_nothing():
    values = np.tile([[0.0, -1e308, -1e4], [-1e4, -1e308, 0.0]], (5, 1))
    assert_allclose(inception_score(values, splits=1), 2.0, rtol=1e-12)
    assert_allclose(inception_score([[1e308, -1e308], [-1e308, 1e308]], 1), 2.0, rtol=1e-12)


def test_splits_across_blocks_of_logits(monkeypatch):
    """The blocks of logits that are taken to float64 end within splits."""
    values = logits(3, samples=103)
    expected = [ClassPredictions.of(split).score for split in np.array_split(values, 4)]
    for rows in (1, 7, 26, 1000):
        monkeypatch.setattr(module, "_ROWS", rows)
        assert_allclose(inception_score(values, 4).parts, expected, rtol=1e-10)


def test_predictions_merge_in_any_order():
    values = logits(4, samples=90)
    first, second, third = map(ClassPredictions.of, np.split(values, [10, 60]))
    whole = ClassPredictions.of(values)
    for merged in (first + second + third, third + (first + second)):
        assert merged.count == 90
        assert_allclose(merged.score, whole.score, rtol=1e-12)


def test_predictions_of_different_classifiers_do_not_merge():
    with pytest.raises(ValueError, match="same classifier. Received: 7 and 6 classes"):
        ClassPredictions.of(logits(0)) + ClassPredictions.of(logits(0, classes=6))


def test_fewer_samples_than_splits_are_refused():
    with pytest.raises(ValueError, match="each of its 10 splits. Received: 9 samples"):
        inception_score(logits(0, samples=9))


def test_no_splits_are_refused():
    with pytest.raises(ValueError, match="`splits` must be an integer >= 1. Received: 0"):
        inception_score(logits(0), splits=0)


def test_logits_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="Logits must be finite"):
        inception_score(np.full((20, 3), np.nan))
