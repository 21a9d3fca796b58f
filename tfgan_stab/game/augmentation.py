"""Differentiable augmentation: a random change of every image that the discriminator sees.

With changes T, drawn anew for each image, the game is played with `D(T(x))` and `D(T(G(z)))`, in
the losses of both players and in all penalties. So the discriminator cannot learn a small data set
by heart, and as every change has a derivative, the generator learns through it to make images as
they are before the change.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.random import uniform
from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.image_changes import Change, Color, Cutout, Translation
from tfgan_stab.game.losses import AdversarialLoss

__all__ = [
    "Adaptive",
    "Augmentation",
    "Change",
    "Color",
    "Cutout",
    "Translation",
]


class AugmentationNoise(NamedTuple):
    """What the changes of a minibatch's images are made from.

    Attributes:
        real: float `[batch, numbers]` in [0, 1), for the real images.
        fake: The same for the fake ones.
        probability: How probable each change is, a number or a float32 scalar.
    """

    real: tf.Tensor
    fake: tf.Tensor
    probability: Any


PROBABILITY = "augmentation_probability"  # What logs call an adaptive one's.
DEFAULT = (Color(), Translation(), Cutout())


@dataclasses.dataclass(frozen=True)
class Augmentation(Serializable):
    """Changes each image that the discriminator sees, real or fake, in both players' losses.

    Each image gets each change, in their order, with a probability p of its own, so that with a p
    below 1 most kinds of images are seen unchanged too, and changes do not leak into what the
    generator makes. Samples, scores and averages know nothing of it.

    Penalties act on the discriminator as it is in the losses, changes included: `R1` squares the
    gradient of D(T(x)) along x, as ADA's code does, at the same changed images as the loss. At
    points between a real and a fake image, T is the real one's.

    Random numbers follow from the seed, the step, the minibatch and whether an image is real: a
    resumed run repeats them, and N replicas draw what one would have drawn.

    Args:
        changes: What is done to an image, in this order: a sequence of `tgs.augment.Color()`,
            `Translation()`, `Cutout()`, or your own, derived from `tgs.augment.Change`.
        probability: p, a number in (0, 1].

    Raises:
        TypeError: If `changes` is no sequence of changes.
        ValueError: If it is empty, or the probability out of range.

    Example:
        >>> Augmentation([Translation(), Cutout()]).numbers
        6

    Source: Zhao et al. 2020 (DiffAugment), arXiv 2006.10738: p = 1; Karras et al. 2020 (ADA),
        arXiv 2006.06676, section 2.2 (number from memory): other p.
    Departures: ADA's geometric changes by parts of a pixel, which need resampling, are left out.
    """

    changes: Sequence[Change] = DEFAULT
    probability: float = 1.0

    def __post_init__(self) -> None:
        changes = self.changes
        if not isinstance(changes, (list, tuple)) or not all(
            isinstance(change, Change) for change in changes
        ):
            raise TypeError(
                "`changes` must be a list such as [tgs.augment.Translation(), "
                "tgs.augment.Cutout()], your own derived from tgs.augment.Change. Received: "
                f"{changes!r}."
            )
        if not changes:
            raise ValueError(
                "`changes` must be one or more. Received: none. Leave `augment` out, or use "
                "[tgs.augment.Translation()]."
            )
        object.__setattr__(self, "changes", tuple(changes))
        self._check_probability()

    def _check_probability(self) -> None:
        fix = "Use 1.0 to change every image."
        validation.number("probability", self.probability, above=0, most=1, fix=fix)

    @property
    def numbers(self) -> int:
        """How many uniform numbers an image's changes are made from: one more for each choice."""
        return sum(1 + change.numbers for change in self.changes)

    def noise(self, count: Any, key: tf.Tensor) -> tf.Tensor:
        """Returns the random numbers for images, float32 `[count, numbers]`.

        Args:
            count: The images of all replicas.
            key: int32 `[2]`.
        """
        return uniform([count, self.numbers], key)

    def __call__(self, images: tf.Tensor, noise: tf.Tensor, probability: Any = 1.0) -> tf.Tensor:
        """Returns changed images.

        Args:
            images: float `[batch, height, width, channels]`.
            noise: float `[batch, numbers]`, uniform in [0, 1).
            probability: How probable each change is, a number or a scalar.
        """
        for change in self.changes:
            own, noise = noise[:, : 1 + change.numbers], noise[:, 1 + change.numbers :]
            changed = change(images, own[:, 1:])
            if not isinstance(probability, float) or probability < 1.0:
                chosen = own[:, 0] < tf.cast(probability, own.dtype)
                changed = tf.where(tf.reshape(chosen, [-1, 1, 1, 1]), changed, images)
            images = changed
        return images

    def apply(self, noise: AugmentationNoise, images: tf.Tensor, which: str) -> tf.Tensor:
        """Returns a minibatch's "real" or "fake" images as the discriminator sees them."""
        return self(images, getattr(noise, which), noise.probability)

    def init(self) -> Any:
        """Returns what is remembered from step to step before the first one."""
        return ()

    def probability_at(self, state: Any) -> Any:
        """Returns how probable each change is now."""
        del state
        return float(self.probability)

    def check_loss(self, loss: AdversarialLoss) -> None:
        """Raises ValueError if it cannot be used with a loss."""


