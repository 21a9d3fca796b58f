"""Schemes on linear games, against closed forms and against matrices built without them."""

import cmath
import math

import numpy as np
import pytest

import tfgan_stab as tgs

EULER = tgs.Simultaneous()
# The notebook of ODE-GAN evaluates half a step ahead, with Heun's weights: of first order only.
SLIP = tgs.Tableau("slip", a=((), (0.5,)), b=(0.5, 0.5), order=1)

SCHEMES = {
    "simultaneous": EULER,
    "alternating": tgs.Alternating(),
    "alternating_3": tgs.Alternating(3),
    "euler": tgs.RungeKutta(tgs.EULER),
    "midpoint": tgs.RungeKutta(tgs.MIDPOINT),
    "heun": tgs.RungeKutta(tgs.HEUN),
    "ralston": tgs.RungeKutta(tgs.RALSTON),
    "rk4": tgs.RungeKutta(tgs.RK4),
    "rk4_fresh": tgs.RungeKutta(tgs.RK4, batches="fresh"),
    "extragradient": tgs.Extragradient(),
    "extragradient_separate": tgs.Extragradient(state="separate"),
    "optimistic": tgs.OptimisticGradient(),
    "lookahead": tgs.Lookahead(EULER, 6),
    "lookahead_alternating": tgs.Lookahead(tgs.Alternating(2), 5, 0.3),
    "lookahead_extragradient": tgs.Lookahead(tgs.Extragradient(), 6),
    "lookahead_optimistic": tgs.Lookahead(tgs.OptimisticGradient(), 4),
    "two_levels": tgs.Lookahead(EULER, 2, 0.5, super_slow_period=6),
    "nested": tgs.Lookahead(tgs.Lookahead(EULER, 2, 0.4), 6, 0.7),
}
every_scheme = pytest.mark.parametrize("scheme", list(SCHEMES.values()), ids=list(SCHEMES))


def rotation_factor(scheme, h, cycles=100, cycle=1):
    return tgs.games.play(tgs.games.Bilinear(), scheme, h, cycles * cycle).factor ** cycle


@pytest.mark.slow
@every_scheme
@pytest.mark.parametrize("step_sizes", [0.3, (0.2, 0.3)], ids=["one rate", "two rates"])
@pytest.mark.parametrize("damping", [0.0, 0.1], ids=["rotation", "damped"])
def test_rotations_contract_as_the_matrices_predict(scheme, step_sizes, damping, predicted_factor):
    game = tgs.games.DampedRotation(damping, frequency=1.0)
    run = tgs.games.play(game, scheme, step_sizes, steps=300)
    expected = predicted_factor(game, scheme, step_sizes)
    np.testing.assert_allclose(run.factor, expected, rtol=1e-10)
    assert run.evaluations == 300 * scheme.evaluations


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


def test_stages_move_both_players_jointly():
    assert abs(rotation_factor(FrozenOpponent(), 0.3) - 1.044031) < 5e-7
    assert rotation_factor(tgs.RungeKutta(tgs.RK4), 0.3) < 1.0


def test_the_wrong_tableau_halves_the_excess_of_euler():
    assert abs(rotation_factor(tgs.RungeKutta(SLIP), 0.3) - 1.022500) < 5e-7


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


def exponential(matrix):
    """The matrix exponential by squaring and a Taylor series, without eigenvectors."""
    term = total = np.eye(len(matrix))
    for order in range(1, 20):
        term = term @ matrix / (1024 * order)
        total = total + term
    return np.linalg.matrix_power(total, 1024)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("step_sizes", [(0.01, 0.01), (0.005, 0.02)])
def test_rk4_with_small_steps_follows_the_exact_flow(seed, step_sizes):
    game = tgs.games.RandomLinear((3, 2), seed=seed)
    run = tgs.games.play(game, tgs.RungeKutta(tgs.RK4), step_sizes, steps=500)
    speeds = np.repeat(step_sizes, [3, 2])
    flow = exponential(500 * speeds[:, None] * game.jacobian)
    expected = flow @ np.concatenate(game.start)
    reached = np.concatenate([own[-1] for own in run.points])
    np.testing.assert_allclose(reached, expected, rtol=0, atol=1e-8)


@pytest.mark.slow
@every_scheme
def test_random_games_contract_as_the_matrices_predict(scheme, predicted_factor):
    game = tgs.games.RandomLinear((3, 2), seed=3, damping=0.3, rotation=2.0)
    run = tgs.games.play(game, scheme, 0.1, steps=3000)
    np.testing.assert_allclose(run.factor, predicted_factor(game, scheme, 0.1), rtol=1e-7)
