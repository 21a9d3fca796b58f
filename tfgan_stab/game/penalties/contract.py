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
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import tensorflow as tf

from tfgan_stab.game.penalties.scene import Scene
from tfgan_stab.game.players import Players

EVALUATION, OUTSIDE, FIRST_STAGE = "evaluation", "outside", "first_stage"


@runtime_checkable
class SlopePenalty(Protocol):
    """A penalty on the players' slopes.

    Attributes:
        measures: Names of the players whose slopes it is made from.
        payers: Names of the players who descend it.
        placement: "evaluation" if it is part of every evaluation of the field; else it is evaluated
            once per round, at the starting weights, on the first minibatch, and added to what the
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
        interval: Rounds from one payment to the next, each `interval` times as large.
        looks_at: Which examples' slopes it asks the scene for, of "reals" and "fakes": they are
            then taken from the pass that the losses make anyway.
    """

    @property
    def payers(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def interval(self) -> int: ...  # noqa: D102

    @property
    def looks_at(self) -> Sequence[str]: ...  # noqa: D102

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
    """Raises ValueError unless an interval is a number of rounds."""
    if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
        raise ValueError(
            "A penalty's `interval` must be a number of rounds, an integer >= 1. Received: "
            f"{interval!r}. Use 1 to pay in each round, 16 for lazy regularization."
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