@dataclasses.dataclass(frozen=True)
class Adaptive(Augmentation):
    """An `Augmentation` whose probability follows how sure the discriminator is of real images.

    Every `interval` steps, with r the mean of sign(D(x)) over the real images since, which tends to
    1 as the discriminator learns the data by heart::

        p <- p + sign(r - target) (images since) / images,    in [0, 1]

    It is part of checkpoints and equal on all replicas; logs show `augmentation_probability`.

    Args:
        changes: As in `Augmentation`.
        probability: p at the start, a number in [0, 1].
        target: r as it should be, a number in (-1, 1). The paper's 0.6; 0.6 means that 80 % of the
            real images are taken for such.
        interval: Steps from one adjustment to the next, an integer >= 1. The paper's 4.
        images: Real images, of all minibatches, in which p can go from 0 to 1, a number > 0: the
            paper's 500,000.

    Raises:
        TypeError: If `changes` is no sequence of changes.
        ValueError: If an argument is out of range, or in `compile` the loss has no boundary between
            real and fake.

    Example:
        >>> rule = Adaptive(interval=1, images=1000)
        >>> state = rule.adapted(rule.init(), accuracy=1.0, images=50, steps=1)
        >>> round(float(rule.probability_at(state)), 3)
        0.05

    Source: Karras et al. 2020 (ADA), arXiv 2006.06676, section 3 (number from memory), and its
        code.
    Departures: p ends at 1, where ADA's may grow on; r is of the first evaluation of each step, and
        an output exactly on the boundary counts as -1, not 0.
    """

    probability: float = 0.0
    target: float = 0.6
    interval: int = 4
    images: float = 500_000

    def __post_init__(self) -> None:
        super().__post_init__()
        fix = "Use 0.6: the discriminator is right about 80 % of the real images."
        validation.number("target", self.target, above=-1, below=1, fix=fix)
        validation.integer("interval", self.interval, unit="steps", fix="Use 4.")
        validation.number("images", self.images, above=0, unit="images", fix="Use 500_000.")

    def _check_probability(self) -> None:
        fix = "It is where p starts. Use 0.0."
        validation.number("probability", self.probability, least=0, most=1, fix=fix)

    def init(self) -> tf.Tensor:
        """Returns p, and the sum of signs and the number of images since it was adjusted."""
        return tf.constant([self.probability, 0.0, 0.0])

    def probability_at(self, state: tf.Tensor) -> tf.Tensor:
        """Returns p, a float32 scalar."""
        return state[0]

    def adapted(self, state: tf.Tensor, accuracy: Any, images: Any, steps: Any) -> tf.Tensor:
        """Returns what is remembered after a step.

        Args:
            state: What is remembered.
            accuracy: The share of the step's real images that are taken for such.
            images: How many there were, of all minibatches on all replicas.
            steps: Steps done, this one included.
        """
        p, signs, seen = tf.unstack(state)
        images = tf.cast(images, tf.float32)
        signs, seen = signs + (2.0 * accuracy - 1.0) * images, seen + images
        moved = p + tf.sign(signs / seen - self.target) * seen / self.images
        adjusted = tf.stack([tf.clip_by_value(moved, 0.0, 1.0), 0.0, 0.0])
        return tf.where(tf.equal(steps % self.interval, 0), adjusted, tf.stack([p, signs, seen]))

    def check_loss(self, loss: AdversarialLoss) -> None:
        """Raises ValueError if the sign of an output says nothing."""
        if loss.boundary is None:
            raise ValueError(
                "Adaptive augmentation follows the sign of the discriminator's output on real "
                "images, and expects a loss with a boundary between real and fake. Received: "
                f"{loss.name!r}, which has none. Use tgs.augment.Augmentation(probability=0.5), or "
                "loss='non_saturating'."
            )


def check_augmentation(
    rule: Any, image_shape: Sequence[int | None], loss: AdversarialLoss
) -> Augmentation | None:
    """Returns the augmentation that `compile` got.

    Args:
        rule: An augmentation, or `None`.
        image_shape: Shape of one image.
        loss: What the players minimise.

    Raises:
        TypeError: If it is no augmentation.
        ValueError: If it cannot be used with such images or with the loss.
    """
    if rule is None:
        return None
    if not isinstance(rule, Augmentation):
        raise TypeError(
            "`augment` must be a tgs.augment.Augmentation(...), a tgs.augment.Adaptive(...) or "
            f"None. Received: {rule!r}. Use tgs.augment.Augmentation([tgs.augment.Translation()])."
        )
    if len(image_shape) != 3:
        raise ValueError(
            "Augmentation needs images, [height, width, channels] each. Received: examples of "
            f"shape {list(image_shape)}. Leave `augment` out."
        )
    for change in rule.changes:
        change.check_images(image_shape)
    rule.check_loss(loss)
    return rule


def __dir__() -> list[str]:
    return sorted(__all__)
