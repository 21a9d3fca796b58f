"""How the work is done: in parallel, ahead of time, and in a fixed order all the same."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def parallel_map(elements: tf.data.Dataset, function: Callable[..., Any]) -> tf.data.Dataset:
    """Applies a function to several elements at once and keeps their order.

    Args:
        elements: Any data set.
        function: From an element to what becomes of it, in TensorFlow operations.

    Returns:
        A data set of the results, in the order of `elements`.
    """
    # Rewriting Python control flow into graphs is not needed here, and takes most of the set-up.
    function = tf.autograph.experimental.do_not_convert(function)
    return elements.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def finish(stream: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetches, and fixes how a stream behaves on several threads and workers.

    Args:
        stream: Batches.

    Returns:
        The same batches, prepared while others are trained on.
    """
    options = tf.data.Options()
    options.deterministic = True
    # Each worker reads all and keeps its rows of the global batch. Sharding by files would show
    # every worker other examples than one worker sees, and fails where there are fewer files.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return stream.prefetch(tf.data.AUTOTUNE).with_options(options)
