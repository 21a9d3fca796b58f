"""Penalties that flatten the discriminator: on the data, on the fakes, or in between."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfgan_stab.game.penalties.contract import checked_interval, checked_weight
from tfgan_stab.game.penalties.of_discriminator import OfDiscriminator, OnTheWay, between
from tfgan_stab.game.penalties.scene import Scene, squared_norms
from tfgan_stab.game.players import Players


@dataclasses.dataclass(frozen=True)
class R1(OfDiscriminator):
    """The discriminator pays for its slope at the data, so that it is flat where they are.

    With the discriminator's output D, added to its own loss at every evaluation of the field::

        weight / 2 * mean over the reals x of |d D(x) / d x|^2

    Args:
        weight: How much, a number >= 0. The paper's gamma; 10 is a common choice.
        interval: Rounds from one payment to the next, an integer >= 1. A larger one pays `interval`
            times as much every so many rounds ("lazy"), for less time in all. What logs show is the
            mean over all rounds.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.R1(weight=10.0).interval
        1

    Source: Mescheder et al. 2018, arXiv 1801.04406, equation 9 (number from memory); lazy: Karras
        et al. 2020 (StyleGAN2), arXiv 1912.04958, appendix B (from memory).
    Departures: the slope is of the raw output, as in the authors' code. Lazy payment does not
        change the optimizer's settings, as StyleGAN2 does. Under mixed precision the slope itself
        has half precision, its square and all sums have float32. Where batch normalization makes
        outputs depend on the other examples, their part is in the slope too.
    """

    weight: float = 10.0
    interval: int = 1

    _where = "reals"

    def __post_init__(self) -> None:
        checked_weight(self.weight)
        checked_interval(self.interval)

    @property
    def looks_at(self) -> tuple[str, ...]:
        """The examples whose slopes it needs."""
        return (self._where,)

    def draw(self, count: Any, example_shape: Any, latent_shape: Any, key: tf.Tensor) -> tuple:
        """Draws nothing."""
        return ()

    def terms(self, scene: Scene, draws: Any) -> Players:
        """Returns what the discriminator pays."""
        norms = squared_norms(scene.slopes_at(self._where))
        return Players(None, self.weight / 2.0 * tf.reduce_mean(norms))


@dataclasses.dataclass(frozen=True)
class R2(R1):
    """The discriminator pays for its slope at the fakes: `R1` on the generator's side.

    With the discriminator's output D, added to its own loss at every evaluation of the field::

        weight / 2 * mean over the fakes y of |d D(y) / d y|^2

    Args:
        weight: How much, a number >= 0. The paper's gamma.
        interval: Rounds from one payment to the next, an integer >= 1; see `R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.R2(weight=10.0, interval=16).weight
        10.0

    Source: Mescheder et al. 2018, arXiv 1801.04406, equation 10 (number from memory).
    Departures: as for `R1`.
    """

    _where = "fakes"


@dataclasses.dataclass(frozen=True)
class ZeroCenteredGradientPenalty(OnTheWay):
    """The discriminator pays for its slope between data and fakes.

    With the discriminator's output D, u uniform in [0, 1] and x + u (y - x) on the way from a real
    x to a fake y, added to its own loss at every evaluation of the field::

        weight * mean of |d D(x + u (y - x)) / d (x + u (y - x))|^2

    Args:
        weight: How much, a number >= 0. The paper's lambda.
        interval: Rounds from one payment to the next, an integer >= 1; see `R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.ZeroCenteredGradientPenalty(10.0).looks_at
        ()

    Source: Thanh-Tung et al. 2019, arXiv 1902.03984 (its 0-GP; from memory).
    Departures: no factor 1/2, unlike `R1`, as in the paper.
    """

    weight: float = 10.0
    interval: int = 1

    def __post_init__(self) -> None:
        checked_weight(self.weight)
        checked_interval(self.interval)

    def terms(self, scene: Scene, draws: tf.Tensor) -> Players:
        """Returns what the discriminator pays."""
        norms = squared_norms(scene.slopes(between(scene.reals, scene.fakes, draws)))
        return Players(None, self.weight * tf.reduce_mean(norms))
