"""What a scheme must do near the solution of a game, from its formula alone.

Near the solution the field is linear, v(w) = V w, and with step sizes H = diag(h) every scheme is a
product of matrices. Nothing here runs a scheme: matrices and schemes check each other.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

import tfgan_stab as tgs


class Linear(NamedTuple):
    """A linear game with its step sizes: HV, and which rows are the generator's."""

    steps: np.ndarray
    is_generator: np.ndarray


def predicted_factor(game, scheme, step_sizes):
    """By how much a step of plain gradient steps multiplies the distance in the long run.

    It is the spectral radius of the matrix of one cycle of steps, taken to one step. A stochastic
    game's factor is that of its mean field.
    """
    generator, discriminator = np.broadcast_to(step_sizes, [2])
    is_generator = np.arange(len(game.jacobian)) < game.start.generator.shape[-1]
    h = np.where(is_generator, generator, discriminator)
    steps = matrices(scheme, Linear(h[:, None] * game.jacobian, is_generator))
    cycle = functools.reduce(lambda product, matrix: matrix @ product, steps)
    return float(np.abs(np.linalg.eigvals(cycle)).max() ** (1.0 / len(steps)))


@functools.singledispatch
def matrices(scheme: Any, linear):
    """One matrix per step of a cycle, acting on the weights and then on the scheme's state."""
    raise TypeError(f"No formula for {scheme!r}, which acts on {linear!r}.")


@matrices.register
def _(scheme: tgs.Simultaneous, linear):
    # I + HV
    return [identity(linear) + linear.steps]


@matrices.register
def _(scheme: tgs.Alternating, linear):
    # The discriminator's rows of I + HV n times, then the generator's.
    generator = linear.is_generator[:, None]
    first = identity(linear) + np.where(generator, 0.0, linear.steps)
    last = identity(linear) + np.where(generator, linear.steps, 0.0)
    return [last @ np.linalg.matrix_power(first, scheme.discriminator_steps)]


@matrices.register
def _(scheme: tgs.RungeKutta, linear):
    # The stability function 1 + z b^T (I - z A)^{-1} 1 = 1 + sum_p (b^T A^p 1) z^{p+1} at z = HV.
    stages = scheme.tableau.stages
    a = np.array([[*row, *[0.0] * (stages - len(row))] for row in scheme.tableau.a])
    matrix, power, reached = identity(linear), linear.steps, np.ones(stages)
    for _ in range(stages):
        matrix = matrix + (np.array(scheme.tableau.b) @ reached) * power
        power, reached = power @ linear.steps, a @ reached
    return [matrix]


@matrices.register
def _(scheme: tgs.Extragradient, linear):
    # I + HV (I + HV)
    return [identity(linear) + linear.steps @ (identity(linear) + linear.steps)]


@matrices.register
def _(scheme: tgs.OptimisticGradient, linear):
    # w' = w + 2 HV w - d,  d' = HV w
    steps = linear.steps
    return [np.block([[identity(linear) + 2.0 * steps, -identity(linear)], [steps, 0.0 * steps]])]


@matrices.register
def _(scheme: tgs.Lookahead, linear):
    # What the inner scheme acts on, then the slow weights, then the super slow ones if there are.
    inner = matrices(scheme.inner, linear)
    size, fast = len(linear.steps), len(inner[0])
    levels = 2 if scheme.super_slow_period is None else 3
    period = scheme.super_slow_period or scheme.sync_period
    slow, super_slow = slice(fast, fast + size), slice(fast + size, fast + 2 * size)
    weights, alpha = slice(0, size), scheme.slow_step_size
    # A Lookahead inside remembers slow weights too, which the outer one overwrites.
    inside = slow_weights(scheme.inner, fast, size)
    steps = []
    for count in range(1, period + 1):
        matrix = np.eye(fast + (levels - 1) * size)
        matrix[:fast, :fast] = inner[(count - 1) % len(inner)]
        if count % scheme.sync_period == 0:
            mean = (1.0 - alpha) * matrix[slow] + alpha * matrix[weights]
            overwrite(matrix, [weights, slow, *inside], mean)
        if scheme.super_slow_period is not None and count == period:
            mean = (1.0 - alpha) * matrix[super_slow] + alpha * matrix[weights]
            overwrite(matrix, [weights, slow, super_slow, *inside], mean)
        steps.append(matrix)
    return steps


def slow_weights(scheme, end, size):
    """Where the slow weights of a Lookahead lie, whose state ends at `end`, and those inside."""
    if not isinstance(scheme, tgs.Lookahead):
        return []
    first = end - (1 if scheme.super_slow_period is None else 2) * size
    own = [slice(start, start + size) for start in range(first, end, size)]
    return [*slow_weights(scheme.inner, first, size), *own]


def overwrite(matrix, places, rows):
    for place in places:
        matrix[place] = rows


def identity(linear):
    return np.eye(len(linear.steps))
