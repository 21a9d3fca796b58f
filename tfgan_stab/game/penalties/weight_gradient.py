"""Penalties on the gradients along the players' weights, and the field that they regularise.

Their gradients are those of the losses alone, without the loss penalties: a lazy one, `interval`
times as large in the steps in which it is active, would be `interval**2` times as large in a
square. Their vector-Jacobian products are made from gradients that are means over all replicas, so
that several replicas with a share of the batch each get what one with the whole batch would.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.game.functional import Minibatch, only
from tfgan_stab.game.penalties.base import (
    EVALUATION,
    FIRST_STAGE,
    OUTSIDE,
    LossPenalty,
    Penalty,
    WeightGradientPenalty,
    check_weight,
)
from tfgan_stab.game.players import BOTH, Players


@dataclasses.dataclass(frozen=True)
class Consensus(WeightGradientPenalty):
    """Both players minimise the norm of the joint gradient, which bends rotations inwards.

    With the joint field v (minus the gradients) and all weights w of both players::

        L = 1/2 |v(w)|^2
        v(w)  <-  v(w) - weight * d L / d w

    v is that of the losses alone: loss penalties such as `tgs.R1` are added beside, and do not
    enter L. It is part of every evaluation of the field, trial points included, and costs a second
    derivative in each; beside loss penalties of the same player one more evaluation, too.

    Args:
        weight: How much, a number >= 0. The paper's gamma; they use 10 with RMSProp at 1e-4
            (numbers from memory).

    Raises:
        ValueError: If `weight` is out of range.

    Example:
        >>> Consensus(0.1).players
        ('generator', 'discriminator')

    Source: Mescheder et al. 2017, "The Numerics of GANs", arXiv 1705.10461, equation 9 and
        algorithm 2 (numbers from memory).
    Departures: layers' own stop gradients hold: the mean inside Keras' normalization layers and the
        vectors of spectral normalization count as constants in the second derivative.
    """

    weight: float

    def __post_init__(self) -> None:
        check_weight(self.weight)

    @property
    def players(self) -> tuple[str, ...]:
        """Both players."""
        return BOTH

    @property
    def placement(self) -> str:
        """In every evaluation."""
        return EVALUATION

    def cotangents(self, gradients: Players) -> Players:
        """Returns `weight * g`."""
        return tf.nest.map_structure(lambda g: self.weight * g, gradients)


@dataclasses.dataclass(frozen=True)
class GeneratorGradientNorm(WeightGradientPenalty):
    """The discriminator minimises the norm of the generator's gradient.

    With the gradient g_G of the generator's loss and the discriminator's weights theta::

        R = sum over all weights of the generator of g_G^2
        gradient of the discriminator  <-  its gradient + weight * d R / d theta

    g_G is of the generator's loss alone, without penalties on it. The generator's own gradient
    stays as it is. R is computed once per step, at the starting weights, on the first minibatch,
    whatever the scheme.

    Args:
        weight: How much, a number >= 0. The paper's lambda; their released code uses 0.02 for
            CIFAR-10 and 0.07 for the mixture of 16 Gaussians.
        placement: "outside" to add it to the discriminator's first update of the step, so that
            trial points never see it; "first_stage" to add `weight / b_1` of it to the first
            evaluation, as the released CIFAR-10 code does: the update is the same, later trial
            points are not.

    Raises:
        ValueError: If `weight` is out of range, or `placement` neither of its values.

    Example:
        >>> GeneratorGradientNorm(0.02).players
        ('discriminator',)

    Source: Qin et al. 2020 (ODE-GAN), arXiv 2010.15040, algorithm 1 (number from memory), and their
        released code.
    Departures: layers' own stop gradients hold: the mean inside Keras' normalization layers and the
        vectors of spectral normalization count as constants in the second derivative. With
        `OptimisticGradient`, which extrapolates steps, the penalty's part of the step is
        extrapolated too.
    """

    weight: float
    placement: str = OUTSIDE

    RETIRED: ClassVar[dict[str, Any]] = {"unbiased": False}

    def __post_init__(self) -> None:
        check_weight(self.weight)
        validation.choice(
            "placement",
            self.placement,
            (OUTSIDE, FIRST_STAGE),
            'Use "outside" to add it to the update, "first_stage" to the first evaluation.',
        )

    @property
    def measures(self) -> tuple[str, ...]:
        """The generator's gradient."""
        return ("generator",)

    def cotangents(self, gradients: Players) -> Players:
        """Returns `2 weight g_G`."""
        twice = 2.0 * self.weight
        return Players(tf.nest.map_structure(lambda g: twice * g, gradients.generator), None)


class MeanGradients(Protocol):
    """What a regularised field is made from: gradients and vjps, averaged over replicas."""

    def evaluate(self, params: Players, minibatch: Minibatch, players: Sequence[str]) -> Any:
        """Returns the `Evaluation` at `params`, loss penalties included."""

    def loss_gradients(
        self, params: Players, minibatch: Minibatch, players: Sequence[str]
    ) -> Players:
        """Returns the gradients of the losses alone."""

    def vjp(
        self, params: Players, minibatch: Minibatch, cotangents: Players, players: Sequence[str]
    ) -> Players:
        """Returns the derivative of `<loss gradients, cotangents>` along the players' weights."""


