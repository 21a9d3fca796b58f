"""What a penalty on the discriminator's outputs may look at."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfgan_stab.game.batch import Batch
from tfgan_stab.game.networks_at import NetworksAt


class Scene:
    """One evaluation of the field, seen from inside: both networks at its point, and its examples.

    Attributes:
        reals: float `[batch, ...]`.
        fakes: The same, from the batch's latents.
        latents: float `[batch, latents]`.
        real_logits: `[batch, ...]`, or `None` where only the generator moves.
        fake_logits: `[batch, ...]`.

    Args:
        networks: Both networks at the evaluation's point.
        batch: Its examples and noise.
        fakes: What the generator makes of the noise.
        logits: The discriminator's outputs, under "reals" and "fakes".
        slopes: Their derivatives along the examples, where they are known already.
    """

    def __init__(
        self,
        networks: NetworksAt,
        batch: Batch,
        fakes: tf.Tensor,
        logits: Mapping[str, tf.Tensor],
        slopes: Mapping[str, tf.Tensor],
    ):
        self._networks = networks
        self._known = dict(slopes)
        self.reals, self.fakes, self.latents = batch.reals, fakes, batch.latents
        self.real_logits, self.fake_logits = logits.get("reals"), logits["fakes"]

    def logits(self, examples: tf.Tensor) -> tf.Tensor:
        """Returns the discriminator's outputs for other examples of the same classes."""
        return self._networks.discriminate(examples).values

    def generate(self, latents: tf.Tensor) -> tf.Tensor:
        """Returns the generator's examples for other latents and the same classes."""
        return self._networks.generate(latents).values

    def slopes(self, examples: tf.Tensor) -> tf.Tensor:
        """Returns the derivative of the discriminator's output along each example.

        Args:
            examples: float `[batch, ...]`.

        Returns:
            The same shape, `d D(x) / d x` for each x; several outputs per example are summed.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(examples)
            logits = self.logits(examples)
        return tape.gradient(logits, examples, unconnected_gradients="zero")

    def slopes_at(self, which: str) -> tf.Tensor:
        """Returns the derivative along the "reals" or the "fakes", computed once per evaluation."""
        if which not in self._known:
            self._known[which] = self.slopes(getattr(self, which))
        return self._known[which]


def squared_norms(slopes: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of each example's slope, float `[batch]`, float32 or better.

    Example:
        >>> squared_norms(tf.constant([[[3.0], [4.0]], [[0.0], [1.0]]])).numpy().tolist()
        [25.0, 1.0]
    """
    exact = tf.cast(slopes, tf.float32) if slopes.dtype.size < 4 else slopes
    return tf.reduce_sum(tf.square(exact), axis=list(range(1, exact.shape.rank)))


def per_example(values: tf.Tensor, like: tf.Tensor) -> Any:
    """Returns `[batch]` values as `[batch, 1, ..., 1]`, to be combined with examples."""
    shape = [-1] + [1] * (like.shape.rank - 1)
    return tf.cast(tf.reshape(values, shape), like.dtype)
