"""From batches to minibatches: which batches are refused, and with which noise they come."""

import math

import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

import tfgan_stab as tgs
from tfgan_stab.training.minibatches import MinibatchMaker


@pytest.mark.slow
def test_a_batch_of_unknown_size_that_does_not_divide_is_refused():
    gan = make(scheme=tgs.Alternating(2))
    data = tf.data.Dataset.from_tensor_slices(points(9)).batch(9)  # Its size is not in the spec.
    with pytest.raises(tf.errors.InvalidArgumentError, match="into 2 equal minibatches"):
        gan.fit(data, verbose=0)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.zeros([8, 2], "uint8"), TypeError, "Examples must be floats.*Received: uint8"),
        (np.zeros([8, 3], "float32"), ValueError, r"shape.*\[2\]. Received: \[3\]"),
        ((points(8), np.zeros(8, "int32")), ValueError, "take no class labels.*Drop them"),
    ],
)
def test_batches_that_do_not_fit_are_refused(data, error, message):
    dataset = tf.data.Dataset.from_tensors(data)
    with pytest.raises(error, match=message):
        make().fit(dataset, verbose=0)


def test_float_labels_are_refused(conditional):
    dataset = tf.data.Dataset.from_tensors((points(8), np.zeros(8, "float32")))
    with pytest.raises(TypeError, match="Labels must be integers"):
        conditional.fit(dataset, verbose=0)


def test_a_conditional_pair_needs_labels(conditional):
    with pytest.raises(ValueError, match="batches must be .examples, labels."):
        conditional.fit(points(), verbose=0)


@pytest.mark.parametrize(
    "intervals", [(), (1,), (4,), (2, 3), (2, 4), (4, 6, 1), (2, 3, 6), (4, 6, 12), (16, 16)]
)
def test_patterns_are_the_sets_of_penalties_that_are_active_together(intervals):
    penalties = [tgs.R1(1.0, interval=i) for i in intervals]
    maker = MinibatchMaker(None, tgs.Simultaneous(), None, penalties, None, 0)
    lazy = sorted(set(intervals) - {1})
    period = math.lcm(*intervals)
    patterns = maker.patterns
    seen = set()
    for step in range(period):
        number = int(maker.next_pattern(tf.constant(step, tf.int64)))
        assert patterns[number] == {i: step % i == 0 for i in lazy}
        seen.add(number)
    assert sorted(seen) == list(range(len(patterns)))
