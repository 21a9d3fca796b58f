"""How examples become a stream: which comes when, in parallel, and in a fixed order all the same.

The order is a pure function of the seed and a running number. Nothing here has state, so a stream
can start anywhere and two runs agree bit for bit.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab._utils.random import ALGORITHM

# TensorFlow's `index_shuffle` fixes 4 steps of its cipher, and then neighbors stay neighbors 26
# times too often and epochs correlate at 0.3 (1,797 examples). From 8 steps on neither could be
# told from chance; 16 cost the same, 0.2 microseconds an index.
CIPHER_ROUNDS = 16
SHUFFLE_BUFFER = 10_000  # Records to shuffle among, where they are read from front to back.


@dataclasses.dataclass(frozen=True)
class Share:
    """The rows of each step that one of several processes reads: an equal part of each minibatch.

    Examples have running numbers, and a step takes the next `minibatches * minibatch` of them. What
    all processes read of a minibatch, in their order, is what one alone would have read.

    Attributes:
        first: Number of the first example of all, an integer >= 0.
        minibatch: Examples of a minibatch, of all processes together, an integer >= 1.
        minibatches: Minibatches of a step, an integer >= 1.
        process: Which process this is, counted from 0.
        processes: How many there are; they divide `minibatch`.

    Example:
        >>> second = Share(first=0, minibatch=4, minibatches=2, process=1, processes=2)
        >>> [numbers.tolist() for numbers in second.numbers().take(2).as_numpy_iterator()]
        [[2, 3, 6, 7], [10, 11, 14, 15]]
    """

    first: int
    minibatch: int
    minibatches: int = 1
    process: int = 0
    processes: int = 1

    @property
    def count(self) -> int:
        """Rows of a step that this process reads."""
        return self.minibatches * self.minibatch // self.processes

    @property
    def whole(self) -> "Share":
        """What a single process would read."""
        return dataclasses.replace(self, process=0, processes=1)

    def numbers(self) -> tf.data.Dataset:
        """Numbers of this process's examples: int64 `[count]` for each step, without end."""
        step = self.minibatches * self.minibatch
        own = self.rows(tf.range(step, dtype=tf.int64))
        return tf.data.Dataset.counter(start=self.first, step=step).map(lambda start: start + own)

    def rows(self, step: tf.Tensor) -> tf.Tensor:
        """Returns this process's rows, `[count, ...]`, of a whole step's."""
        each = self.minibatch // self.processes
        shape = step.shape[1:]
        parts = tf.reshape(step, [self.minibatches, self.processes, each, *shape])
        return tf.reshape(parts[:, self.process], [self.count, *shape])

    def holds(self, numbers: tf.Tensor) -> tf.Tensor:
        """Returns whether this process reads the examples with these running numbers."""
        place = (numbers - self.first) % self.minibatch
        return place // (self.minibatch // self.processes) == self.process

    def split(self, stream: tf.data.Dataset, parts: int) -> tf.data.Dataset:
        """Splits each element of this process among so many replicas, as a step among processes."""
        if parts == 1:
            return stream
        own = Share(0, self.minibatch // self.processes, self.minibatches, 0, parts)
        each = [dataclasses.replace(own, process=part) for part in range(parts)]
        return stream.map(
            lambda *values: tf.nest.map_structure(
                lambda value: tf.stack([part.rows(value) for part in each]),
                values if len(values) > 1 else values[0],
            )
        ).unbatch()


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


def read_shuffled(
    share: Share, num_examples: int, seed: int, read: Callable[[tf.Tensor], Any]
) -> tf.data.Dataset:
    """Reads a process's examples where each can be read by its index, in the order of `shuffled`.

    Args:
        share: Which running numbers the process reads.
        num_examples: Examples in the data, an integer >= 1.
        seed: Decides the order.
        read: From an index, an int64 scalar, to its element of the stream.

    Returns:
        An infinite data set of `share.count` elements at a time.
    """
    indices = share.numbers().map(lambda numbers: shuffled(numbers, num_examples, seed))
    # One at a time, so that a large batch is decoded on all cores.
    return parallel_map(indices.unbatch(), read).batch(share.count, drop_remainder=True)


def finish(stream: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetches, and fixes how a stream behaves on several threads and workers.

    Args:
        stream: Batches.

    Returns:
        The same batches, prepared while others are trained on.
    """
    options = tf.data.Options()
    options.deterministic = True
    # Where TensorFlow shares a stream, each worker reads all and keeps its rows of the batch.
    # Sharding by files would show other examples than one worker sees, and fail for few files.
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


class RecordSet(NamedTuple):
    """What records hold, however they are read.

    Attributes:
        name: What the set is called in reports.
        num_classes: Classes of the labels; `None` for images alone.
        decode: From a record to its element of the stream.
        decode_image: From a record to its image, float32 `[height, width, channels]` in [-1, 1].
        metadata: What a report should say of this set beside its name and size.
    """

    name: str
    num_classes: int | None
    decode: Callable[..., Any]
    decode_image: Callable[..., tf.Tensor]
    metadata: dict[str, Any]


class Records:
    """Examples that can only be read one after another, shuffled anew in every epoch.

    They are shuffled before they are decoded: encoded pictures take a tenth of the memory, so the
    buffer can be large. Of several processes each reads all records and decodes its own.

    Args:
        record_set: What they hold.
        records: The records of one epoch, each time in the same order.
        num_examples: How many those are, an integer >= 1.
        shuffle_buffer: Records to shuffle among, an integer >= 1.
    """

    def __init__(
        self,
        record_set: RecordSet,
        records: tf.data.Dataset,
        num_examples: int,
        shuffle_buffer: int,
    ) -> None:
        self.name, self.num_classes = record_set.name, record_set.num_classes
        self.num_examples = num_examples
        self._set = record_set
        self._records = records
        self._shuffle_buffer = shuffle_buffer

    def stream(self, share: Share, seed: int) -> tf.data.Dataset:
        """Endless batches of a process's share of each step."""
        epoch, offset = divmod(share.first, self.num_examples)
        epochs = tf.data.Dataset.counter(start=epoch)
        records = epochs.flat_map(lambda number: self._shuffled(seed, number)).skip(offset)
        if share.processes > 1:
            numbered = records.enumerate(start=share.first)
            own = numbered.filter(lambda number, record: share.holds(number))
            records = own.map(lambda number, record: record)
        batches = parallel_map(records, self._set.decode).batch(share.count, drop_remainder=True)
        # Which `flat_map` cannot know, and Keras asks.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return batches.apply(endless)

    def in_order(self, count: int, limit: int | None, labels: bool) -> tf.data.Dataset:
        """One pass in a fixed order, at most `limit`, `count` at a time."""
        records = self._records if limit is None else self._records.take(limit)
        decode = self._set.decode if labels else self._set.decode_image
        return parallel_map(records, decode).batch(count)

    def metadata(self) -> dict[str, Any]:
        """What a report should say of this set beside its name and size."""
        return {**self._set.metadata, "shuffle_buffer": self._shuffle_buffer}

    def _epoch(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        """Returns an epoch's records before they are shuffled, in the same order every time."""
        return self._records

    def _shuffled(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        """Shuffles by the seed and the epoch alone.

        `Dataset.shuffle` would mix TensorFlow's global seed in, and a run that sets another one
        would see other data.
        """
        records = self._epoch(seed, epoch)
        spec = records.element_spec
        # Never two zeros, bar one draw in 2**128, which would mean "no seed" to the operation.
        seeds = tf.random.stateless_uniform(
            [2], [seed, epoch], minval=None, maxval=None, dtype=tf.int64, alg=ALGORITHM
        )
        variant = tf.raw_ops.ShuffleDataset(
            input_dataset=tf.data.experimental.to_variant(records),
            buffer_size=tf.constant(self._shuffle_buffer, tf.int64),
            seed=seeds[0],
            seed2=seeds[1],
            output_types=[tensor.dtype for tensor in tf.nest.flatten(spec)],
            output_shapes=[tensor.shape for tensor in tf.nest.flatten(spec)],
            reshuffle_each_iteration=False,
        )
        return tf.data.experimental.from_variant(variant, spec)
