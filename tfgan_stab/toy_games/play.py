"""Plays a scheme on a game with a known answer, all steps in one compiled loop."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from tfgan_stab._utils import random, validation
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.toy_games.base import KnownGame
from tfgan_stab.toy_games.trajectory import Trajectory, cycle_of
from tfgan_stab.updates.scheme import Game, Scheme, check_scheme


class Rule(Protocol):
    """Turns one player's slopes into steps."""

    def init(self, player: tf.Tensor) -> Any:
        """Returns the state before the first step: tensors, nested, or `()`."""

    def step(
        self, player: tf.Tensor, slope: tf.Tensor, step_size: float, state: Any
    ) -> tuple[tf.Tensor, Any]:
        """Returns the player after a step downhill, and the new state."""


@dataclasses.dataclass(frozen=True)
class GradientSteps:
    """Plain gradient steps: `w <- w + step_size slope`.

    Example:
        >>> player, _ = GradientSteps().step(tf.constant([1.0]), tf.constant([-2.0]), 0.1, ())
        >>> round(float(player[0]), 6)
        0.8
    """

    def init(self, player: tf.Tensor) -> Any:
        """Returns no state."""
        del player
        return ()

    def step(
        self, player: tf.Tensor, slope: tf.Tensor, step_size: float, state: Any
    ) -> tuple[tf.Tensor, Any]:
        """Returns the player after the step."""
        return player + step_size * slope, state


