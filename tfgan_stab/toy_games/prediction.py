"""What a scheme must do near the solution of a game, from its formula alone.

Near the solution the field is linear, v(w) = V w, and with step sizes H = diag(h) every scheme is a
product of matrices. Nothing here runs a scheme: matrices and schemes check each other.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from tfgan_stab.game.players import Players
from tfgan_stab.toy_games.play import as_step_sizes
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.extragradient import Extragradient
from tfgan_stab.updates.lookahead import Lookahead
from tfgan_stab.updates.optimistic import OptimisticGradient
from tfgan_stab.updates.runge_kutta import RungeKutta
from tfgan_stab.updates.simultaneous import Simultaneous


class _Linear(NamedTuple):
    """A linear game with its step sizes.

    Attributes:
        steps: HV, `[n, n]`.
        is_generator: bool `[n]`, whose number it is.
    """

    steps: np.ndarray
    is_generator: np.ndarray


def predicted_factor(game_or_jacobian: Any, scheme: Any, step_sizes: Any) -> float:
    """Returns by how much a step of plain gradient steps multiplies the distance in the long run.

    It is the spectral radius of the matrix of one cycle of steps, taken to one step: below 1 the
    scheme converges near the solution, above it diverges. A stochastic game's factor is that of its
    mean field.

    Args:
        game_or_jacobian: A game; or the Jacobian V of its field, `[n, n]`, of which each player has
            one half of the rows.
        scheme: A scheme of this library.
        step_sizes: As in `play`: one number, or two, the generator's first.

    Raises:
        TypeError: If it is not known how the scheme acts on a linear field.
        ValueError: If the Jacobian or the step sizes are out of range.

    Example:
        >>> import tfgan_stab as tgs
        >>> scheme = tgs.Lookahead(tgs.Simultaneous(), sync_period=6, slow_step_size=0.5)
        >>> round(predicted_factor(tgs.games.Bilinear(), scheme, 0.3) ** 6, 4)
        0.7448
    """
    jacobian, generator_size = _linearised(game_or_jacobian)
    sizes = as_step_sizes(step_sizes)
    is_generator = np.arange(len(jacobian)) < generator_size
    h = np.where(is_generator, sizes.generator, sizes.discriminator)
    steps = _steps(scheme, _Linear(h[:, None] * jacobian, is_generator))
    cycle = functools.reduce(lambda product, matrix: matrix @ product, steps)
    return float(np.abs(np.linalg.eigvals(cycle)).max() ** (1.0 / len(steps)))


@functools.singledispatch
def _steps(scheme: Any, linear: _Linear) -> list[np.ndarray]:
    """Returns one matrix per step of a cycle, acting on weights and then what is remembered."""
    del linear
    raise TypeError(
        "`scheme` must be a scheme of this library: Simultaneous, Alternating, RungeKutta, "
        "Extragradient, OptimisticGradient or Lookahead around one of them. Received: "
        f"{scheme!r}. Measure its factor instead: tgs.games.play(...).factor."
    )


@_steps.register
def _simultaneous(scheme: Simultaneous, linear: _Linear) -> list[np.ndarray]:
    # I + HV
    del scheme
    return [_identity(linear) + linear.steps]


@_steps.register
def _alternating(scheme: Alternating, linear: _Linear) -> list[np.ndarray]:
    # The discriminator's rows of I + HV n times, then the generator's.
    generator = linear.is_generator[:, None]
    first = _identity(linear) + np.where(generator, 0.0, linear.steps)
    last = _identity(linear) + np.where(generator, linear.steps, 0.0)
    return [last @ np.linalg.matrix_power(first, scheme.discriminator_steps)]


@_steps.register
def _runge_kutta(scheme: RungeKutta, linear: _Linear) -> list[np.ndarray]:
    # The stability function 1 + z b^T (I - z A)^{-1} 1 = 1 + sum_p (b^T A^p 1) z^{p+1} at z = HV.
    tableau: Any = scheme.tableau
    stages = tableau.stages
    a = np.array([[*row, *[0.0] * (stages - len(row))] for row in tableau.a])
    matrix, power, reached = _identity(linear), linear.steps, np.ones(stages)
    for _ in range(stages):
        matrix = matrix + (np.array(tableau.b) @ reached) * power
        power, reached = power @ linear.steps, a @ reached
    return [matrix]


@_steps.register
def _extragradient(scheme: Extragradient, linear: _Linear) -> list[np.ndarray]:
    # I + HV (I + HV)
    del scheme
    return [_identity(linear) + linear.steps @ (_identity(linear) + linear.steps)]


@_steps.register
def _optimistic(scheme: OptimisticGradient, linear: _Linear) -> list[np.ndarray]:
    # w' = w + 2 HV w - d,  d' = HV w
    del scheme
    identity, steps = _identity(linear), linear.steps
    return [np.block([[identity + 2.0 * steps, -identity], [steps, np.zeros_like(steps)]])]


@_steps.register
def _lookahead(scheme: Lookahead, linear: _Linear) -> list[np.ndarray]:
    # What the inner scheme acts on, then the slow weights, then the super slow ones if there are.
    inner = _steps(scheme.inner, linear)
    size, fast = len(linear.steps), len(inner[0])
    levels = 2 if scheme.super_slow_period is None else 3
    period = scheme.super_slow_period or scheme.sync_period
    slow, super_slow = slice(fast, fast + size), slice(fast + size, fast + 2 * size)
    weights, alpha = slice(0, size), scheme.slow_step_size
    # A Lookahead inside remembers slow weights only, after what it wraps: the outer pull's too.
    inside = _slow_weights(scheme.inner, fast, size)
    steps = []
    for count in range(1, period + 1):
        matrix = np.eye(fast + (levels - 1) * size)
        matrix[:fast, :fast] = inner[(count - 1) % len(inner)]
        if count % scheme.sync_period == 0:
            pulled = (1.0 - alpha) * matrix[slow] + alpha * matrix[weights]
            matrix[weights] = matrix[slow] = pulled
            _overwrite(matrix, inside, pulled)
        if scheme.super_slow_period is not None and count == period:
            pulled = (1.0 - alpha) * matrix[super_slow] + alpha * matrix[weights]
            matrix[weights] = matrix[slow] = matrix[super_slow] = pulled
            _overwrite(matrix, inside, pulled)
        steps.append(matrix)
    return steps


def _slow_weights(scheme: Any, end: int, size: int) -> list[slice]:
    """Returns where a Lookahead's slow weights lie, whose state ends at `end`, and those inside."""
    if not isinstance(scheme, Lookahead):
        return []
    first = end - (1 if scheme.super_slow_period is None else 2) * size
    own = [slice(start, start + size) for start in range(first, end, size)]
    return [*_slow_weights(scheme.inner, first, size), *own]


