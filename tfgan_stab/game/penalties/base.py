"""The two kinds of penalties, as base classes to derive from, and the checks they share.

A loss penalty is a term of a player's own loss, made from the discriminator's outputs or from their
gradients along the images. It is part of the field wherever the field is evaluated.

A weight-gradient penalty is a number P(g), quadratic in the gradients g of the players' losses
along their weights. Its players minimise P too, which takes a second derivative. Given how P
changes with g, its cotangents c = d P / d g, the game does the rest, on one replica or on many: the
vector-Jacobian product of c with g.
"""

import abc
import collections
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.functional import Minibatch, NetworksAt
from tfgan_stab.game.players import BOTH, Players

EVALUATION, OUTSIDE, FIRST_STAGE = "evaluation", "outside", "first_stage"


class PenaltyContext:
    """What a loss penalty may use: both networks at the point of evaluation, and their images.

    Attributes:
        real_images: float `[batch, ...]`, before they are augmented.
        fake_images: The same shape, generated from the minibatch's latents.
        latents: float `[batch, latents]`.
        conditions: `[batch, ...]`, which the real images are of; `None` for an unconditional pair.
        fake_conditions: `[batch, ...]`, which the fake images are of: the same ones, unless
            `compile` got `fake_labels`.
        real_logits: `[batch, ...]`, or `None` where only the generator's gradient is wanted.
        fake_logits: `[batch, ...]`.

    Args:
        networks: Both networks at the point of evaluation.
        minibatch: The data and noise.
        fake_images: What the generator makes of the noise.
        logits: The discriminator's outputs, under "real" and "fake".
        input_gradients: Their gradients along the images, where they are known already.
    """

    def __init__(
        self,
        networks: NetworksAt,
        minibatch: Minibatch,
        fake_images: tf.Tensor,
        logits: Mapping[str, tf.Tensor],
        input_gradients: Mapping[str, tf.Tensor],
    ):
        self._networks = networks
        self._input_gradients = dict(input_gradients)
        self.real_images, self.fake_images = minibatch.real_images, fake_images
        self.latents, self.conditions = minibatch.latents, minibatch.labels
        own = minibatch.fake_labels
        self.fake_conditions = self.conditions if own is None else own
        self.real_logits, self.fake_logits = logits.get("real"), logits["fake"]

    def logits(self, images: tf.Tensor, which: str = "real") -> tf.Tensor:
        """Returns the discriminator's outputs for other images of the same conditions.

        Args:
            images: float `[batch, ...]`.
            which: Whose conditions and augmentation they get, those of the "real" or of the "fake"
                images.
        """
        return self._networks.discriminate(images, which).values

    def generate(self, latents: tf.Tensor, conditions: tf.Tensor | None = None) -> tf.Tensor:
        """Returns images for other latents, of the fake images' conditions or of others."""
        return self._networks.generate(latents, conditions).values

    def input_gradients(self, images: tf.Tensor, which: str = "real") -> tf.Tensor:
        """Returns the gradient of the discriminator's output along each image.

        Args:
            images: float `[batch, ...]`.
            which: Whose conditions and augmentation they get, as for `logits`.

        Returns:
            The same shape, `d D(x) / d x` for each x; several outputs per image are summed.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits = self.logits(images, which)
        return tape.gradient(logits, images, unconnected_gradients="zero")

    def input_gradients_at(self, which: str) -> tf.Tensor:
        """Returns the gradient along the "real" or the "fake" images, computed at most once."""
        if which not in self._input_gradients:
            images = self.real_images if which == "real" else self.fake_images
            self._input_gradients[which] = self.input_gradients(images, which)
        return self._input_gradients[which]


class Penalty(Serializable):
    """What both kinds have in common. Subclasses are frozen dataclasses: their fields are settings.

    Derive from `LossPenalty` or `WeightGradientPenalty`.
    """

    @property
    def players(self) -> tuple[str, ...]:
        """Names of the players who minimise it."""
        return ("discriminator",)

    def check_images(self, image_shape: Sequence[int | None]) -> None:
        """Raises ValueError if the penalty cannot be used with images of such a shape."""


class LossPenalty(Penalty, abc.ABC):
    """A term of the players' losses. Derive from it to write your own."""

    @property
    def interval(self) -> int:
        """It is added every so many steps, `interval` times as large ("lazy")."""
        return 1

    @property
    def input_gradients_of(self) -> tuple[str, ...]:
        """Which images' input gradients it uses, of "real" and "fake".

        They are then taken from the pass that the losses make anyway.
        """
        return ()

    def noise(
        self, count: Any, image_shape: Sequence, latent_shape: Sequence, key: tf.Tensor
    ) -> Any:
        """Returns this penalty's noise for a minibatch: nested tensors `[count, ...]`, or `()`.

        Args:
            count: The images of all replicas.
            image_shape: Shape of one image.
            latent_shape: Shape of one latent.
            key: int32 `[2]`, for `tf.random.stateless_*`.
        """
        del count, image_shape, latent_shape, key
        return ()

    @abc.abstractmethod
    def terms(self, context: PenaltyContext, noise: Any) -> Players:
        """Returns each player's term, weight included, scalars; `None` for a player without one.

        Args:
            context: The evaluation.
            noise: This replica's rows of what `noise` returned.
        """