class AdamState(NamedTuple):
    """Adam's state.

    Attributes:
        mean: Running mean of the slopes.
        square: Running mean of their squares.
        powers: `[2]`, beta_1 and beta_2 to the power of the steps taken.
    """

    mean: tf.Tensor
    square: tf.Tensor
    powers: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam, optionally with negative momentum or without bias correction.

    With slope s, in step t::

        m <- beta_1 m + (1 - beta_1) s,      v <- beta_2 v + (1 - beta_2) s^2
        w <- w + step_size (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Args:
        beta_1: Decay per step of the mean of slopes, in (-1, 1); below 0 for negative momentum.
        beta_2: Decay per step of the mean of squares, in [0, 1).
        epsilon: Added to the root, >= 0.
        bias_correction: "both" as above; "mean" to divide only m, as the bilinear notebook of
            lookahead-minmax does; "none" to divide neither.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> rule = Adam(beta_1=-0.6, bias_correction="mean")
        >>> player, slope = tf.constant([1.0], tf.float64), tf.constant([2.0], tf.float64)
        >>> player, state = rule.step(player, slope, 0.1, rule.init(player))
        >>> round(float(player[0]), 3)  # 1 + 0.1 / sqrt(1 - beta_2): a long first step
        4.162

    Source: Kingma and Ba 2015, arXiv 1412.6980, algorithm 1; "mean": the notebook
        `LA-MM_stochastic_bilinear.ipynb` published with arXiv 2006.14567.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    bias_correction: str = "both"

    def __post_init__(self) -> None:
        validation.number("beta_1", self.beta_1, above=-1.0, below=1.0, fix="Use 0.9.")
        validation.number("beta_2", self.beta_2, least=0.0, below=1.0, fix="Use 0.999.")
        validation.number("epsilon", self.epsilon, least=0.0, fix="Use 1e-8.")
        validation.choice("bias_correction", self.bias_correction, ("both", "mean", "none"))

    def init(self, player: tf.Tensor) -> AdamState:
        """Returns both means at 0."""
        zeros = tf.zeros_like(player)
        return AdamState(zeros, zeros, tf.ones([2], player.dtype))

    def step(
        self, player: tf.Tensor, slope: tf.Tensor, step_size: float, state: AdamState
    ) -> tuple[tf.Tensor, AdamState]:
        """Returns the player after the step, and the new means."""
        mean = self.beta_1 * state.mean + (1.0 - self.beta_1) * slope
        square = self.beta_2 * state.square + (1.0 - self.beta_2) * tf.square(slope)
        powers = state.powers * tf.constant([self.beta_1, self.beta_2], player.dtype)
        by_mean = 1.0 - powers[0] if self.bias_correction != "none" else 1.0
        by_square = 1.0 - powers[1] if self.bias_correction == "both" else 1.0
        step = (mean / by_mean) / (tf.sqrt(square / by_square) + self.epsilon)
        return player + step_size * step, AdamState(mean, square, powers)


PLAIN = GradientSteps()


def play(
    game: KnownGame,
    scheme: Scheme,
    step_sizes: Any,
    steps: int,
    rule: Rule = PLAIN,
    seed: int = 0,
) -> Trajectory:
    """Plays a game for some steps and returns both players' trajectory.

    Args:
        game: The game, such as `tgs.games.Bilinear()`, or your own `KnownGame`.
        scheme: The update scheme, such as `tgs.Extragradient()`: any scheme that trains a GAN.
        step_sizes: The players' learning rates: one number for both, or two, the generator's first;
            >= 0.
        steps: How many steps to play, an integer >= 1.
        rule: How a slope becomes a step: plain gradient steps, or `tgs.games.Adam(...)`. Each
            player has its own state, and another for trial steps if the scheme asks for it.
        seed: Seed of a stochastic game's noise, an integer in [0, 2**62). Equal seeds give equal
            runs.

    Returns:
        The `Trajectory`.

    Raises:
        ValueError: If an argument is outside its range.
        TypeError: If `scheme`, `game` or `rule` is of another kind.

    Example:
        >>> import tfgan_stab as tgs
        >>> scheme = tgs.Lookahead(tgs.Simultaneous(), sync_period=6)
        >>> run = tgs.games.play(tgs.games.Bilinear(), scheme, step_sizes=0.3, steps=60)
        >>> run.evaluations, round(float(run.distances[-1]), 4)
        (60, 0.0525)
    """
    check_scheme(scheme)
    _check_members("game", game, ("start", "solution", "slopes"), "tgs.games.Bilinear()")
    _check_members("rule", rule, ("init", "step"), "tgs.games.Adam()")
    sizes = _as_step_sizes(step_sizes)
    steps = validation.integer("steps", steps, fix="Use 100.")
    counts: list[int] = []
    run = _compiled(game, scheme, sizes, rule, validation.seed(seed), counts.append)
    visited = run(tf.constant(steps))
    return Trajectory(
        points=Players(*(own.numpy() for own in visited)),
        solution=Players(*(own.numpy() for own in game.solution)),
        evaluations=counts[-1] * steps,
        cycle=cycle_of(scheme),
    )


def _as_step_sizes(value: Any) -> Players:
    """Returns one number or two as the players' step sizes."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    fix = "Use one number for both players, such as 0.3, or two, such as (1e-4, 1e-2)."
    if len(pair) != len(BOTH):
        raise ValueError(f"`step_sizes` must be one number or two. Received: {value!r}. {fix}")
    sizes = (validation.number("step_sizes", own, least=0.0, fix=fix) for own in pair)
    return Players(*map(float, sizes))


class _StepGame(Game):
    """One step of a known game, as the `Game` that a scheme plays.

    Attributes:
        states: The rule's state for each player.
        trial_states: The same for trial steps; `()` if these share `states`.
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
        self.states, self.trial_states = states
        self.evaluations = 0
        self._game = game
        self._rule = rule
        self._key = key

    @property
    def step_sizes(self) -> Players:
        """Both players' step sizes."""
        return self._step_sizes

    def field(self, params: Players, minibatch: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns the slopes of the players asked for, on one of the step's minibatches."""
        self.evaluations += 1
        slopes = self._game.slopes(params, self._key(minibatch))
        return Players(
            *(s if name in players else None for s, name in zip(slopes, BOTH, strict=True))
        )

    def update(self, params: Players, slopes: Players) -> Players:
        """Returns the players after the rule's step."""
        updated, self.states = self._applied(params, slopes, self.states)
        return updated

    def extrapolate(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point after the rule's step."""
        if not self.trial_states:
            return self.update(params, slopes)
        trial, self.trial_states = self._applied(params, slopes, self.trial_states)
        return trial

    def _applied(self, params: Players, slopes: Players, states: Players) -> tuple[Players, Any]:
        pairs = [
            (own, state) if slope is None else self._rule.step(own, slope, size, state)
            for own, slope, size, state in zip(params, slopes, self.step_sizes, states, strict=True)
        ]
        updated, new_states = zip(*pairs, strict=True)
        return Players(*updated), Players(*new_states)


def _compiled(
    game: KnownGame,
    scheme: Scheme,
    sizes: Players,
    rule: Rule,
    seed: int,
    counted: Callable[[int], None],
) -> Any:
    """Returns a function from the number of steps to all points, `[steps + 1, ..., n]`.

    The loop's body is traced, so `counted` gets the field evaluations of one step.
    """

    def body(count: tf.Tensor, params: Players, state: Any, rule_states: Any, arrays: Any) -> Any:
        key = functools.partial(random.key, seed, count)
        step = _StepGame(game, sizes, rule, key, rule_states)
        params, state = scheme.step(step, params, state)
        counted(step.evaluations)
        count = count + 1
        rule_states = (step.states, step.trial_states)
        return count, params, state, rule_states, _written(arrays, count, params)

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

    # Traced here for one signature: TensorFlow would warn of a new function per game as retracing.
    return run.get_concrete_function(tf.TensorSpec([], tf.int32))


def _written(arrays: Players, index: Any, params: Players) -> Players:
    return Players(*(a.write(index, own) for a, own in zip(arrays, params, strict=True)))


def _check_members(name: str, value: Any, members: Sequence[str], example: str) -> None:
    if isinstance(value, type) or not all(hasattr(value, each) for each in members):
        raise TypeError(
            f"`{name}` must be an object such as `{example}`, with {', '.join(members)}. "
            f"Received: {value!r}."
        )
