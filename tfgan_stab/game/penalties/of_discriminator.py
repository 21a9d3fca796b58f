"""What penalties that only the discriminator pays have in common."""

from typing import Any

import tensorflow as tf

from tfgan_stab.data.randomness import uniform
from tfgan_stab.game.penalties.scene import per_example
from tfgan_stab.serializing import Serializable


class OfDiscriminator(Serializable):
    """A penalty that the discriminator pays, for its slopes at points of the penalty's own."""

    @property
    def payers(self) -> tuple[str, ...]:
        """The discriminator."""
        return ("discriminator",)

    @property
    def looks_at(self) -> tuple[str, ...]:
        """Neither reals nor fakes themselves."""
        return ()


class OnTheWay(OfDiscriminator):
    """One whose points lie between a real and a fake."""

    def draw(self, count: Any, example_shape: Any, latent_shape: Any, key: tf.Tensor) -> tf.Tensor:
        """Draws how far each example lies on its way, float `[count]`."""
        return uniform([count], key)


def between(reals: tf.Tensor, fakes: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Returns points on the way from each real to its fake, float `[batch, ...]`.

    Args:
        reals: float `[batch, ...]`.
        fakes: The same shape.
        shares: float `[batch]` in [0, 1], how far they lie.
    """
    fakes = tf.cast(fakes, reals.dtype)
    return reals + per_example(shares, reals) * (fakes - reals)
