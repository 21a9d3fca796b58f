"""The two contracts of penalties, and the checks they share.

A loss penalty is a term of a player's own loss, made from the discriminator's outputs or from their
slopes along the examples. It is part of the field wherever the field is evaluated.

A slope penalty is a number P(v), quadratic in the players' slopes v along their weights. The
players who pay it descend weight * P too, which takes a second derivative. Given how P changes with
v, its cotangents c = d P / d v, the game does the rest, on one replica or on many: it pulls c back
through the field.
"""

import collections
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import tensorflow as tf

from tfgan_stab._utils.random import uniform
from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.functional import NetworksAt
from tfgan_stab.game.players import BOTH, Players

# DOC: """What a penalty on the discriminator's outputs may look at."""
#


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


EVALUATION, OUTSIDE, FIRST_STAGE = "evaluation", "outside", "first_stage"


@runtime_checkable
class SlopePenalty(Protocol):
    """A penalty on the players' slopes.

    Attributes:
        measures: Names of the players whose slopes it is made from.
        payers: Names of the players who descend it.
        placement: "evaluation" if it is part of every evaluation of the field; else it is evaluated
            once per step, at the starting weights, on the first minibatch, and added to what the
            payers' optimizers get in their first move ("outside") or to the first evaluation
            ("first_stage").
        unbiased: Whether it wants slopes of two halves of the minibatch instead of one whole.
    """

    @property
    def measures(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def payers(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def placement(self) -> str: ...  # noqa: D102

    @property
    def unbiased(self) -> bool: ...  # noqa: D102

    def cotangents(self, slopes: Players) -> Players:
        """Returns the derivative of `weight * P` with respect to the slopes.

        Args:
            slopes: `Players` of nested tensors, means over replicas; `None` for a player whose
                slopes are not measured.

        Returns:
            The same structure.
        """


@runtime_checkable
class LossPenalty(Protocol):
    """A term of the players' losses.

    Attributes:
        payers: Names of the players who descend it.
        interval: Steps from one payment to the next, each `interval` times as large.
        looks_at: Which examples' slopes it asks the scene for, of "reals" and "fakes": they are
            then taken from the pass that the losses make anyway.
    """

    @property
    def payers(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def interval(self) -> int: ...  # noqa: D102

    @property
    def input_gradients_of(self) -> Sequence[str]: ...  # noqa: D102

    def draw(
        self, count: Any, example_shape: Sequence, latent_shape: Sequence, key: tf.Tensor
    ) -> Any:
        """Returns this penalty's noise for a minibatch: nested tensors `[count, ...]`, or `()`.

        Args:
            count: The examples of all replicas.
            example_shape: Shape of one example.
            latent_shape: Shape of one latent.
            key: int32 `[2]`, for `tf.random.stateless_*`.
        """

    def terms(self, scene: Scene, draws: Any) -> Players:
        """Returns what each player pays, weight included, scalars; `None` for who pays nothing.

        Args:
            scene: The evaluation to look at.
            draws: This replica's rows of what `draw` returned.
        """


def checked_weight(weight: Any, name: str = "weight") -> None:
    """Raises ValueError unless a penalty's weight is a finite number >= 0."""
    if not _is_finite(weight) or weight < 0:
        raise ValueError(
            f"A penalty's `{name}` must be a finite number >= 0. Received: "
            f"{weight!r}. Penalties are descended: a negative weight would reward what they punish."
        )


def checked_positive(name: str, value: Any) -> None:
    """Raises ValueError unless a setting is a finite number > 0."""
    if not _is_finite(value) or value <= 0:
        raise ValueError(f"`{name}` must be a finite number > 0. Received: {value!r}.")


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def checked_interval(interval: Any) -> None:
    """Raises ValueError unless an interval is a number of steps."""
    if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
        raise ValueError(
            "A penalty's `interval` must be a number of steps, an integer >= 1. Received: "
            f"{interval!r}. Use 1 to pay in each step, 16 for lazy regularization."
        )


def check_penalties(penalties: Any, example_shape: Sequence) -> tuple[Any, ...]:
    """Returns the penalties.

    Args:
        penalties: What `compile` got. One with a method `check_examples(example_shape)` is asked
            whether it can look at such examples.
        example_shape: Shape of one example.

    Raises:
        TypeError: If it is no sequence of penalties.
        ValueError: If one of them cannot look at such examples.
    """
    if penalties is None:
        return ()
    listed = penalties if isinstance(penalties, (list, tuple)) else None
    if listed is None or not all(
        isinstance(each, (SlopePenalty, LossPenalty)) and not isinstance(each, type)
        for each in listed
    ):
        raise TypeError(
            f"`penalties` must be a list such as [tgs.R1(10.0)]. Received: {penalties!r}."
        )
    for each in listed:
        if hasattr(each, "check_examples"):
            each.check_examples(example_shape)
    return tuple(listed)


def loss_penalties(penalties: Sequence[Any]) -> tuple[LossPenalty, ...]:
    """Returns those of the penalties that are terms of losses."""
    return tuple(each for each in penalties if isinstance(each, LossPenalty))


def slope_penalties(penalties: Sequence[Any]) -> tuple[SlopePenalty, ...]:
    """Returns those of the penalties that are made from the players' slopes."""
    return tuple(each for each in penalties if isinstance(each, SlopePenalty))


def names_of(penalties: Sequence[Any]) -> list[str]:
    """Returns what each penalty is called in logs: its class, and a number where one comes again.

    Example:
        >>> import tfgan_stab as tgs
        >>> names_of([tgs.Consensus(0.1), tgs.GeneratorGradientNorm(0.1), tgs.Consensus(0.2)])
        ['consensus', 'generator_gradient_norm', 'consensus_2']
    """
    names: list[str] = []
    known: collections.Counter[str] = collections.Counter()
    for penalty in penalties:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(penalty).__name__).lower()
        known[name] += 1
        names.append(name if known[name] == 1 else f"{name}_{known[name]}")
    return names


def check_placements(penalties: Sequence[SlopePenalty], first_weight: float | None) -> None:
    """Raises ValueError where a scheme's first evaluation does not carry a penalty into its step.

    Args:
        penalties: What `compile` got.
        first_weight: The part of the scheme's step that its first evaluation makes; `None` if the
            scheme does not say.
    """
    for penalty in penalties:
        if penalty.placement == FIRST_STAGE and not first_weight:
            raise ValueError(
                f'{penalty!r} with placement="first_stage" needs a scheme whose step contains the '
                "slope of its first evaluation, such as RungeKutta(RK4). Received: one that gives "
                f'it the weight {first_weight!r}. Use placement="outside".'
            )


# DOC: """What penalties that only the discriminator pays have in common."""
#


class OfDiscriminator(Serializable):
    """A penalty that the discriminator pays, for its slopes at points of the penalty's own."""

    @property
    def payers(self) -> tuple[str, ...]:
        """The discriminator."""
        return ("discriminator",)

    @property
    def input_gradients_of(self) -> tuple[str, ...]:
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


# DOC: """Adds what penalties on losses cost to the losses of an evaluation."""
#


def input_gradients_of(
    penalties: Sequence[LossPenalty], players: Sequence[str], due: Sequence[bool]
) -> set[str]:
    """Returns which examples' slopes are needed when these players move."""
    return {
        which
        for penalty, now in zip(penalties, due, strict=True)
        if now and any(name in players for name in penalty.payers)
        for which in penalty.input_gradients_of
    }


def with_penalties(
    losses: Players,
    penalties: Sequence[LossPenalty],
    scene: Scene,
    batch: Batch,
    players: Sequence[str],
) -> tuple[Players, tuple]:
    """Returns the losses with what the penalties add, and what each penalty came to.

    Args:
        losses: `Players` of scalars, `None` for who does not move.
        penalties: Terms to add.
        scene: The evaluation.
        batch: Whose `draws` and `due` belong to the penalties, in order.
        players: Names of those who move.
    """
    totals: list[Any] = list(losses)
    paid: list[tf.Tensor | None] = []
    for penalty, draws, due in zip(penalties, batch.draws, batch.due, strict=True):
        payers = [name for name in BOTH if name in penalty.payers and name in players]
        terms = terms_of(penalty, scene, draws, due, payers) if payers else []
        for name, term in zip(payers, terms, strict=True):
            place = BOTH.index(name)
            totals[place] = totals[place] + tf.cast(term, totals[place].dtype)
        # The discriminator's part is what a penalty is; the generator's may be a reward.
        paid.append(terms[-1] if terms else None)
    return Players(*totals), tuple(paid)


def terms_of(
    penalty: LossPenalty, scene: Scene, draws: Any, due: bool, payers: Sequence[str]
) -> list[tf.Tensor]:
    """Returns what each of the payers pays now: nothing in the steps between lazy payments.

    Args:
        penalty: Whose terms.
        scene: The evaluation.
        draws: The penalty's noise.
        due: Whether it is paid now.
        payers: Names of players, each of whom gets a scalar.
    """
    dtype = scene.fake_logits.dtype
    nothing = tf.zeros([], dtype)
    if not due:
        return [nothing for _ in payers]
    found = penalty.terms(scene, draws)._asdict()
    return [
        nothing if found[name] is None else tf.cast(penalty.interval * found[name], dtype)
        for name in payers
    ]
