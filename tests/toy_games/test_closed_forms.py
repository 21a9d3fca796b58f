"""Schemes on rotations, against closed forms."""

import cmath
import math

import numpy as np
import pytest

import tfgan_stab as tgs

EULER = tgs.Simultaneous()
# The notebook of ODE-GAN evaluates half a step ahead, with Heun's weights: of first order only.
SLIP = tgs.Tableau("slip", a=((), (0.5,)), b=(0.5, 0.5), order=1)


def rotation_factor(scheme, h, cycles=100, cycle=1):
    return tgs.games.play(tgs.games.Bilinear(), scheme, h, cycles * cycle).factor ** cycle


@pytest.mark.parametrize(
    ("scheme", "expected", "radius"),
    [
        (tgs.RungeKutta(tgs.EULER), 1.044031, 9.345e14),
        (tgs.RungeKutta(tgs.HEUN), 1.001012, 2.246),
        (tgs.RungeKutta(tgs.RK4), 0.999995, 0.996),
    ],
)
def test_runge_kutta_on_the_rotation(scheme, expected, radius):
    run = tgs.games.play(tgs.games.Bilinear(), scheme, 0.3, steps=800)
    assert abs(run.factor - expected) < 5e-7
    np.testing.assert_allclose(run.distances[-1], radius, rtol=5e-4)


class FrozenOpponent(tgs.updates.Scheme):
    """RK4 done wrong: each player's stages with the other one held at the start."""

    evaluations = 8

    def step(self, game, params, state):
        updated = []
        for i in range(2):
            slopes, trial = [], params
            for ahead in (0.5, 0.5, 1.0, 0.0):
                slopes.append(game.field(trial)[i])
                own = params[i] + ahead * game.step_sizes[i] * slopes[-1]
                trial = tgs.Players(*(own if j == i else params[j] for j in range(2)))
            mean = sum(b * k for b, k in zip(tgs.RK4.b, slopes, strict=True))
            updated.append(params[i] + game.step_sizes[i] * mean)
        return tgs.Players(*updated), state


@pytest.mark.slow
def test_stages_move_both_players_jointly():
    assert abs(rotation_factor(FrozenOpponent(), 0.3) - 1.044031) < 5e-7
    assert rotation_factor(tgs.RungeKutta(tgs.RK4), 0.3) < 1.0


def test_the_wrong_tableau_halves_the_excess_of_euler():
    assert abs(rotation_factor(tgs.RungeKutta(SLIP), 0.3) - 1.022500) < 5e-7


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize(
    ("period", "expected"),
    [(1, 1.0112), (2, 1.0010), (3, 0.9689), (4, 0.9148), (5, 0.8396), (6, 0.7448)],
)
def test_lookahead_over_simultaneous(period, expected):
    factor = rotation_factor(tgs.Lookahead(EULER, period, 0.5), 0.3, cycle=period)
    assert abs(factor - expected) < 5e-5
    np.testing.assert_allclose(factor, abs(0.5 + 0.5 * (1 + 0.3j) ** period), rtol=1e-10)


@pytest.mark.parametrize(("alpha", "expected"), [(0.4, 0.7199), (0.8, 1.0198)])
def test_lookahead_converges_by_slow_step_size(alpha, expected):
    factor = rotation_factor(tgs.Lookahead(EULER, 6, alpha), 0.3, cycle=6)
    assert abs(factor - expected) < 5e-5


def test_lookahead_at_the_limit_of_convergence():
    factor = rotation_factor(tgs.Lookahead(EULER, 6, 0.7841), 0.3, cycle=6)
    assert abs(factor - 1.0) < 2e-4


@pytest.mark.parametrize(("period", "expected"), [(5, 0.7297), (6, 0.6189)])
def test_lookahead_over_alternating(period, expected):
    factor = rotation_factor(tgs.Lookahead(tgs.Alternating(), period, 0.5), 0.3, cycle=period)
    assert abs(factor - expected) < 5e-5


def test_optimistic_gradient_on_the_rotation():
    z = 0.3j
    root = cmath.sqrt((1 + 2 * z) ** 2 - 4 * z)
    expected = max(abs((1 + 2 * z + sign * root) / 2) for sign in (1, -1))
    np.testing.assert_allclose(rotation_factor(tgs.OptimisticGradient(), 0.3), expected, rtol=1e-10)


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (tgs.RungeKutta(tgs.EULER), 1.01000),
        (tgs.RungeKutta(tgs.HEUN), 0.99005),
        (tgs.RungeKutta(tgs.RK4), 0.99005),
        (tgs.RungeKutta(SLIP), 1.000025),
    ],
    ids=["euler", "heun", "rk4", "slip"],
)
def test_runge_kutta_on_the_rotation_of_ode_gan(scheme, expected):
    game = tgs.games.DampedRotation(damping=1.0, frequency=20.0)
    run = tgs.games.play(game, scheme, 0.01, steps=200)
    assert abs(run.factor - expected) < 5e-6


def test_rk4_shrinks_as_the_exact_flow():
    game = tgs.games.DampedRotation(damping=1.0, frequency=20.0)
    assert np.allclose(sorted(np.linalg.eigvals(game.jacobian).imag), [-20.0, 20.0])
    run = tgs.games.play(game, tgs.RungeKutta(tgs.RK4), 0.01, steps=200)
    assert abs(run.factor - math.exp(-0.01)) < 1e-5
