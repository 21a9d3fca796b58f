"""What one evaluation of the field is computed on."""

from typing import Any, NamedTuple

import tensorflow as tf


class Batch(NamedTuple):
    """One minibatch and all the chance that belongs to it: the field is a pure function of both.

    Attributes:
        reals: float `[batch, ...]`, the data.
        labels: int32 `[batch]`, the classes, or `None` for an unconditional pair. The fakes are
            made for the same classes.
        latents: float `[batch, latents]`, the generator's noise.
        draws: For each loss penalty, in order, nested tensors `[batch, ...]`: its own noise.
        due: For each loss penalty, in order, whether this step pays it: for the field a Python
            boolean; before that, a boolean scalar where it depends on the step.
        kept: int32 scalar, how many of the fakes the generator learns from; `None` for all.
        fake_weights: float `[batch]`, what each fake counts for in the generator's loss, where
            that is decided outside; `None` elsewhere.
    """

    reals: tf.Tensor
    labels: tf.Tensor | None
    latents: tf.Tensor
    draws: tuple = ()
    due: tuple = ()
    kept: tf.Tensor | None = None
    fake_weights: tf.Tensor | None = None

    def without_penalties(self) -> "Batch":
        """Returns the batch as it is for the losses alone: no loss penalty is due."""
        return self._replace(due=(False,) * len(self.due))

    def every_second(self, first: int) -> "Batch":
        """Returns the even (first 0) or odd (first 1) rows."""

        def rows(values: Any) -> Any:
            return tf.nest.map_structure(lambda v: None if v is None else v[first::2], values)

        return Batch(
            rows(self.reals),
            rows(self.labels),
            rows(self.latents),
            rows(self.draws),
            self.due,
            # Never fewer than one, and all where all were kept.
            None if self.kept is None else (self.kept + 1) // 2,
            rows(self.fake_weights),
        )
