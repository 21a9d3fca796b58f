"""Penalties on the discriminator's input gradient: its gradient along the images."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.random import uniform
from tfgan_stab.game.penalties.base import (
    LossPenalty,
    PenaltyContext,
    check_interval,
    check_weight,
)
from tfgan_stab.game.players import Players

# The square root has no derivative at 0; TF-GAN adds as much.
EPSILON = 1e-10


def squared_norms(gradients: tf.Tensor) -> tf.Tensor:
    """Returns the squared norm of each image's gradient, float `[batch]`, float32 or better.

    Example:
        >>> squared_norms(tf.constant([[[3.0], [4.0]], [[0.0], [1.0]]])).numpy().tolist()
        [25.0, 1.0]
    """
    exact = tf.cast(gradients, tf.float32) if gradients.dtype.size < 4 else gradients
    return tf.reduce_sum(tf.square(exact), axis=list(range(1, exact.shape.rank)))


def per_image(values: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Returns `[batch]` values as `[batch, 1, ..., 1]`, to be combined with images."""
    shape = [-1] + [1] * (like.shape.rank - 1)
    return tf.cast(tf.reshape(values, shape), like.dtype)


def between(real_images: tf.Tensor, fake_images: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Returns points between each real image and its fake one, float `[batch, ...]`.

    Args:
        real_images: float `[batch, ...]`.
        fake_images: The same shape.
        shares: float `[batch]` in [0, 1]: 0 is the real image, 1 the fake one.
    """
    fake_images = tf.cast(fake_images, real_images.dtype)
    return real_images + per_image(shares, real_images) * (fake_images - real_images)


class _BetweenRealAndFake(LossPenalty):
    """A penalty at random points between real and fake images."""

    def noise(self, count: Any, image_shape: Any, latent_shape: Any, key: tf.Tensor) -> tf.Tensor:
        """Draws where each point lies between its two images, float `[count]`."""
        return uniform([count], key)


@dataclasses.dataclass(frozen=True)
class R1(LossPenalty):
    """Penalises the discriminator's input gradient at the real images, so that it is flat there.

    With the discriminator's output D, added to its own loss at every evaluation of the field::

        weight / 2 * mean over the real images x of |d D(x) / d x|^2

    Args:
        weight: How much, a number >= 0. The paper's gamma; 10 is a common choice.
        interval: Every how many steps it is added, an integer >= 1. A larger one adds `interval`
            times as much every so many steps ("lazy"), which takes less time. Logs show the mean
            over all steps.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.R1(weight=10.0).interval
        1

    Source: Mescheder et al. 2018, arXiv 1801.04406, equation 9 (number from memory); lazy: Karras
        et al. 2020 (StyleGAN2), arXiv 1912.04958, appendix B (from memory).
    Departures: the gradient is of the raw output, as in the authors' code. Lazy penalties do not
        change the optimizer's settings, as StyleGAN2 does. Under mixed precision the gradient
        itself has half precision, its square and all sums have float32. Where batch normalization
        makes outputs depend on the other images, their part is in the gradient too.
    """

    weight: float = 10.0
    interval: int = 1

    _where = "real"

    def __post_init__(self) -> None:
        check_weight(self.weight)
        check_interval(self.interval)

    @property
    def input_gradients_of(self) -> tuple[str, ...]:
        """The images that it measures at."""
        return (self._where,)

    def terms(self, context: PenaltyContext, noise: Any) -> Players:
        """Returns the discriminator's term."""
        norms = squared_norms(context.input_gradients_at(self._where))
        return Players(None, self.weight / 2.0 * tf.reduce_mean(norms))


@dataclasses.dataclass(frozen=True)
class R2(R1):
    """Penalises the discriminator's input gradient at the fake images: `R1` on the other side.

    With the discriminator's output D, added to its own loss at every evaluation of the field::

        weight / 2 * mean over the fake images y of |d D(y) / d y|^2

    Args:
        weight: How much, a number >= 0. The paper's gamma.
        interval: Every how many steps it is added, an integer >= 1; see `R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.R2(weight=10.0, interval=16).weight
        10.0

    Source: Mescheder et al. 2018, arXiv 1801.04406, equation 10 (number from memory).
    Departures: as for `R1`.
    """

    _where = "fake"


@dataclasses.dataclass(frozen=True)
class ZeroCenteredGradientPenalty(_BetweenRealAndFake):
    """Penalises the discriminator's input gradient between real and fake images.

    With the discriminator's output D, u uniform in [0, 1] and x + u (y - x) on the way from a real
    x to a fake y, added to its own loss at every evaluation of the field::

        weight * mean of |d D(x + u (y - x)) / d (x + u (y - x))|^2

    Args:
        weight: How much, a number >= 0. The paper's lambda.
        interval: Every how many steps it is added, an integer >= 1; see `R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.ZeroCenteredGradientPenalty(10.0).input_gradients_of
        ()

    Source: Thanh-Tung et al. 2019, arXiv 1902.03984 (its 0-GP; from memory).
    Departures: no factor 1/2, unlike `R1`, as in the paper. Where fakes have labels of their own,
        points have those of their real images.
    """

    weight: float = 10.0
    interval: int = 1

    def __post_init__(self) -> None:
        check_weight(self.weight)
        check_interval(self.interval)

    def terms(self, context: PenaltyContext, noise: tf.Tensor) -> Players:
        """Returns the discriminator's term."""
        points = between(context.real_images, context.fake_images, noise)
        norms = squared_norms(context.input_gradients(points))
        return Players(None, self.weight * tf.reduce_mean(norms))


@dataclasses.dataclass(frozen=True)
class GradientPenalty(_BetweenRealAndFake):
    """WGAN-GP: pulls the norm of the discriminator's input gradient to 1 between real and fake.

    With the discriminator's output D, u uniform in [0, 1] and p = x + u (y - x) on the way from a
    real x to a fake y, added to its own loss at every evaluation of the field::

        weight * mean of (|d D(p) / d p| / target - 1)^2

    Args:
        weight: How much, a number >= 0. The paper's lambda.
        target: The norm wanted, a number > 0.
        one_sided: Whether to penalise only larger norms.
        interval: Every how many steps it is added, an integer >= 1; see `tgs.R1`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.GradientPenalty(weight=10.0, one_sided=True).target
        1.0

    Source: Gulrajani et al. 2017, arXiv 1704.00028, equation 3; one-sided: their section 4.
    Departures: 1e-10 is added under the square root and norms are divided by `target`, as in
        TF-GAN's `wasserstein_gradient_penalty`, of which this is the value. Where fakes have labels
        of their own, points have those of their real images.
    """

    weight: float = 10.0
    target: float = 1.0
    one_sided: bool = False
    interval: int = 1

    def __post_init__(self) -> None:
        _check(self.weight, self.target, self.one_sided, self.interval)

    def terms(self, context: PenaltyContext, noise: tf.Tensor) -> Players:
        """Returns the discriminator's term."""
        points = between(context.real_images, context.fake_images, noise)
        gradients = context.input_gradients(points)
        return Players(None, self.weight * _distance(gradients, self.target, self.one_sided))


@dataclasses.dataclass(frozen=True)
class Dragan(LossPenalty):
    """Pulls the norm of the discriminator's input gradient to 1 near the real images.

    With the discriminator's output D, the standard deviation s of the reals' entries, u and each
    entry of v uniform in [0, 1], p = x + u spread s v near a real x, added to its own loss at every
    evaluation of the field::

        weight * mean of (|d D(p) / d p| - 1)^2

    Args:
        weight: How much, a number >= 0. The paper's lambda.
        spread: How far around the data, a number > 0 in standard deviations of their entries.
        one_sided: Whether to penalise only norms above 1.
        interval: Every how many steps it is added, an integer >= 1; see `tgs.R1`.

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
        validation.number("spread", self.spread, above=0)

    def noise(self, count: Any, image_shape: Any, latent_shape: Any, key: tf.Tensor) -> tuple:
        """Draws how far and in which direction, float `[count]` and `[count, *image_shape]`."""
        seeds = tf.unstack(tf.random.experimental.stateless_split(key, 2, alg="philox"))
        return uniform([count], seeds[0]), uniform([count, *image_shape], seeds[1])

    def terms(self, context: PenaltyContext, noise: tuple) -> Players:
        """Returns the discriminator's term."""
        distance, direction = noise
        images = context.real_images
        reach = self.spread * tf.math.reduce_std(images)
        near = images + per_image(distance, images) * reach * tf.cast(direction, images.dtype)
        gradients = context.input_gradients(near)
        return Players(None, self.weight * _distance(gradients, 1.0, self.one_sided))


def _distance(gradients: tf.Tensor, target: float, one_sided: bool) -> tf.Tensor:
    """Returns the mean squared relative distance of the gradients' norms from the target."""
    excess = tf.sqrt(squared_norms(gradients) + EPSILON) / target - 1.0
    return tf.reduce_mean(tf.square(tf.nn.relu(excess) if one_sided else excess))


def _check(weight: Any, target: Any, one_sided: Any, interval: Any) -> None:
    check_weight(weight)
    check_interval(interval)
    validation.number("target", target, above=0)
    validation.choice("one_sided", one_sided, (True, False))
