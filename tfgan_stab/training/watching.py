"""Watches one step from inside: its points, and which of them are not finite.

Each loss, slope and weight of a step is a point with a place in a table that Python keeps, in the
order of time. In the graph a point is one flag, from norms that are of use anyway.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab.game.gradients import Evaluation
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution, health

LOSS, SLOPE, PENALIZED, WEIGHT, STATE = "loss", "slope", "penalized slope", "weight", "state"
PENALTY = "penalty"


class Point(NamedTuple):
    """Something in a step that is watched.

    Attributes:
        player: "generator" or "discriminator".
        kind: "loss" (without penalties); "penalty" (on a loss); "slope" (of both); "penalized
            slope" (after a penalty on slopes is paid); "weight" (at trial points too); or "state"
            (batch statistics and the like).
        variable: The Keras path of the variable, or the penalty's name; `None` for a loss.
        evaluation: The step's evaluation of the field that it belongs to or follows, from 1.
        minibatch: The minibatch of that evaluation, from 1.
    """

    player: str
    kind: str
    variable: str | None
    evaluation: int
    minibatch: int


class Fault(NamedTuple):
    """The first number that was not finite.

    Attributes:
        point: What it was.
        evaluations: Evaluations of the field that a step makes.
        minibatches: Minibatches of a step.
        step: The step it happened in, from 1.
    """

    point: Point
    evaluations: int
    minibatches: int
    step: int

    def __str__(self) -> str:
        point = self.point
        of = "" if point.variable is None else f" of {point.variable!r}"
        return (
            f"the {point.player}'s {point.kind}{of} in step {self.step}, evaluation "
            f"{point.evaluation} of {self.evaluations}, minibatch {point.minibatch} of "
            f"{self.minibatches}"
        )


class WatchedStep:
    """Gathers one step's points.

    Args:
        monitor: The `Monitor` that keeps what is found.
        share: What `rows_of` says of this replica's rows.
    """

    def __init__(self, monitor: Any, share: tf.Tensor | None):
        self._monitor = monitor
        self._share = share
        self._points: list[Point] = []
        self._flags: list[tf.Tensor] = []
        self._evaluation, self._minibatch = 0, 0
        self._checked: dict[str, Any] = {}
        self._slopes: dict[str, tuple[Any, tf.Tensor]] = {}
        self._outputs: tuple[tf.Tensor, Any] | None = None

    def evaluated(
        self,
        minibatch: int,
        reals: tf.Tensor,
        evaluation: Evaluation,
        slopes: Players,
        paid: Players,
    ) -> None:
        """Watches an evaluation of the field.

        Args:
            minibatch: The minibatch's number, from 0.
            reals: Its real examples.
            evaluation: What the field gave.
            slopes: Its slopes, means over replicas.
            paid: The same with penalties, as the scheme gets them.
        """
        self._evaluation, self._minibatch = self._evaluation + 1, minibatch + 1
        for name, loss in zip(BOTH, evaluation.losses, strict=True):
            if loss is not None:
                own = distribution.weighted(loss, self._share)
                self._add(name, LOSS, [None], tf.math.is_finite(own)[None])
        for name, payers, value in zip(*self._monitor.penalties, evaluation.paid, strict=True):
            if value is not None:
                # An evaluation tells the part of the last one of the payers who moves.
                player = [p for p in BOTH if p in payers and getattr(slopes, p) is not None][-1]
                own = distribution.weighted(value, self._share)
                self._add(player, PENALTY, [name], tf.math.is_finite(own)[None])
        squares = {n: self._watch(n, SLOPE, own) for n, own in zip(BOTH, slopes, strict=True)}
        squares.update(self.paid(slopes, paid))
        for name, own in zip(BOTH, paid, strict=True):
            if own is not None:
                self._slopes.setdefault(name, (own, squares[name]))
        if self._outputs is None and evaluation.outputs.real_logits is not None:
            self._outputs = (reals, evaluation.outputs)

    def paid(self, slopes: Players, paid: Players) -> dict[str, tf.Tensor]:
        """Watches slopes that penalties have changed; returns the squared norms of those."""
        changed = zip(BOTH, slopes, paid, strict=True)
        return {
            name: self._watch(name, PENALIZED, after)
            for name, before, after in changed
            if after is not None and after is not before
        }

    def moved(self, player: str, weights: list[tf.Tensor]) -> None:
        """Watches the weights that a player's optimizer wrote."""
        self._checked[player] = weights
        self._watch(player, WEIGHT, weights)

    def finished(self, params: Players, state: Players) -> None:
        """Watches what the step ends with, and keeps what was found.

        Args:
            params: The players' weights.
            state: Their batch statistics and the like.
        """
        for name, weights, values in zip(BOTH, params, state, strict=True):
            if self._checked.get(name) is not weights:
                self.moved(name, weights)
            self._watch(name, STATE, values)
        flags = tf.cast(tf.concat(self._flags, axis=0), tf.float32)
        # One replica's loss, and its share of the examples, are its own; all must note the same.
        flags, spreads = distribution.average([flags, self._spreads()])
        ratio = spreads[1] / spreads[0]
        self._monitor.note(self._points, flags > 0, ratio)
        self._measure(ratio)

    def _spreads(self) -> tf.Tensor:
        """Returns the spreads of this replica's reals and fakes, float32 `[2]`."""
        if self._outputs is None:
            return tf.zeros([2])
        reals, outputs = self._outputs
        both = [tf.cast(health.spread(each), tf.float32) for each in (reals, outputs.fakes)]
        return distribution.weighted(tf.stack(both), self._share)

    def _measure(self, ratio: tf.Tensor) -> None:
        means, counts = self._monitor.means, tf.math.is_finite(ratio)
        means["spread_ratio"].update_state(
            tf.where(counts, ratio, 0.0), sample_weight=tf.cast(counts, tf.float32)
        )
        for name, (_, squares) in self._slopes.items():
            means[f"{name}_slope_norm"].update_state(tf.sqrt(tf.reduce_sum(squares)))
        if len(self._slopes) == len(BOTH):
            slopes, squares = zip(*(self._slopes[name] for name in BOTH), strict=True)
            self._monitor.measure_angle(Players(*slopes), tf.reduce_sum(tf.concat(squares, 0)))
        if self._outputs is not None and self._monitor.boundary is not None:
            outputs, sign = self._outputs[1], self._monitor.sign_of_real
            boundary = sign * self._monitor.boundary
            for name, right in (
                ("reals", sign * outputs.real_logits > boundary),
                ("fakes", sign * outputs.fake_logits < boundary),
            ):
                found = distribution.weighted(health.share(right), self._share)
                means[f"accuracy_on_{name}"].update_state(found)

    def _watch(self, player: str, kind: str, values: list[tf.Tensor] | None) -> tf.Tensor:
        """Watches a value for each variable of a player; returns their squared norms."""
        named = (
            [] if values is None else zip(self._monitor.paths(player, kind), values, strict=True)
        )
        pairs = [(path, value) for path, value in named if value.dtype.is_floating]
        if not pairs:
            return tf.zeros([0], tf.float64)
        squares = health.squared_norms([value for _, value in pairs])
        self._add(player, kind, [path for path, _ in pairs], tf.math.is_finite(squares))
        return squares

    def _add(self, player: str, kind: str, paths: Sequence[str | None], finite: tf.Tensor) -> None:
        self._points += [Point(player, kind, p, self._evaluation, self._minibatch) for p in paths]
        self._flags.append(tf.logical_not(finite))
