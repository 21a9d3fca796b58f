"""From batches to minibatches: which batches are refused, and with which noise they come."""

import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

import tfgan_stab as tgs


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
