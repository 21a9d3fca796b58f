"""Penalties that flatten the discriminator: on the data, on the fakes, or in between."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfgan_stab._utils.random import uniform
from tfgan_stab.game.penalties.base import (
    OfDiscriminator,
    OnTheWay,
    Scene,
    between,
    checked_interval,
    checked_positive,
    checked_weight,
    per_example,
    squared_norms,
)
from tfgan_stab.game.players import Players


@dataclasses.dataclass(frozen=True)
class R1(OfDiscriminator):
    """The discriminator pays for its slope at the data, so that it is flat where they are.

    With the discriminator's output D, added to its own loss at every evaluation of the field::

        weight / 2 * mean over the reals x of |d D(x) / d x|^2

    Args:
        weight: How much, a number >= 0. The paper's gamma; 10 is a common choice.
        interval: Steps from one payment to the next, an integer >= 1. A larger one pays `interval`
            times as much every so many steps ("lazy"), for less time in all. What logs show is the
            mean over all steps.

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
    def input_gradients_of(self) -> tuple[str, ...]:
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
        interval: Steps from one payment to the next, an integer >= 1; see `R1`.

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
        interval: Steps from one payment to the next, an integer >= 1; see `R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.ZeroCenteredGradientPenalty(10.0).input_gradients_of
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


# DOC: """Penalties that keep the discriminator's slope near a given steepness."""
#
# The square root has no derivative at 0; TF-GAN adds as much.
EPSILON = 1e-10


@dataclasses.dataclass(frozen=True)
class GradientPenalty(OnTheWay):
    """WGAN-GP: the discriminator's slope between data and fakes is to have the length 1.

    With the discriminator's output D, u uniform in [0, 1] and p = x + u (y - x) on the way from a
    real x to a fake y, added to its own loss at every evaluation of the field::

        weight * mean of (|d D(p) / d p| / target - 1)^2

    Args:
        weight: How much, a number >= 0. The paper's lambda.
        target: The length wanted, a number > 0.
        one_sided: Whether to punish only slopes that are longer.
        interval: Steps from one payment to the next, an integer >= 1; see `tgs.R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.GradientPenalty(weight=10.0, one_sided=True).target
        1.0

    Source: Gulrajani et al. 2017, arXiv 1704.00028, equation 3; one-sided: their section 4.
    Departures: 1e-10 is added under the square root and lengths are divided by `target`, as in
        TF-GAN's `wasserstein_gradient_penalty`, of which this is the value.
    """

    weight: float = 10.0
    target: float = 1.0
    one_sided: bool = False
    interval: int = 1

    def __post_init__(self) -> None:
        _check(self.weight, self.target, self.one_sided, self.interval)

    def terms(self, scene: Scene, draws: tf.Tensor) -> Players:
        """Returns what the discriminator pays."""
        slopes = scene.slopes(between(scene.reals, scene.fakes, draws))
        return Players(None, self.weight * _distance(slopes, self.target, self.one_sided))


@dataclasses.dataclass(frozen=True)
class Dragan(OfDiscriminator):
    """The discriminator's slope near the data is to have the length 1.

    With the discriminator's output D, the standard deviation s of the reals' entries, u and each
    entry of v uniform in [0, 1], p = x + u spread s v near a real x, added to its own loss at every
    evaluation of the field::

        weight * mean of (|d D(p) / d p| - 1)^2

    Args:
        weight: How much, a number >= 0. The paper's lambda.
        spread: How far around the data, a number > 0 in standard deviations of their entries.
        one_sided: Whether to punish only slopes that are longer than 1.
        interval: Steps from one payment to the next, an integer >= 1; see `tgs.R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.Dragan().spread
        0.5

    Source: Kodali et al. 2017, arXiv 1705.07215, and their code (from memory), where noise points
        one way only and the standard deviation is over all entries of the batch.
    Departures: on several replicas the standard deviation is that of each replica's share.
    """

    weight: float = 10.0
    spread: float = 0.5
    one_sided: bool = False
    interval: int = 1

    def __post_init__(self) -> None:
        _check(self.weight, 1.0, self.one_sided, self.interval)
        checked_positive("spread", self.spread)

    def draw(self, count: Any, example_shape: Any, latent_shape: Any, key: tf.Tensor) -> tuple:
        """Draws how far and in which direction, float `[count]` and `[count, *example_shape]`."""
        seeds = tf.unstack(tf.random.experimental.stateless_split(key, 2, alg="philox"))
        return uniform([count], seeds[0]), uniform([count, *example_shape], seeds[1])

    def terms(self, scene: Scene, draws: tuple) -> Players:
        """Returns what the discriminator pays."""
        far, where = draws
        reals = scene.reals
        reach = self.spread * tf.math.reduce_std(reals)
        near = reals + per_example(far, reals) * reach * tf.cast(where, reals.dtype)
        return Players(None, self.weight * _distance(scene.slopes(near), 1.0, self.one_sided))


def _distance(slopes: tf.Tensor, target: float, one_sided: bool) -> tf.Tensor:
    """Returns the mean squared relative distance of the slopes' lengths from the target."""
    excess = tf.sqrt(squared_norms(slopes) + EPSILON) / target - 1.0
    return tf.reduce_mean(tf.square(tf.nn.relu(excess) if one_sided else excess))


def _check(weight: Any, target: Any, one_sided: Any, interval: Any) -> None:
    checked_weight(weight)
    checked_interval(interval)
    checked_positive("target", target)
    if not isinstance(one_sided, bool):
        raise ValueError(f"`one_sided` must be True or False. Received: {one_sided!r}.")
