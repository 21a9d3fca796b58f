"""What is kept of batches that several scores look at."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.evaluation.accumulators import (
    Accumulator,
    Batch,
    MomentsAccumulator,
    Need,
    map_over_devices,
    needs_of,
)
from tfgan_stab.evaluation.extractors.random import RandomFeatures
from tfgan_stab.evaluation.scores.fid import FID


def test_needs_are_listed_once(noise):
    seen, other, real = RandomFeatures(0), RandomFeatures(1), noise(30)
    scores = [FID(e, real, quantize=q) for e in (seen, other) for q in (True, False, True)]
    needs = {(id(need.extractor), need.quantize) for need in needs_of(scores)}
    assert needs == {(id(e), q) for e in (seen, other) for q in (True, False)}
    assert len(needs_of(scores)) == 4


@pytest.mark.multi_device
def test_no_more_batches_wait_than_devices_work_on(noise, pixels):
    drawn = []

    def source():
        for number in range(20):
            drawn.append(number)
            yield Batch(noise(3, seed=number))

    device = tf.config.list_logical_devices("CPU")[0].name
    for number, batch in enumerate(map_over_devices(source(), [Need(pixels, False)], [device] * 3)):
        assert np.array_equal(batch.images, noise(3, seed=number))
        assert len(drawn) <= number + 1 + 3
    assert len(drawn) == 20


def test_arrays_are_put_one_after_the_other(noise):
    accumulator = Accumulator(lambda batch: batch.images.mean(axis=(1, 2)))
    for start, stop in [(0, 3), (3, 4), (4, 9)]:
        accumulator.add(Batch(noise(9)[start:stop]))
        assert len(accumulator.result()) == stop
    np.testing.assert_array_equal(accumulator.result(), noise(9).mean(axis=(1, 2)))


def test_anything_else_is_added_up(noise):
    accumulator = Accumulator(lambda batch: collections.Counter(images=len(batch), batches=1))
    for size in (3, 1, 5):
        accumulator.add(Batch(noise(size)))
    assert accumulator.result() == {"images": 9, "batches": 3}


def test_moments_are_those_of_all_features(noise, pixels):
    accumulator = MomentsAccumulator(lambda batch: batch.outputs(pixels).features)
    for size in (3, 1, 5):
        accumulator.add(Batch(noise(9)[:size]))
    features = np.concatenate([noise(9)[:size].reshape(size, -1) for size in (3, 1, 5)])
    moments = accumulator.result()
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(moments.covariance, np.cov(features.T), rtol=1e-6)
