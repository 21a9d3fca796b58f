"""Wraps any scheme; every so often both players step back together."""

import dataclasses
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.game.players import Players
from tfgan_stab.updates.scheme import Game, Scheme, check_scheme


class LookaheadState(NamedTuple):
    """What lookahead remembers between steps.

    Attributes:
        inner: State of the wrapped scheme.
        slow: Players' weights at the last synchronization.
        super_slow: Players' weights at the last synchronization of the second level; `()` without.
        count: int64 scalar, steps taken.
    """

    inner: Any
    slow: Players
    super_slow: Any
    count: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Lookahead(Scheme):
    """Lets a scheme run ahead, then pulls both players part of the way back.

    Every `sync_period` steps the slow weights s follow the fast weights w, which restart there::

        s <- (1 - slow_step_size) s + slow_step_size w,    w <- s

    s starts at the initial weights. Where lookahead wraps lookahead, a synchronization of the outer
    one overwrites the inner one's slow weights too. Only trainable weights are pulled: optimizer
    state, batch statistics and spectral-norm vectors stay as they are. Right after a
    synchronization fast and slow weights are the same; between two of them the fast ones may be far
    off, so evaluate at synchronizations, or evaluate an average with `at="sync"`. Weights that you
    set by hand in mid-training are pulled back towards the earlier slow ones; `gan.start_over()`
    takes the new ones.

    Args:
        inner: The scheme that takes the steps, another `Lookahead` included.
        sync_period: Steps between synchronizations, an integer >= 1. The paper's k.
        slow_step_size: How far to go, in (0, 1]; 1 is `inner` itself, bit for bit. The paper's
            alpha.
        super_slow_period: Steps between synchronizations of a second level, which pulls the slow
            weights by the same rule: a multiple of `sync_period`. The code's k_ss.

    Raises:
        TypeError: If `inner` is no scheme.
        ValueError: If a setting is outside its range, or periods clash.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.Lookahead(tgs.Alternating(5), sync_period=5).evaluations
        6

    Source: Chavdarova et al. 2021, arXiv 2006.14567, algorithm 1; nested: their released code.
    Departures: the released code takes its first snapshot at the first synchronization; here, as in
        the algorithm, s starts at the initial weights.
    """

    inner: Scheme
    sync_period: int
    slow_step_size: float = 0.5
    super_slow_period: int | None = None

    def __post_init__(self) -> None:
        check_scheme(self.inner)
        _check_period("sync_period", self.sync_period)
        validation.number(
            "slow_step_size",
            self.slow_step_size,
            above=0,
            most=1,
            fix="It is the part of the way that the slow weights go. Use 0.5; 1 switches lookahead "
            "off.",
        )
        if self.super_slow_period is not None:
            _check_period("super_slow_period", self.super_slow_period)
            if self.super_slow_period % self.sync_period:
                raise ValueError(
                    "`super_slow_period` must be a multiple of `sync_period`, or it would pull "
                    f"weights in mid-cycle. Received: {self.super_slow_period} and "
                    f"{self.sync_period}. Use {self.sync_period * 10}."
                )
        if isinstance(self.inner, Lookahead):
            longest = self.inner.super_slow_period or self.inner.sync_period
            if self.sync_period % longest:
                raise ValueError(
                    "The periods of nested Lookahead must be multiples, the outer of the inner. "
                    f"Received: sync_period={self.sync_period} around {longest}. Use "
                    f"{longest * 10}."
                )

    @property
    def minibatches(self) -> int:
        """As the wrapped scheme."""
        return self.inner.minibatches

    @property
    def data_minibatches(self) -> int:
        """As the wrapped scheme."""
        return self.inner.data_minibatches

    @property
    def evaluations(self) -> int:
        """As the wrapped scheme: pulling back evaluates nothing."""
        return self.inner.evaluations

    @property
    def separate_extrapolation(self) -> bool:
        """As the wrapped scheme."""
        return self.inner.separate_extrapolation

    @property
    def first_weight(self) -> float | None:
        """As the wrapped scheme."""
        return self.inner.first_weight

    @property
    def synchronization_period(self) -> int:
        """The shortest one, where lookahead wraps lookahead."""
        return self.inner.synchronization_period or self.sync_period

    def init(self, params: Players) -> LookaheadState:
        """Takes the snapshots at the initial weights."""
        return LookaheadState(
            self.inner.init(params),
            params,
            () if self.super_slow_period is None else params,
            tf.constant(0, tf.int64),
        )

    def step(
        self, game: Game, params: Players, state: LookaheadState
    ) -> tuple[Players, LookaheadState]:
        """Takes one step of the wrapped scheme, and synchronizes if it is time."""
        fast, inner = self.inner.step(game, params, state.inner)
        count = state.count + 1
        fast, slow = self._synchronized(game, fast, state.slow, count, self.sync_period)
        inner = _where(count, self.sync_period, self.inner.restarted(inner, fast), inner)
        super_slow = state.super_slow
        if self.super_slow_period is not None:
            period = self.super_slow_period
            fast, super_slow = self._synchronized(game, fast, super_slow, count, period)
            # Where the second level has pulled, the levels below restart from there.
            slow = _where(count, self.super_slow_period, fast, slow)
            inner = _where(count, self.super_slow_period, self.inner.restarted(inner, fast), inner)
        return fast, LookaheadState(inner, slow, super_slow, count)

    def restarted(self, state: LookaheadState, params: Players) -> LookaheadState:
        """Returns a state whose slow weights, those inside included, are these."""
        return state._replace(
            inner=self.inner.restarted(state.inner, params),
            slow=params,
            super_slow=() if self.super_slow_period is None else params,
        )

    def _synchronized(
        self, game: Game, fast: Players, slow: Players, count: tf.Tensor, period: int
    ) -> tuple[Players, Players]:
        """Returns the fast and the slow weights after a synchronization that may be due."""
        alpha = self.slow_step_size

        # Bit for bit, both where the fast weights have not changed and where alpha is 1.
        def mean(s: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
            return w if alpha == 1.0 else s + alpha * (w - s)

        projected = game.project(tf.nest.map_structure(mean, slow, fast))
        slow = _where(count, period, projected, slow)
        return _where(count, period, slow, fast), slow


def _where(count: tf.Tensor, period: int, synchronized: Any, otherwise: Any) -> Any:
    """Returns `synchronized` in steps that are multiples of `period`: one graph for all steps."""
    now = tf.equal(count % period, 0)
    return tf.nest.map_structure(lambda yes, no: tf.where(now, yes, no), synchronized, otherwise)


def _check_period(name: str, period: Any) -> None:
    validation.integer(name, period, unit="steps", fix="The authors use 5 for CIFAR-10.")
