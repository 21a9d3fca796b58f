"""When in a step the players pay their penalties on slopes, and from which slopes.

The slopes are those of the losses alone, without the penalties on losses: a lazy one, `interval`
times as large in the steps that pay it, would be `interval**2` times as large in a square.

The pull of a penalty is computed from slopes that are means over all replicas, so that several
replicas with a share of the batch each pay what one with the whole batch would.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab.game.batch import Batch
from tfgan_stab.game.penalties.base import (
    EVALUATION,
    FIRST_STAGE,
    OUTSIDE,
    LossPenalty,
    SlopePenalty,
    loss_penalties,
    slope_penalties,
)
from tfgan_stab.game.players import BOTH, Players


class StepPenalties:
    """What the players pay beside their losses in one step.

    Args:
        penalties: The penalties of the game, those on losses too.
        first_weight: The part of the scheme's step that the slope of its first evaluation makes.
    """

    def __init__(self, penalties: Sequence[SlopePenalty | LossPenalty], first_weight: float | None):
        self._penalties = slope_penalties(penalties)
        self._values: dict[int, tf.Tensor] = {}
        self._always = [each for each in self._penalties if each.placement == EVALUATION]
        self._always_measured = _in_order(name for each in self._always for name in each.measures)
        # Penalties that are paid once per step, each with those who have yet to pay.
        self._pending = [(p, set(p.payers)) for p in self._penalties if p.placement != EVALUATION]
        # Those whose slopes an evaluation gives with penalties on losses.
        self._taxed = {name for each in loss_penalties(penalties) for name in each.payers}
        self._first_weight = first_weight
        self._known: dict[str, Any] = {}

    def begin(self, game: Any, start: Players, batch: Batch) -> None:
        """Notes where the step begins.

        Args:
            game: The `TrainStep`, for its `slopes` and `pulled_back`.
            start: Both players' weights.
            batch: The first minibatch.
        """
        self._game, self._start, self._batch = game, start, batch

    def measured(self, players: tuple[str, ...]) -> tuple[str, ...]:
        """Returns whose slopes an evaluation must compute when those of `players` are wanted."""
        return players if self._apart else _in_order({*players, *self._always_measured})

    def evaluated(
        self, params: Players, batch: Batch, slopes: Players, players: Sequence[str]
    ) -> Players:
        """Returns the slopes of an evaluation with what is paid in it.

        Args:
            params: Where it was made.
            batch: The minibatch it was made on.
            slopes: Slopes of all measured players, penalties on losses included, means over
                replicas.
            players: Whose slopes are wanted.
        """
        if params is self._start and batch is self._batch:
            named = zip(BOTH, slopes, strict=True)
            bare = {n: own for n, own in named if own is not None and n not in self._taxed}
            self._known.update(bare)
        wanted = _only(slopes, players)
        if self._apart:
            slopes = self._game.slopes(params, batch, self._always_measured)
        for penalty in self._always:
            payers = [name for name in penalty.payers if name in players]
            cotangents = self._noted(penalty, slopes, slopes)
            wanted = _minus(wanted, self._game.pulled_back(params, batch, cotangents, payers))
        return self._paid(wanted, FIRST_STAGE)

    def moved(self, slopes: Players) -> Players:
        """Returns the slopes of a move with what is paid once per step."""
        return self._paid(slopes, OUTSIDE)

    @property
    def _apart(self) -> bool:
        """Whether slopes of the losses alone take an evaluation of their own."""
        return not self._taxed.isdisjoint(self._always_measured)

    @property
    def values(self) -> list[tf.Tensor]:
        """What each penalty came to where it was first evaluated, float scalars."""
        return [self._values[id(penalty)] for penalty in self._penalties]

    def check_paid(self) -> None:
        """Raises ValueError if the step has ended and something was not paid."""
        for penalty, owing in self._pending:
            if owing:
                raise ValueError(
                    f"{penalty!r} is paid in a move of {' and '.join(sorted(owing))}. Received: a "
                    "scheme that makes none through `game.update`, so that the penalty would do "
                    "nothing. Let the scheme's step end with `game.update(...)`."
                )

    def _paid(self, slopes: Players, placement: str) -> Players:
        for penalty, owing in self._pending:
            payers = [n for n in BOTH if n in owing and getattr(slopes, n) is not None]
            if penalty.placement == placement and payers:
                owing.difference_update(payers)
                pull = self._once(penalty, payers)
                if placement == FIRST_STAGE:
                    # The scheme gives the first slope this weight; the step gets the whole.
                    pull = _scaled(pull, 1.0 / self._first_weight)  # type: ignore[operator]
                slopes = _minus(slopes, pull)
        return slopes

    def _once(self, penalty: SlopePenalty, payers: Sequence[str]) -> Players:
        """Returns a penalty's pull at the start of the step, on the first minibatch."""
        if penalty.unbiased:
            return self._from_halves(penalty, payers)
        if not all(name in self._known for name in penalty.measures):
            slopes = self._game.slopes(self._start, self._batch, penalty.measures)
        else:
            slopes = Players(*(self._known.get(name) for name in BOTH))
        cotangents = self._noted(penalty, slopes, slopes)
        return self._game.pulled_back(self._start, self._batch, cotangents, payers)

    def _from_halves(self, penalty: SlopePenalty, payers: Sequence[str]) -> Players:
        """Pulls each half's slopes back through the other: the gradient of their product."""
        halves = _halves(self._batch)
        even, odd = (self._game.slopes(self._start, half, penalty.measures) for half in halves)
        cotangents = [self._noted(penalty, odd, even), self._noted(penalty, even, odd)]
        pulls = [
            self._game.pulled_back(self._start, half, own, payers)
            for half, own in zip(halves, cotangents, strict=True)
        ]
        return tf.nest.map_structure(lambda a, b: None if a is None else (a + b) / 2, *pulls)

    def _noted(self, penalty: SlopePenalty, slopes: Players, others: Players) -> Players:
        """Returns a penalty's cotangents at `slopes`, and notes its value, of `others` by them."""
        cotangents = penalty.cotangents(_only(slopes, penalty.measures))
        others = _only(others, penalty.measures)
        pairs = zip(tf.nest.flatten(cotangents), tf.nest.flatten(others), strict=True)
        terms = [tf.reduce_sum(tf.cast(c, v.dtype) * v) for c, v in pairs if v is not None]
        # P is quadratic: twice its value is <dP/dv, v>.
        value = tf.add_n([tf.cast(term, tf.float64) for term in terms]) / 2
        self._values.setdefault(id(penalty), value)
        return cotangents


