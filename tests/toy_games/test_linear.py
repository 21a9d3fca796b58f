"""Schemes on linear games, against exact flows and against matrices built without the schemes."""

import numpy as np
import pytest

import tfgan_stab as tgs

EULER = tgs.Simultaneous()

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


@pytest.mark.cases(full=34)
@pytest.mark.slow
@every_scheme
@pytest.mark.parametrize(
    ("step_sizes", "damping"),
    [
        pytest.param(0.3, 0.0, id="one rate-rotation", marks=pytest.mark.exhaustive),
        pytest.param(0.3, 0.1, id="one rate-damped", marks=pytest.mark.exhaustive),
        pytest.param((0.2, 0.3), 0.0, id="two rates-rotation"),
        pytest.param((0.2, 0.3), 0.1, id="two rates-damped"),
    ],
)
def test_rotations_contract_as_the_matrices_predict(scheme, step_sizes, damping, predicted_factor):
    game = tgs.games.DampedRotation(damping, frequency=1.0)
    run = tgs.games.play(game, scheme, step_sizes, steps=300)
    expected = predicted_factor(game, scheme, step_sizes)
    np.testing.assert_allclose(run.factor, expected, rtol=1e-10)
    assert run.evaluations == 300 * scheme.evaluations


def exponential(matrix):
    """The matrix exponential by squaring and a Taylor series, without eigenvectors."""
    term = total = np.eye(len(matrix))
    for order in range(1, 20):
        term = term @ matrix / (1024 * order)
        total = total + term
    return np.linalg.matrix_power(total, 1024)


@pytest.mark.cases(fast=2)
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


@pytest.mark.cases(full=8)
@pytest.mark.slow
@every_scheme
def test_random_games_contract_as_the_matrices_predict(scheme, predicted_factor):
    game = tgs.games.RandomLinear((3, 2), seed=3, damping=0.3, rotation=2.0)
    run = tgs.games.play(game, scheme, 0.1, steps=3000)
    np.testing.assert_allclose(run.factor, predicted_factor(game, scheme, 0.1), rtol=1e-7)
