"""Penalties on differences: of answers to similar images, of fake images from real ones."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.random import normal, uniform
from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.penalties.base import (
    LossPenalty,
    PenaltyContext,
    check_interval,
    check_weight,
)
from tfgan_stab.game.players import Players

# Uniform random numbers that each image's change is made from.
NOISE_SIZE = 8


@dataclasses.dataclass(frozen=True)
class FlipAndShift(Serializable):
    """Mirrors half of the images, and shifts each a little, with mirrored borders.

    Args:
        reach: How far at most, a part of the side in [0, 0.5].
        flip: Whether to mirror left and right at all: not for digits or letters.

    Raises:
        ValueError: If `reach` is out of range.

    Example:
        >>> images, noise = tf.zeros([4, 8, 8, 1]), tf.zeros([4, NOISE_SIZE])
        >>> FlipAndShift()(images, noise).shape
        TensorShape([4, 8, 8, 1])

    Source: Zhang et al. 2020, arXiv 1910.12027, section 4 (from memory: shifts and flips).
    Departures: shifts are whole pixels.
    """

    reach: float = 0.125
    flip: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.reach, (int, float)) or not 0.0 <= self.reach <= 0.5:
            raise ValueError(
                "`reach` must be in [0, 0.5], a part of the image's side. Received: "
                f"{self.reach!r}. Use 0.125."
            )

    def check_images(self, image_shape: Sequence) -> None:
        """Raises ValueError if it is not the shape of images."""
        if len(image_shape) != 3:
            raise ValueError(
                "Flips and shifts need images, [height, width, channels] each. Received: examples "
                f"of shape {list(image_shape)}. Give ConsistencyRegularization(augment=...) a "
                "function of your own, (images, noise) -> images."
            )

    def __call__(self, images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns changed images.

        Args:
            images: float `[batch, height, width, channels]`.
            noise: float `[batch, 8]`, uniform in [0, 1): what each image's change is made from.

        Raises:
            ValueError: If the examples are no images.
        """
        self.check_images(images.shape[1:])
        if self.flip:
            mirror = tf.reshape(noise[:, 0] < 0.5, [-1, 1, 1, 1])
            images = tf.where(mirror, tf.reverse(images, axis=[2]), images)
        for axis in (1, 2):
            side = images.shape[axis]
            places = _shifted(side, int(self.reach * side), noise[:, axis])
            images = tf.gather(images, places, axis=axis, batch_dims=1)
        return images


def _shifted(side: int, most: int, noise: tf.Tensor) -> tf.Tensor:
    """Returns which pixel goes where along an axis, int32 `[batch, side]`, mirrored at borders."""
    shift = tf.cast(tf.floor(noise * (2 * most + 1)), tf.int32) - most
    places = tf.abs(tf.range(side)[None] + shift[:, None])
    return tf.minimum(places, 2 * (side - 1) - places)