def _overwrite(matrix: np.ndarray, places: list[slice], pulled: np.ndarray) -> None:
    for place in places:
        matrix[place] = pulled


def _identity(linear: _Linear) -> np.ndarray:
    return np.eye(len(linear.steps))


def _linearised(game_or_jacobian: Any) -> tuple[np.ndarray, int]:
    """Returns the Jacobian and how many of its rows are the generator's."""
    game = game_or_jacobian
    if hasattr(game, "jacobian"):
        start: Players = game.start
        return np.asarray(game.jacobian, np.float64), start.generator.shape[-1]
    jacobian = np.asarray(game, np.float64) if isinstance(game, (list, tuple, np.ndarray)) else None
    if jacobian is None or jacobian.ndim != 2 or jacobian.shape[0] != jacobian.shape[1]:
        shape = "" if jacobian is None else f" of shape {jacobian.shape}"
        raise ValueError(
            "`game_or_jacobian` must be a game such as tgs.games.Bilinear(), or a square matrix. "
            f"Received: {type(game).__name__}{shape}."
        )
    if len(jacobian) % 2 or not np.all(np.isfinite(jacobian)):
        raise ValueError(
            "The Jacobian must have finite entries and an even number of rows, half of them the "
            f"generator's. Received shape: {jacobian.shape}. Give the game itself if the players "
            "have different numbers."
        )
    return jacobian, len(jacobian) // 2