class Regularized:
    """One step's gradients with the penalties on them added.

    Args:
        inner: The losses' gradients.
        penalties: All penalties of the game, those on losses too.
        first_weight: The part of the scheme's step that its first evaluation makes.
        start: Both players' weights at the start of the step.
        minibatch: The step's first minibatch.
    """

    def __init__(
        self,
        inner: MeanGradients,
        penalties: Sequence[Penalty],
        first_weight: float | None,
        start: Players,
        minibatch: Minibatch,
    ):
        self._inner = inner
        self._first_weight = first_weight
        self._start, self._minibatch = start, minibatch
        own = [each for each in penalties if isinstance(each, WeightGradientPenalty)]
        self._penalties = own
        self._everywhere = [each for each in own if each.placement == EVALUATION]
        self._measured = _in_order(name for each in self._everywhere for name in each.measures)
        # Those that are added once, each with the players who still lack it.
        self._once = [(p, set(p.players)) for p in own if p.placement != EVALUATION]
        # Players whose gradients an evaluation gives with loss penalties.
        losses = [each for each in penalties if isinstance(each, LossPenalty)]
        self._with_terms = {name for each in losses for name in each.players}
        self._at_start: dict[str, Any] = {}
        self._values: dict[int, tf.Tensor] = {}

    @property
    def values(self) -> list[tf.Tensor]:
        """Each penalty's value where it was first computed, float64 scalars."""
        return [self._values[id(penalty)] for penalty in self._penalties]

    def evaluate(
        self, params: Players, minibatch: Minibatch, players: Sequence[str]
    ) -> tuple[Players, Any]:
        """Returns the players' regularised gradients, and the `Evaluation` they were made from."""
        apart = not self._with_terms.isdisjoint(self._measured)
        measured = players if apart else _in_order({*players, *self._measured})
        evaluation = self._inner.evaluate(params, minibatch, measured)
        if params is self._start and minibatch is self._minibatch:
            named = zip(BOTH, evaluation.gradients, strict=True)
            self._at_start.update(
                (n, g) for n, g in named if g is not None and n not in self._with_terms
            )
        total, alone = only(evaluation.gradients, players), evaluation.gradients
        if apart:
            alone = self._inner.loss_gradients(params, minibatch, self._measured)
        for penalty in self._everywhere:
            concerned = [name for name in penalty.players if name in players]
            total = _plus(total, self._gradient(penalty, params, minibatch, alone, concerned))
        return self._add_once(total, FIRST_STAGE), evaluation

    def for_update(self, gradients: Players) -> Players:
        """Returns an update's gradients, with what is added once per step outside the scheme."""
        return self._add_once(gradients, OUTSIDE)

    def check_added(self) -> None:
        """Raises ValueError if the step has ended and a penalty was not added."""
        for penalty, lacking in self._once:
            if lacking:
                raise ValueError(
                    f"{penalty!r} is added to an update of {' and '.join(sorted(lacking))}. "
                    "Received: a scheme that makes none through `game.update`, so that the penalty "
                    "would do nothing. Let the scheme's step end with `game.update(...)`."
                )

    def _gradient(
        self,
        penalty: WeightGradientPenalty,
        params: Players,
        minibatch: Minibatch,
        gradients: Players,
        players: Sequence[str],
    ) -> Players:
        """Returns a penalty's gradient, and keeps its value."""
        measured = only(gradients, penalty.measures)
        cotangents = penalty.cotangents(measured)
        self._values.setdefault(id(penalty), penalty.value(measured, cotangents))
        return self._inner.vjp(params, minibatch, cotangents, players)

    def _add_once(self, gradients: Players, placement: str) -> Players:
        for penalty, lacking in self._once:
            players = [n for n in BOTH if n in lacking and getattr(gradients, n) is not None]
            if penalty.placement != placement or not players:
                continue
            lacking.difference_update(players)
            added = self._gradient_at_start(penalty, players)
            if placement == FIRST_STAGE:
                # The scheme gives the first evaluation this weight; the step gets the whole.
                added = _scaled(added, 1.0 / self._first_weight)  # type: ignore[operator]
            gradients = _plus(gradients, added)
        return gradients

    def _gradient_at_start(self, penalty: WeightGradientPenalty, players: Sequence[str]) -> Players:
        known = Players(*(self._at_start.get(name) for name in BOTH))
        if any(getattr(known, name) is None for name in penalty.measures):
            known = self._inner.loss_gradients(self._start, self._minibatch, penalty.measures)
        return self._gradient(penalty, self._start, self._minibatch, known, players)


def check_placements(penalties: Sequence[Penalty], first_weight: float | None) -> None:
    """Raises ValueError where a scheme's first evaluation does not carry a penalty into its step.

    Args:
        penalties: What `compile` got.
        first_weight: The part of the scheme's step that its first evaluation makes; `None` if it
            is not known.
    """
    for penalty in penalties:
        if getattr(penalty, "placement", None) == FIRST_STAGE and not first_weight:
            raise ValueError(
                f'{penalty!r} with placement="first_stage" needs a scheme whose step contains its '
                "first evaluation, such as RungeKutta(RK4). Received: one that gives it the weight "
                f'{first_weight!r}. Use placement="outside".'
            )


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the players named, each once, the generator first."""
    named = set(names)
    return tuple(name for name in BOTH if name in named)


def _plus(gradients: Players, added: Players) -> Players:
    """Adds a penalty's gradient, for the players who have one."""
    return Players(
        *(
            own if more is None else tf.nest.map_structure(tf.add, own, more)
            for own, more in zip(gradients, added, strict=True)
        )
    )


def _scaled(gradients: Players, factor: float) -> Players:
    return tf.nest.map_structure(lambda g: None if g is None else factor * g, gradients)