@dataclasses.dataclass(frozen=True)
class ConsistencyRegularization(LossPenalty):
    """Penalises the discriminator for other outputs when an image changes a little.

    With the discriminator's output D, an augmentation T and noise e, added to the players' own
    losses at every evaluation of the field::

        discriminator:    weight              mean (D(x)    - D(T(x)))^2       over the reals (CR)
                        + fake_images_weight  mean (D(G(z)) - D(T(G(z))))^2    balanced (bCR)
                        + latents_weight      mean (D(G(z)) - D(G(z + e)))^2   latent (zCR)
        generator:      - generator_weight    mean (G(z)    - G(z + e))^2      latent (zCR)

    Args:
        weight: For reals, a number >= 0. The paper's lambda, their lambda_real; 10 in both.
        fake_images_weight: For fakes, a number >= 0. Their lambda_fake; 10 for bCR (from memory).
        latents_weight: For noise, a number >= 0. Their lambda_dis; 5 (from memory).
        generator_weight: How much the generator is rewarded for fakes that change with the noise,
            a number >= 0. Their lambda_gen; 0.5 (from memory).
        spread: Standard deviation of e, a number > 0. Their sigma; 0.03 (from memory).
        augment: T, a function `(images [batch, ...], noise [batch, 8]) -> images`, with random
            numbers in [0, 1) to be random with; mirrors and shifts images unless given.
        interval: Every how many steps it is added, an integer >= 1; see `tgs.R1`.

    Raises:
        ValueError: If an argument is out of range, or all weights are 0.
        TypeError: If `augment` is no function.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.ConsistencyRegularization(10.0, fake_images_weight=10.0).players
        ('discriminator',)

    Source: Zhang et al. 2020 (CR-GAN), arXiv 1910.12027; Zhao et al. 2021 (bCR, zCR, ICR), arXiv
        2002.04724 (both from memory).
    Departures: the generator's term is a mean over the fakes' entries. Outputs are the raw ones.
    """

    RENAMED: ClassVar[dict[str, str]] = {"fakes_weight": "fake_images_weight"}

    weight: float = 10.0
    fake_images_weight: float = 0.0
    latents_weight: float = 0.0
    generator_weight: float = 0.0
    spread: float = 0.03
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = FlipAndShift()
    interval: int = 1

    def __post_init__(self) -> None:
        names = ("weight", "fake_images_weight", "latents_weight", "generator_weight")
        for name in names:
            check_weight(getattr(self, name), name)
        if not any(getattr(self, name) for name in names):
            raise ValueError(
                "ConsistencyRegularization needs a weight > 0. Received: 0 for all four. Use "
                "weight=10.0, or leave it out."
            )
        validation.number("spread", self.spread, above=0)
        if not callable(self.augment) or isinstance(self.augment, type):
            raise TypeError(
                "`augment` must be a function (images, noise) -> images. Received: "
                f"{self.augment!r}."
            )
        check_interval(self.interval)

    @property
    def players(self) -> tuple[str, ...]:
        """The discriminator, and the generator where its term has a weight."""
        penalised = self.weight or self.fake_images_weight or self.latents_weight
        discriminator = ("discriminator",) if penalised else ()
        return (*(("generator",) if self.generator_weight else ()), *discriminator)

    def check_images(self, image_shape: Sequence) -> None:
        """Raises ValueError if the augmentation is ours and needs images of another shape."""
        if isinstance(self.augment, FlipAndShift) and (self.weight or self.fake_images_weight):
            self.augment.check_images(image_shape)

    def noise(self, count: Any, image_shape: Any, latent_shape: Any, key: tf.Tensor) -> tuple:
        """Draws what both augmentations and the shifted noise are made from."""
        seeds = tf.unstack(tf.random.experimental.stateless_split(key, 3, alg="philox"))
        first, second = (uniform([count, NOISE_SIZE], seed) for seed in seeds[:2])
        return first, second, normal(count, math.prod(latent_shape), seeds[2])

    def terms(self, context: PenaltyContext, noise: tuple) -> Players:
        """Returns both players' terms."""
        discriminator, generator = [], None
        if self.weight and context.real_logits is not None:
            other = context.logits(self.augment(context.real_images, noise[0]))
            discriminator.append(self.weight * _difference(context.real_logits, other))
        if self.fake_images_weight:
            other = context.logits(self.augment(context.fake_images, noise[1]), "fake")
            discriminator.append(self.fake_images_weight * _difference(context.fake_logits, other))
        if self.latents_weight or self.generator_weight:
            step = tf.reshape(self.spread * noise[2], tf.shape(context.latents))
            shifted = context.generate(context.latents + tf.cast(step, context.latents.dtype))
            if self.latents_weight:
                other = context.logits(shifted, "fake")
                discriminator.append(self.latents_weight * _difference(context.fake_logits, other))
            if self.generator_weight:
                generator = -self.generator_weight * _difference(context.fake_images, shifted)
        return Players(generator, tf.add_n(discriminator) if discriminator else None)


@dataclasses.dataclass(frozen=True)
class Reconstruction(LossPenalty):
    """Penalises the generator for fake images that differ from the real images of their conditions.

    With a real image x, its condition c and noise z, added to the generator's own loss at every
    evaluation of the field::

        norm="l1":    weight * mean |G(z, c) - x|
        norm="l2":    weight * mean (G(z, c) - x)^2

    means over rows and entries. It needs a conditional pair and paired data, `(images,
    conditions)`: for translation of pictures, colours of grey ones, larger ones of small ones.

    Args:
        weight: How much, a number >= 0. The paper's lambda; 100.
        norm: "l1" or "l2".

    Raises:
        ValueError: If an argument is out of range, or, in training, the pair is unconditional.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.Reconstruction(weight=100.0).players
        ('generator',)

    Source: Isola et al. 2017 (pix2pix), arXiv 1611.07004, equations 3 and 4; the L2 distance they
        name as earlier work's.
    Departures: none. The mean is over entries, as in the authors' code.
    """

    weight: float = 100.0
    norm: str = "l1"

    def __post_init__(self) -> None:
        check_weight(self.weight)
        validation.choice("norm", self.norm, ("l1", "l2"))

    @property
    def players(self) -> tuple[str, ...]:
        """The generator."""
        return ("generator",)

    def terms(self, context: PenaltyContext, noise: Any) -> Players:
        """Returns the generator's term.

        Raises:
            ValueError: If the pair is unconditional.
        """
        if context.conditions is None:
            raise ValueError(
                "Reconstruction compares the fake image of a condition with its real one, and "
                "expects networks that take conditions. Received: an unconditional pair, whose "
                "fake images belong to no real ones. Leave it out."
            )
        distance = _distance if self.norm == "l1" else _difference
        return Players(self.weight * distance(context.fake_images, context.real_images), None)


def _distance(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the mean absolute difference, float32 or better."""
    return tf.reduce_mean(tf.abs(_exact(one) - _exact(other)))


def _difference(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared difference, float32 or better."""
    return tf.reduce_mean(tf.square(_exact(one) - _exact(other)))


def _exact(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(values, tf.float32) if values.dtype.size < 4 else values