class WeightGradientPenalty(Penalty, abc.ABC):
    """A penalty on the gradients along the players' weights. Derive from it to write your own."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the players whose gradients it is made from."""
        return BOTH

    @property
    def placement(self) -> str:
        """Where in a step it is added.

        "evaluation": to every evaluation of the field. Otherwise it is computed once per step, at
        the starting weights, on the first minibatch, and added to what the players' optimizers get
        in their first update ("outside") or to the first evaluation ("first_stage").
        """
        return OUTSIDE

    @abc.abstractmethod
    def cotangents(self, gradients: Players) -> Players:
        """Returns the derivative of `weight * P` with respect to the gradients.

        Args:
            gradients: `Players` of nested tensors, means over replicas; `None` for a player whose
                gradients are not measured.

        Returns:
            The same structure.
        """

    def value(self, gradients: Players, cotangents: Players) -> tf.Tensor:
        """Returns `weight * P`, a float64 scalar: as P is quadratic, half of `<dP/dg, g>`."""
        pairs = zip(tf.nest.flatten(cotangents), tf.nest.flatten(gradients), strict=True)
        terms = [tf.reduce_sum(tf.cast(c, g.dtype) * g) for c, g in pairs if g is not None]
        return tf.add_n([tf.cast(term, tf.float64) for term in terms]) / 2


def check_weight(weight: Any, name: str = "weight") -> None:
    """Raises ValueError unless a penalty's weight is a finite number >= 0."""
    validation.number(
        name,
        weight,
        least=0,
        fix="Penalties are minimised: a negative weight would reward what they punish.",
    )


def check_interval(interval: Any) -> None:
    """Raises ValueError unless an interval is a number of steps."""
    validation.integer(
        "interval",
        interval,
        unit="steps",
        fix="Use 1 to add the penalty in each step, 16 for lazy regularization.",
    )


def check_penalties(penalties: Any, image_shape: Sequence) -> tuple[Any, ...]:
    """Returns the penalties that `compile` got.

    Args:
        penalties: A sequence of penalties, or `None`.
        image_shape: Shape of one image.

    Raises:
        TypeError: If it is no sequence of penalties.
        ValueError: If one of them cannot be used with such images.
    """
    if penalties is None:
        return ()
    kinds = (LossPenalty, WeightGradientPenalty)
    if not isinstance(penalties, (list, tuple)) or not all(
        isinstance(each, kinds) for each in penalties
    ):
        raise TypeError(
            "`penalties` must be a list such as [tgs.R1(10.0)], your own derived from "
            f"tgs.game.penalties.LossPenalty or WeightGradientPenalty. Received: {penalties!r}."
        )
    for each in penalties:
        each.check_images(image_shape)
    return tuple(penalties)


def loss_penalties(penalties: Sequence[Penalty]) -> tuple[LossPenalty, ...]:
    """Returns those of the penalties that are terms of losses."""
    return tuple(each for each in penalties if isinstance(each, LossPenalty))


# Where words begin in a class's name: before the last capital of several, and after a small letter.
WORDS = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"


def names_of(penalties: Sequence[Penalty]) -> list[str]:
    """Returns what each penalty is called in logs: its class, and a number where one comes again.

    Example:
        >>> import tfgan_stab as tgs
        >>> names_of([tgs.Consensus(0.1), tgs.GeneratorGradientNorm(0.1), tgs.Consensus(0.2)])
        ['consensus', 'generator_gradient_norm', 'consensus_2']
    """
    names: list[str] = []
    known: collections.Counter[str] = collections.Counter()
    for penalty in penalties:
        name = re.sub(WORDS, "_", type(penalty).__name__).lower()
        known[name] += 1
        names.append(name if known[name] == 1 else f"{name}_{known[name]}")
    return names


def check_names(names: Sequence[str], taken: Sequence[str]) -> None:
    """Raises if a penalty would be called like something else that logs show.

    Args:
        names: What the penalties are called.
        taken: What else logs show.

    Raises:
        ValueError: If one is taken.
    """
    for name in names:
        if name in taken or name.startswith("val_") or names.count(name) > 1:
            raise ValueError(
                f"Logs show each penalty under its class's name, which must be free. Received: "
                f"{name!r}, which logs show already. Give the penalty's class another name."
            )
