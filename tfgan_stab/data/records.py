"""Records that can only be read one after another, shuffled anew in every epoch."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgan_stab._utils.random import ALGORITHM
from tfgan_stab.data.pipeline import parallel_map


class Records:
    """A source that reads records in a fixed order and shuffles them before they are decoded.

    Encoded pictures take a tenth of the memory that decoded ones take, so the buffer can be large.

    Args:
        name: What the set is called in reports.
        records: The records of one epoch, each time in the same order.
        num_examples: How many those are, an integer >= 1.
        num_classes: Classes of the labels; `None` for images alone.
        decode: From a record to its element of the stream.
        decode_image: From a record to its image, float32 `[height, width, channels]` in [-1, 1].
        shuffle_buffer: Records to shuffle among, an integer >= 1.
        facts: What a report should say of this set beside its name and size.
    """

    def __init__(
        self,
        name: str,
        records: tf.data.Dataset,
        num_examples: int,
        num_classes: int | None,
        decode: Callable[[Any], Any],
        decode_image: Callable[[Any], tf.Tensor],
        shuffle_buffer: int,
        facts: dict[str, Any],
    ) -> None:
        self.name = name
        self.num_examples = num_examples
        self.num_classes = num_classes
        self._records = records
        self._decode = decode
        self._decode_image = decode_image
        self._shuffle_buffer = shuffle_buffer
        self._facts = facts

    def stream(self, first: int, count: int, seed: int) -> tf.data.Dataset:
        """Endless batches of `count` examples, from the running number `first` on."""
        epoch, offset = divmod(first, self.num_examples)
        epochs = tf.data.Dataset.counter(start=epoch)
        records = epochs.flat_map(lambda number: self._shuffled(seed, number)).skip(offset)
        batches = parallel_map(records, self._decode).batch(count, drop_remainder=True)
        # Which `flat_map` cannot know, and Keras asks.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return batches.apply(endless)

    def in_order(self, count: int, limit: int | None) -> tf.data.Dataset:
        """Images only, one pass in a fixed order, at most `limit`, `count` at a time."""
        records = self._records if limit is None else self._records.take(limit)
        return parallel_map(records, self._decode_image).batch(count)

    def facts(self) -> dict[str, Any]:
        """What a report should say of this set beside its name and size."""
        return self._facts

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