def pulls_of(penalties: Sequence[SlopePenalty], slopes: Players) -> list[tuple]:
    """Returns, for each penalty, its cotangents at these slopes and who pays."""
    return [(each.cotangents(_only(slopes, each.measures)), each.payers) for each in penalties]


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the players named, each once, the generator first."""
    named = set(names)
    return tuple(name for name in BOTH if name in named)


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    """Returns the even and the odd rows: the same ones however many replicas share a batch."""
    rows = batch.reals.shape[0]
    if rows is not None and rows < 2:
        raise ValueError(
            "An unbiased penalty needs at least 2 examples in a minibatch, one for each half. "
            f"Received: {rows}. Use a larger batch, or unbiased=False."
        )
    return batch.every_second(0), batch.every_second(1)


def _only(slopes: Players, players: Sequence[str]) -> Players:
    return Players(
        *(own if name in players else None for name, own in zip(BOTH, slopes, strict=True))
    )


def _minus(slopes: Players, pull: Players) -> Players:
    """Subtracts what is paid, for the players who pay."""
    return Players(
        *(
            own if paid is None else tf.nest.map_structure(tf.subtract, own, paid)
            for own, paid in zip(slopes, pull, strict=True)
        )
    )


def _scaled(pull: Players, factor: float) -> Players:
    return tf.nest.map_structure(lambda p: None if p is None else factor * p, pull)
