"""Plays a scheme on a game with a known answer, all steps in one compiled loop."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.toy_games.base import KnownGame, check_count
from tfgan_stab.toy_games.rules import GradientSteps, Rule
from tfgan_stab.toy_games.trajectory import Trajectory, cycle_of
from tfgan_stab.updates.scheme import Game, Scheme, check_scheme

PLAIN = GradientSteps()


def play(
    game: KnownGame,
    scheme: Scheme,
    step_sizes: Any,
    steps: int,
    rule: Rule = PLAIN,
    seed: int = 0,
) -> Trajectory:
    """Plays a game and returns where the players have been.

    Args:
        game: The game, such as `tgs.games.Bilinear()`.
        scheme: How to play, such as `tgs.Extragradient()`: any scheme that trains a GAN.
        step_sizes: The players' learning rates: one number for both, or two, the generator's first;
            >= 0.
        steps: How many steps to play, an integer >= 1.
        rule: How a slope becomes a step: plain gradient steps, or `tgs.games.Adam(...)`. Either
            player has a state of its own; trial steps have another if the scheme says so.
        seed: What stochastic games draw from, an integer; equal seeds, equal runs.

    Returns:
        The `Trajectory`.

    Raises:
        ValueError: If an argument is outside its range.
        TypeError: If `scheme`, `game` or `rule` is none.

    Example:
        >>> import tfgan_stab as tgs
        >>> scheme = tgs.Lookahead(tgs.Simultaneous(), sync_period=6)
        >>> run = tgs.games.play(tgs.games.Bilinear(), scheme, step_sizes=0.3, steps=60)
        >>> run.evaluations, round(float(run.distances[-1]), 4)
        (60, 0.0525)
    """
    check_scheme(scheme)
    _check_parts(game, rule)
    sizes = as_step_sizes(step_sizes)
    check_count("steps", steps, "how many steps to play")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ValueError(f"`seed` must be an integer. Received: {seed!r}.")
    counts: list[int] = []
    run = _compiled(game, scheme, sizes, rule, seed, counts.append)
    visited = run(tf.constant(steps))
    return Trajectory(
        points=Players(*(own.numpy() for own in visited)),
        solution=Players(*(own.numpy() for own in game.solution)),
        # The loop's body is traced, so its calls are those of every step.
        evaluations=counts[-1] * steps,
        cycle=cycle_of(scheme),
    )


def as_step_sizes(value: Any) -> Players:
    """Returns one number or two as the players' step sizes.

    Raises:
        ValueError: Unless they are finite numbers >= 0.

    Example:
        >>> as_step_sizes(0.3)
        Players(generator=0.3, discriminator=0.3)
    """
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    numbers = all(isinstance(h, (int, float, np.floating)) and type(h) is not bool for h in pair)
    if len(pair) != len(BOTH) or not numbers or not all(math.isfinite(h) and h >= 0 for h in pair):
        raise ValueError(
            "`step_sizes` must be one finite number >= 0 for both players, or two of them, the "
            f"generator's first. Received: {value!r}. Use, for instance, 0.3 or (1e-4, 1e-2)."
        )
    return Players(*map(float, pair))


class _StepGame(Game):
    """One step of a known game: what `tfgan_stab.updates.scheme.Game` asks for.

    Attributes:
        states: What the rule remembers of either player.
        looks: The same for trial steps, `()` where they share `states`.
        evaluations: Calls of `field` so far.
    """

    def __init__(
        self,
        game: KnownGame,
        step_sizes: Players,
        rule: Rule,
        key: Callable[[int], tf.Tensor],
        states: Any,
    ) -> None:
        self._step_sizes = step_sizes
        self.states, self.looks = states
        self.evaluations = 0
        self._game = game
        self._rule = rule
        self._key = key

    @property
    def step_sizes(self) -> Players:
        """Both players' step sizes."""
        return self._step_sizes

    def field(self, params: Players, minibatch: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns the slopes that this part of the step shows."""
        self.evaluations += 1
        slopes = self._game.slopes(params, self._key(minibatch))
        return Players(
            *(s if name in players else None for s, name in zip(slopes, BOTH, strict=True))
        )

    def update(self, params: Players, slopes: Players) -> Players:
        """Returns where the rule takes the players."""
        moved, self.states = self._applied(params, slopes, self.states)
        return moved

    def extrapolate(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the rule reaches."""
        if not self.looks:
            return self.update(params, slopes)
        trial, self.looks = self._applied(params, slopes, self.looks)
        return trial

    def _applied(self, params: Players, slopes: Players, states: Players) -> tuple[Players, Any]:
        pairs = [
            (own, state) if slope is None else self._rule.step(own, slope, size, state)
            for own, slope, size, state in zip(params, slopes, self.step_sizes, states, strict=True)
        ]
        moved, remembered = zip(*pairs, strict=True)
        return Players(*moved), Players(*remembered)


def _compiled(
    game: KnownGame,
    scheme: Scheme,
    sizes: Players,
    rule: Rule,
    seed: int,
    counted: Callable[[int], None],
) -> Any:
    """Returns a function of the number of steps that gives all points, `[steps + 1, ..., n]`."""

    def body(count: tf.Tensor, params: Players, memory: Any, states: Any, arrays: Any) -> Any:
        key = functools.partial(random.key, seed, count)
        this = _StepGame(game, sizes, rule, key, states)
        params, memory = scheme.step(this, params, memory)
        counted(this.evaluations)
        count = count + 1
        return count, params, memory, (this.states, this.looks), _written(arrays, count, params)

    @tf.function(autograph=False)
    def run(steps: tf.Tensor) -> Players:
        start = game.start
        own = Players(*map(rule.init, start))
        arrays = Players(
            *(tf.TensorArray(p.dtype, steps + 1, element_shape=p.shape) for p in start)
        )
        variables = (
            tf.constant(0),
            start,
            scheme.init(start),
            (own, own if scheme.separate_extrapolation else ()),
            _written(arrays, 0, start),
        )
        final = tf.while_loop(lambda count, *_: count < steps, body, variables)
        return Players(*(array.stack() for array in final[-1]))

    # One signature, traced here: a new function per game is meant, and no reason to warn.
    return run.get_concrete_function(tf.TensorSpec([], tf.int32))


def _written(arrays: Players, index: Any, params: Players) -> Players:
    return Players(*(a.write(index, own) for a, own in zip(arrays, params, strict=True)))


def _check_parts(game: Any, rule: Any) -> None:
    for name, value, members, example in (
        ("game", game, ("start", "solution", "slopes", "jacobian"), "tgs.games.Bilinear()"),
        ("rule", rule, ("init", "step"), "tgs.games.Adam()"),
    ):
        lacks = [each for each in members if not hasattr(value, each)]
        if lacks or isinstance(value, type):
            raise TypeError(
                f"`{name}` must be an object such as `{example}`, with {', '.join(members)}. "
                f"Received: {value!r}."
            )
