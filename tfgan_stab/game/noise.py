"""Where randomness comes from: a pure function of the seed and of counters.

Nothing here has a state, so a resumed run draws what the uninterrupted one would have drawn, and
the plain graph and XLA draw the same (the algorithm is named, not chosen by the device).
"""

from typing import Any

import tensorflow as tf

ALGORITHM = "philox"

# What noise is drawn for; each purpose has a stream of its own.
TRAINING, TESTING, SAMPLING, PENALTIES, RECALIBRATING = range(5)


def key(seed: int, *counters: Any) -> tf.Tensor:
    """Returns the key that belongs to a seed and a path of counters.

    Args:
        seed: Integer that tells runs apart.
        *counters: Integers or integer scalar tensors, such as the round and the part.

    Returns:
        int32 `[2]`, for `tf.random.stateless_*`. Different paths give independent keys.

    Example:
        >>> bool(tf.reduce_all(key(0, 1, 2) == key(0, 1, 2)))
        True
        >>> bool(tf.reduce_all(key(0, 1, 2) == key(0, 2, 1)))
        False
    """
    folded = tf.constant([seed & 0x7FFFFFFF, (seed >> 31) & 0x7FFFFFFF], tf.int32)
    for counter in counters:
        folded = tf.random.experimental.stateless_fold_in(
            folded, tf.cast(counter, tf.int32), alg=ALGORITHM
        )
    return folded
