"""Small changes of an image that leave what it shows the same."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab._utils.random import normal, uniform
from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.penalties.base import Scene, checked_interval, checked_positive, checked_weight
from tfgan_stab.game.players import Players

# How many random numbers each example gets.
DRAWS = 8


@dataclasses.dataclass(frozen=True)
class FlipAndShift(Serializable):
    """Mirrors half of the images, and shifts each a little, with mirrored borders.

    Args:
        reach: How far at most, a part of the side in [0, 0.5].
        flip: Whether to mirror left and right at all: not for digits or letters.

    Raises:
        ValueError: If `reach` is out of range.

    Example:
        >>> images, draws = tf.zeros([4, 8, 8, 1]), tf.zeros([4, DRAWS])
        >>> FlipAndShift()(images, draws).shape
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

    def check_examples(self, example_shape: Sequence) -> None:
        """Raises ValueError if examples of such a shape are no images."""
        if len(example_shape) != 3:
            raise ValueError(
                "Flips and shifts need images, [height, width, channels] each. Received: examples "
                f"of shape {list(example_shape)}. Give ConsistencyRegularization(augment=...) a "
                "function of your own, (examples, draws) -> examples."
            )

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Returns changed images.

        Args:
            images: float `[batch, height, width, channels]`.
            draws: float `[batch, 8]`, uniform in [0, 1): what each image's change is made from.

        Raises:
            ValueError: If the examples are no images.
        """
        self.check_examples(images.shape[1:])
        if self.flip:
            mirror = tf.reshape(draws[:, 0] < 0.5, [-1, 1, 1, 1])
            images = tf.where(mirror, tf.reverse(images, axis=[2]), images)
        for axis in (1, 2):
            side = images.shape[axis]
            places = _shifted(side, int(self.reach * side), draws[:, axis])
            images = tf.gather(images, places, axis=axis, batch_dims=1)
        return images


def _shifted(side: int, most: int, draws: tf.Tensor) -> tf.Tensor:
    """Returns which pixel goes where along an axis, int32 `[batch, side]`, mirrored at borders."""
    shift = tf.cast(tf.floor(draws * (2 * most + 1)), tf.int32) - most
    places = tf.abs(tf.range(side)[None] + shift[:, None])
    return tf.minimum(places, 2 * (side - 1) - places)


# DOC: """The discriminator is to answer alike for examples that show the same."""
#


@dataclasses.dataclass(frozen=True)
class ConsistencyRegularization(Serializable):
    """The discriminator pays for changing its mind when an example changes a little.

    With the discriminator's output D, an augmentation T and noise e, added to the players' own
    losses at every evaluation of the field::

        discriminator:    weight            mean (D(x)    - D(T(x)))^2         over the reals (CR)
                        + fakes_weight      mean (D(G(z)) - D(T(G(z))))^2      balanced (bCR)
                        + latents_weight    mean (D(G(z)) - D(G(z + e)))^2     latent (zCR)
        generator:      - generator_weight  mean (G(z)    - G(z + e))^2        latent (zCR)

    Args:
        weight: For reals, a number >= 0. The paper's lambda, their lambda_real; 10 in both.
        fakes_weight: For fakes, a number >= 0. Their lambda_fake; 10 for bCR (from memory).
        latents_weight: For noise, a number >= 0. Their lambda_dis; 5 (from memory).
        generator_weight: How much the generator is paid for fakes that do move with the noise, a
            number >= 0. Their lambda_gen; 0.5 (from memory).
        spread: Standard deviation of e, a number > 0. Their sigma; 0.03 (from memory).
        augment: T, a function `(examples [batch, ...], draws [batch, 8]) -> examples`, with random
            numbers in [0, 1) to be random with; mirrors and shifts images unless given.
        interval: Steps from one payment to the next, an integer >= 1; see `tgs.R1`.

    Raises:
        ValueError: If an argument is out of range, or all weights are 0.
        TypeError: If `augment` is no function.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.ConsistencyRegularization(10.0, fakes_weight=10.0).payers
        ('discriminator',)

    Source: Zhang et al. 2020 (CR-GAN), arXiv 1910.12027; Zhao et al. 2021 (bCR, zCR, ICR), arXiv
        2002.04724 (both from memory).
    Departures: the generator's term is a mean over the fakes' entries. Outputs are the raw ones.
    """

    weight: float = 10.0
    fakes_weight: float = 0.0
    latents_weight: float = 0.0
    generator_weight: float = 0.0
    spread: float = 0.03
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = FlipAndShift()
    interval: int = 1

    def __post_init__(self) -> None:
        names = ("weight", "fakes_weight", "latents_weight", "generator_weight")
        for name in names:
            checked_weight(getattr(self, name), name)
        if not any(getattr(self, name) for name in names):
            raise ValueError(
                "ConsistencyRegularization needs a weight > 0. Received: 0 for all four. Use "
                "weight=10.0, or leave it out."
            )
        checked_positive("spread", self.spread)
        if not callable(self.augment) or isinstance(self.augment, type):
            raise TypeError(
                "`augment` must be a function (examples, draws) -> examples. Received: "
                f"{self.augment!r}."
            )
        checked_interval(self.interval)

    @property
    def payers(self) -> tuple[str, ...]:
        """The discriminator, and the generator where its term has a weight."""
        pays = self.weight or self.fakes_weight or self.latents_weight
        discriminator = ("discriminator",) if pays else ()
        return (*(("generator",) if self.generator_weight else ()), *discriminator)

    @property
    def input_gradients_of(self) -> tuple[str, ...]:
        """No slopes at all."""
        return ()

    def check_examples(self, example_shape: Sequence) -> None:
        """Raises ValueError if the augmentation is ours and wants examples of another shape."""
        if isinstance(self.augment, FlipAndShift) and (self.weight or self.fakes_weight):
            self.augment.check_examples(example_shape)

    def draw(self, count: Any, example_shape: Any, latent_shape: Any, key: tf.Tensor) -> tuple:
        """Draws what both augmentations and the moved noise are made from."""
        seeds = tf.unstack(tf.random.experimental.stateless_split(key, 3, alg="philox"))
        first, second = (uniform([count, DRAWS], seed) for seed in seeds[:2])
        return first, second, normal(count, math.prod(latent_shape), seeds[2])

    def terms(self, scene: Scene, draws: tuple) -> Players:
        """Returns what both players pay."""
        discriminator, generator = [], None
        if self.weight and scene.real_logits is not None:
            other = scene.logits(self.augment(scene.reals, draws[0]))
            discriminator.append(self.weight * _difference(scene.real_logits, other))
        if self.fakes_weight:
            other = scene.logits(self.augment(scene.fakes, draws[1]))
            discriminator.append(self.fakes_weight * _difference(scene.fake_logits, other))
        if self.latents_weight or self.generator_weight:
            step = tf.reshape(self.spread * draws[2], tf.shape(scene.latents))
            moved = scene.generate(scene.latents + tf.cast(step, scene.latents.dtype))
            if self.latents_weight:
                other = scene.logits(moved)
                discriminator.append(self.latents_weight * _difference(scene.fake_logits, other))
            if self.generator_weight:
                generator = -self.generator_weight * _difference(scene.fakes, moved)
        return Players(generator, tf.add_n(discriminator) if discriminator else None)


def _difference(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    exact = tf.float32 if one.dtype.size < 4 else one.dtype
    return tf.reduce_mean(tf.square(tf.cast(one, exact) - tf.cast(other, exact)))
