"""Images held in memory: put in a tensor once, then picked by index."""

import hashlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab.data.images import to_float
from tfgan_stab.data.order import example_numbers, shuffled
from tfgan_stab.data.pipeline import parallel_map


class InMemory:
    """A source whose images all lie in one tensor.

    Bytes stay bytes until a batch is made, so that 8-bit pictures take a quarter of the memory.

    Args:
        name: What the set is called in reports.
        images: uint8 in 0..255 or float32 in [-1, 1], `[examples, height, width, channels]`.
        labels: int32 `[examples]`; `None` for a stream of images alone.
        num_classes: Classes of the labels; `None` without labels.
    """

    def __init__(
        self,
        name: str,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        num_classes: int | None = None,
    ) -> None:
        self.name = name
        self.num_examples = len(images)
        self.num_classes = num_classes
        # On a machine with a GPU a constant would land in its memory, and each batch come back.
        with tf.device("CPU:0"):
            self._images = tf.constant(images)
            self._labels = None if labels is None else tf.constant(labels, tf.int32)

    def stream(self, first: int, count: int, seed: int) -> tf.data.Dataset:
        """Endless batches of `count` examples, from the running number `first` on."""
        numbers = example_numbers(first, count)
        return parallel_map(
            numbers, lambda batch: self._pick(shuffled(batch, self.num_examples, seed))
        )

    def in_order(self, count: int, limit: int | None) -> tf.data.Dataset:
        """Images only, one pass in a fixed order, at most `limit`, `count` at a time."""
        end = self.num_examples if limit is None else min(limit, self.num_examples)
        return parallel_map(tf.data.Dataset.range(end).batch(count), self._pick_images)

    def facts(self) -> dict[str, Any]:
        """A short hash of the pixels, so that reports of different data can be told apart."""
        return {"content": hashlib.sha256(self._images.numpy().tobytes()).hexdigest()[:12]}

    def _pick(self, indices: tf.Tensor) -> Any:
        images = self._pick_images(indices)
        return images if self._labels is None else (images, tf.gather(self._labels, indices))

    def _pick_images(self, indices: tf.Tensor) -> tf.Tensor:
        return to_float(tf.gather(self._images, indices))
