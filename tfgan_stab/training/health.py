"""What shows how well a step goes: lengths, angles, shares and spreads, as plain numbers."""

import math
from collections.abc import Sequence

import tensorflow as tf


def squared_norms(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns each tensor's sum of squares, float64 `[tensors]`.

    One that is not finite shows that the tensor is not, or that it is longer than the root of its
    type's largest number, 1.8e19 for float32.

    Example:
        >>> squared_norms([tf.constant([3.0, 4.0]), tf.constant(2.0)]).numpy()
        array([25.,  4.])
    """
    sums = [tf.reduce_sum(tf.square(_at_least_float32(tensor))) for tensor in tensors]
    return tf.stack([tf.cast(each, tf.float64) for each in sums])


def dot(one: Sequence[tf.Tensor], other: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the inner product of two lists of tensors of the same shapes, a float64 scalar."""
    pairs = zip(map(_at_least_float32, one), map(_at_least_float32, other), strict=True)
    return tf.add_n([tf.cast(tf.reduce_sum(a * b), tf.float64) for a, b in pairs])


def angle(product: tf.Tensor, squared: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the angle between two vectors, a float64 scalar in degrees from 0 to 180.

    `arccos(<u, v> / (|u| |v|))`; not a number where one of them has no length.

    Args:
        product: Their inner product, a float64 scalar.
        squared: The one's squared length.
        other: The other's squared length.

    Example:
        >>> angles = angle(*map(tf.constant, [-1.0, 1.0, 4.0]))
        >>> round(float(angles), 3)
        120.0
    """
    cosine = product / (tf.sqrt(squared) * tf.sqrt(other))
    return tf.acos(tf.clip_by_value(cosine, -1.0, 1.0)) * (180.0 / math.pi)


def spread(examples: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared distance between two different examples of a batch.

    Twice the sum of all features' variances (divisor n - 1), so pairs need not be formed:
    `mean over i != j of |x_i - x_j|^2 = 2 / (n - 1) sum_i |x_i - mean|^2`.

    Args:
        examples: float `[batch, ...]`; what comes after the batch is one vector.

    Returns:
        A float scalar; 0 for a single example.

    Example:
        >>> float(spread(tf.constant([[0.0], [2.0]])))
        4.0
    """
    examples = _at_least_float32(examples)
    rows = tf.cast(tf.shape(examples)[0], examples.dtype)
    centred = examples - tf.reduce_mean(examples, axis=0, keepdims=True)
    return tf.math.divide_no_nan(2.0 * tf.reduce_sum(tf.square(centred)), rows - 1.0)


def share(conditions: tf.Tensor) -> tf.Tensor:
    """Returns which part of a bool tensor is true, a float32 scalar in [0, 1]."""
    return tf.reduce_mean(tf.cast(conditions, tf.float32))


def _at_least_float32(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor
