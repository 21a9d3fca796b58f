"""Whether top-k's floor fits the batches that `fit` is given: above them it would keep all."""

from typing import Any

import keras
import tensorflow as tf

from tfgan_stab.training.minibatches import is_ours


def check_floor(gan: Any, x: Any, batch_size: int | None = None) -> None:
    """Raises ValueError if data are known to come in minibatches smaller than top-k's floor.

    Args:
        gan: A compiled GAN.
        x: What `fit` got; of other than arrays and data sets nothing is known beforehand.
        batch_size: What `fit` got, for arrays.
    """
    rows = _rows(x, batch_size)
    if gan.top_k is not None and rows is not None:
        # A data set of tgs.data gives each part of a step a batch; others are split.
        gan.top_k.check_batch(rows if is_ours(x) else rows // gan.scheme.minibatches)


class CheckFloor(keras.callbacks.Callback):
    """Does the same after the first step, for data that do not say how large their batches are.

    Raises:
        ValueError: If the first steps' batches were smaller than the floor.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        """Notes whether the first step is still to come: of an epoch's last, nothing follows."""
        self._due = self.model.top_k is not None and not self.model.steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks once at how large batches were."""
        if self._due:
            self._due = False
            # One call may do several steps; if only the last is smaller, the others are not more.
            batches = max(1, self.model.steps - 1) * self.model.scheme.minibatches
            self.model.top_k.check_batch(self.model.images_seen // batches)


def _rows(x: Any, batch_size: int | None) -> int | None:
    """Returns the rows of a batch, the first of them where they differ; `None` if not known."""
    if is_ours(x):
        return x.batch_size
    if isinstance(x, tf.data.Dataset):
        first = tf.nest.flatten(x.element_spec)[0]
        shape = getattr(first, "shape", None)
        return shape[0] if shape is not None and shape.rank else None
    shape = getattr(x, "shape", None)
    return min(batch_size or 32, shape[0]) if shape else None
