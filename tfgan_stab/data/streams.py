"""How examples become a stream: which comes when, in parallel, and in a fixed order all the same.

The order is a pure function of the seed and a running number. Nothing here has state, so a stream
can start anywhere and two runs agree bit for bit.
"""

import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgan_stab._utils.random import ALGORITHM

# TensorFlow's `index_shuffle` fixes 4 steps of its cipher, and then neighbors stay neighbors 26
# times too often and epochs correlate at 0.3 (1,797 examples). From 8 steps on neither could be
# told from chance; 16 cost the same, 0.2 microseconds an index.
CIPHER_ROUNDS = 16


def example_numbers(first: int, count: int) -> tf.data.Dataset:
    """Counts examples for ever, `count` at a time.

    Args:
        first: Number of the first example, an integer >= 0.
        count: Examples in each element, an integer >= 1.

    Returns:
        An infinite data set of int64 `[count]`.

    Example:
        >>> [numbers.tolist() for numbers in example_numbers(4, 3).take(2).as_numpy_iterator()]
        [[4, 5, 6], [7, 8, 9]]
    """
    offsets = tf.range(count, dtype=tf.int64)
    return tf.data.Dataset.counter(start=first, step=count).map(lambda start: start + offsets)


def shuffled(numbers: tf.Tensor, num_examples: int, seed: int) -> tf.Tensor:
    """Returns where in the data the examples with these running numbers lie.

    Example number i belongs to epoch `i // num_examples`; within an epoch the indices are a
    permutation drawn from (seed, epoch), so each epoch shows every example exactly once.

    Args:
        numbers: Running numbers, int64 `[count]`, each >= 0.
        num_examples: Examples in the data, an integer >= 1.
        seed: Any integer in [0, 2**63).

    Returns:
        Indices into the data, int64 `[count]`, each in [0, num_examples).

    Example:
        >>> second_epoch = tf.range(5, 10, dtype=tf.int64)
        >>> sorted(shuffled(second_epoch, num_examples=5, seed=0).numpy().tolist())
        [0, 1, 2, 3, 4]

    Reference:
        Permutation by a block cipher with cycle walking: Black and Rogaway, "Ciphers with arbitrary
        finite domains", CT-RSA 2002, as in TensorFlow's `RandomIndexShuffle`.
    """
    epochs = numbers // num_examples
    keys = tf.stack([tf.fill(tf.shape(numbers), tf.constant(seed, tf.int64)), epochs], axis=-1)
    return tf.raw_ops.RandomIndexShuffle(
        index=numbers % num_examples,
        seed=tf.pad(keys, [[0, 0], [0, 1]]),
        max_index=tf.fill(tf.shape(numbers), tf.constant(num_examples - 1, tf.int64)),
        rounds=CIPHER_ROUNDS,
    )


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


def reason_of(error: Exception) -> str:
    """Returns what an error of a stream says, without where in TensorFlow or Python it arose.

    Args:
        error: One of `tf.errors`, or of Python itself.
    """
    # Some messages begin with the name of a node or of an exception, others end with those.
    message = re.sub(r"\{\{.*?\}\}", "", str(error)).strip()
    message = re.split(r" \[Op:|\nCondition |\nTraceback ", message)[0]
    return re.sub(r"^\w*Error: ", "", message).strip().rstrip(".")


class Records:
    """Examples that can only be read one after another, shuffled anew in every epoch.

    They are shuffled before they are decoded: encoded pictures take a tenth of the memory, so the
    buffer can be large.

    Args:
        name: What the set is called in reports.
        records: The records of one epoch, each time in the same order.
        num_examples: How many those are, an integer >= 1.
        num_classes: Classes of the labels; `None` for images alone.
        decode: From a record to its element of the stream.
        decode_image: From a record to its image, float32 `[height, width, channels]` in [-1, 1].
        shuffle_buffer: Records to shuffle among, an integer >= 1.
        metadata: What a report should say of this set beside its name and size.
    """

    def __init__(
        self,
        name: str,
        records: tf.data.Dataset,
        num_examples: int,
        num_classes: int | None,
        decode: Callable[..., Any],
        decode_image: Callable[..., tf.Tensor],
        shuffle_buffer: int,
        metadata: dict[str, Any],
    ) -> None:
        self.name = name
        self.num_examples = num_examples
        self.num_classes = num_classes
        self._records = records
        self._decode = decode
        self._decode_image = decode_image
        self._shuffle_buffer = shuffle_buffer
        self._metadata = metadata

    def stream(self, first: int, count: int, seed: int) -> tf.data.Dataset:
        """Endless batches of `count` examples, from the running number `first` on."""
        epoch, offset = divmod(first, self.num_examples)
        epochs = tf.data.Dataset.counter(start=epoch)
        records = epochs.flat_map(lambda number: self._shuffled(seed, number)).skip(offset)
        batches = parallel_map(records, self._decode).batch(count, drop_remainder=True)
        # Which `flat_map` cannot know, and Keras asks.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return batches.apply(endless)

    def in_order(self, count: int, limit: int | None, labels: bool) -> tf.data.Dataset:
        """One pass in a fixed order, at most `limit`, `count` at a time."""
        records = self._records if limit is None else self._records.take(limit)
        return parallel_map(records, self._decode if labels else self._decode_image).batch(count)

    def metadata(self) -> dict[str, Any]:
        """What a report should say of this set beside its name and size."""
        return self._metadata

    def _shuffled(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        """Shuffles by the seed and the epoch alone.

        `Dataset.shuffle` would mix TensorFlow's global seed in, and a run that sets another one
        would see other data.
        """
        spec = self._records.element_spec
        # Never two zeros, bar one draw in 2**128, which would mean "no seed" to the operation.
        seeds = tf.random.stateless_uniform(
            [2], [seed, epoch], minval=None, maxval=None, dtype=tf.int64, alg=ALGORITHM
        )
        variant = tf.raw_ops.ShuffleDataset(
            input_dataset=tf.data.experimental.to_variant(self._records),
            buffer_size=tf.constant(self._shuffle_buffer, tf.int64),
            seed=seeds[0],
            seed2=seeds[1],
            output_types=[tensor.dtype for tensor in tf.nest.flatten(spec)],
            output_shapes=[tensor.shape for tensor in tf.nest.flatten(spec)],
            reshuffle_each_iteration=False,
        )
        return tf.data.experimental.from_variant(variant, spec)
