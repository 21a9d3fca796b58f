"""Random numbers that a plain graph and XLA draw alike, as a pure function of a seed.

`tf.random.stateless_uniform` and `stateless_normal` do not: from the same random bits TensorFlow's
kernels take the lower 23 for a float, XLA the upper ones, and nothing but the name of the algorithm
agrees. Here the bits are asked for and turned into floats in the open.

Nothing here has a state: what is drawn is a function of a key, which is made from the seed and of
counters such as the step, so that a resumed run draws what the uninterrupted one would have drawn.
"""

import math
from typing import Any

import tensorflow as tf

# Named, because "auto_select" picks another algorithm under XLA than without.
ALGORITHM = "philox"
BITS = 24  # What a float32 between 0 and 1 can hold exactly.


def uniform(shape: Any, seed: Any) -> tf.Tensor:
    """Draws evenly from [0, 1).

    Args:
        shape: What shape to draw, integers or an int32 tensor.
        seed: Two integers, as int32 or int64.

    Returns:
        float32 of that shape, multiples of 2**-24; the same bits with and without XLA.

    Example:
        >>> draw = tf.function(lambda: uniform([1000], seed=[0, 1]), jit_compile=True)
        >>> bool(tf.reduce_all(draw() == uniform([1000], seed=[0, 1])))
        True
    """
    bits = tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg=ALGORITHM
    )
    upper = tf.bitwise.right_shift(bits, tf.constant(32 - BITS, tf.uint32))
    # Through int32, which every device can turn into a float.
    return tf.cast(tf.cast(upper, tf.int32), tf.float32) * 2.0**-BITS


def normal(count: int | tf.Tensor, size: int, seed: Any) -> tf.Tensor:
    """Draws independent standard normals, two from each two uniforms (Box-Muller).

    ::

        r = sqrt(-2 log(1 - u)),    x = r cos(2 pi v),    y = r sin(2 pi v)

    Args:
        count: Rows, an integer or an int32 scalar.
        size: Columns, an integer >= 1.
        seed: Two integers, as int32 or int64.

    Returns:
        float32 `[count, size]`, at most 5.8 in size; with and without XLA the same but for the
        rounding of the functions above.

    Reference:
        Box and Muller, "A note on the generation of random normal deviates", 1958.
    """
    half = (size + 1) // 2
    pairs = uniform([count, 2, half], seed)
    radius = tf.sqrt(-2.0 * tf.math.log1p(-pairs[:, 0]))
    angle = 2.0 * math.pi * pairs[:, 1]
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=-1)[:, :size]


def integers(count: int | tf.Tensor, bound: int, seed: Any) -> tf.Tensor:
    """Draws evenly from 0, 1, ..., `bound - 1`.

    Args:
        count: How many, an integer or an int32 scalar.
        bound: How many numbers there are, an integer from 1 to 2**24.
        seed: Two integers, as int32 or int64.

    Returns:
        int32 `[count]`; the same with and without XLA. No number is more than `2**-24` more
        probable than another.

    Example:
        >>> sorted(set(integers(100, 3, seed=[0, 1]).numpy().tolist()))
        [0, 1, 2]
    """
    # The largest product is less than the bound in float32 too: it is rounded down.
    return tf.cast(tf.floor(uniform([count], seed) * float(bound)), tf.int32)


# What noise is drawn for; each purpose has a stream of its own, so new ones go to the end.
TRAINING, TESTING, SAMPLING, PENALTIES, RECALIBRATING, AUGMENTING, FAKE_LABELS = range(7)


def key(seed: int, *counters: Any) -> tf.Tensor:
    """Returns the key that belongs to a seed and a path of counters.

    Args:
        seed: Integer that tells runs apart.
        *counters: Integers or integer scalar tensors, such as the step and the minibatch.

    Returns:
        int32 `[2]`, for `tf.random.stateless_*`. Different paths give independent keys.

    Example:
        >>> bool(tf.reduce_all(key(0, 1, 2) == key(0, 1, 2)))
        True
        >>> bool(tf.reduce_all(key(0, 1, 2) == key(0, 2, 1)))
        False
    """
    start = tf.constant([seed & 0x7FFFFFFF, (seed >> 31) & 0x7FFFFFFF], tf.int32)
    return fold_in(start, *counters)


def fold_in(seed: tf.Tensor, *counters: Any) -> tf.Tensor:
    """Returns another seed for each path of counters.

    Args:
        seed: Integers `[2]`.
        *counters: Integers or integer scalar tensors.

    Returns:
        The same type `[2]`; its second entry is the last counter.
    """
    for counter in counters:
        seed = tf.random.experimental.stateless_fold_in(
            seed, tf.cast(counter, seed.dtype), alg=ALGORITHM
        )
    return seed
