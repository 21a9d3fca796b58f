"""What every game promises: slopes of the function that it states, and checked arguments."""

import numpy as np
import pytest
from measured_slopes import finite_differences, slopes_of, small_bilinear

import tfgan_stab as tgs


def downhill(value, sizes):
    """The field of min over x, max over y of a function of the joint point."""

    def field(point):
        gradient = finite_differences(value, point)
        return np.concatenate([-gradient[: sizes[0]], gradient[sizes[0] :]])

    return field


def bilinear(game):
    x_terms, y_terms = (own.numpy() for own in game.terms)

    def value(point):
        x, y = np.split(point, 2)
        return sum(
            x @ np.outer(unit, unit) @ y + x @ a + y @ b
            for unit, a, b in zip(np.eye(len(x)), x_terms, y_terms, strict=True)
        )

    return value


def quadratic(game):
    n, _ = game.dimensions
    p, b, q = -game.jacobian[:n, :n], -game.jacobian[:n, n:], -game.jacobian[n:, n:]
    return lambda w: w[:n] @ p @ w[:n] / 2 + w[:n] @ b @ w[n:] - w[n:] @ q @ w[n:] / 2


PLAIN, NOISELESS = tgs.games.Bilinear(), tgs.games.Saddle(noise=0.0)
DAMPED, RANDOM = tgs.games.DampedRotation(0.2, 3.0), tgs.games.RandomLinear((3, 2), seed=4)
VALUES = {
    "plain": (PLAIN, lambda w: w[0] * w[1]),
    "bilinear": (small_bilinear(), bilinear(small_bilinear())),
    "damped": (DAMPED, lambda w: 0.1 * w[0] ** 2 + 3 * w[0] * w[1] - 0.1 * w[1] ** 2),
    "random": (RANDOM, quadratic(RANDOM)),
    "saddle": (NOISELESS, lambda w: (1 + w[0] ** 2) * (100 - w[1] ** 2)),
    "dirac": (
        tgs.games.DiracGAN("minimax"),
        # min over theta, max over psi of -softplus(-psi 0) - softplus(psi theta)
        lambda w: -np.log(2.0) - np.log1p(np.exp(w[0] * w[1])),
    ),
    "dirac_wasserstein": (tgs.games.DiracGAN("wasserstein"), lambda w: -w[0] * w[1]),
}
every_game = pytest.mark.parametrize(("game", "value"), list(VALUES.values()), ids=list(VALUES))


@every_game
def test_slopes_are_those_of_the_stated_function(game, value):
    sizes = [own.shape[-1] for own in game.start]
    for point in np.random.RandomState(1).randn(3, sum(sizes)):
        expected = downhill(value, sizes)(point)
        np.testing.assert_allclose(slopes_of(game, point), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.cases(fast=5)
@every_game
def test_solution_and_jacobian(game, value):
    del value
    there = np.concatenate(game.solution)
    np.testing.assert_allclose(slopes_of(game, there), 0.0, atol=1e-12)
    measured = finite_differences(lambda point: slopes_of(game, point), there)
    np.testing.assert_allclose(measured, game.jacobian, atol=1e-8)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda g: g.Bilinear(start=1.0), ValueError, "`start` must be two numbers or arrays"),
        (lambda g: g.Bilinear(start=("a", 1.0)), ValueError, "`start` must hold numbers"),
        (lambda g: g.Bilinear(start=(np.inf, 1.0)), ValueError, "`start` must hold finite"),
        (lambda g: g.Bilinear(([1.0, 2.0], [1.0])), ValueError, "equally many numbers"),
        (lambda g: g.Bilinear(terms=([1.0], [1.0])), ValueError, "`terms` must be n x n arrays"),
        (
            lambda g: g.Bilinear(batch_size=2),
            ValueError,
            "`batch_size` must be .*from 1 to 1. Received: 2",
        ),
        (
            lambda g: g.Bilinear(batch_size=0),
            ValueError,
            "`batch_size` must be .*from 1 to 1. Received",
        ),
        (
            lambda g: g.Bilinear.full_batch_problem(5),
            ValueError,
            "`number` must be an integer from 0 to 4",
        ),
        (
            lambda g: g.Bilinear.full_batch_problem(0.5),
            ValueError,
            "`number` must be an integer from",
        ),
        (
            lambda g: g.Bilinear.stochastic_problem(101),
            ValueError,
            "`batch_size` must be .*from 1 to 100. Rec",
        ),
        (lambda g: g.Bilinear.stochastic_problem(1, -1), ValueError, "`seed` must be an integer"),
        (lambda g: g.DampedRotation(damping=-1.0), ValueError, "`damping` must be a number >= 0"),
        (
            lambda g: g.DampedRotation(0.0, "fast"),
            ValueError,
            "`frequency` must be a number that is finite",
        ),
        (lambda g: g.RandomLinear(3), ValueError, "`dimensions` must be two integers"),
        (lambda g: g.RandomLinear((3, 0)), ValueError, "`dimensions` must be an integer >= 1"),
        (lambda g: g.RandomLinear(seed=-1), ValueError, "`seed` must be an integer from 0"),
        (lambda g: g.RandomLinear(damping=0.0), ValueError, "`damping` must be a number > 0"),
        (lambda g: g.RandomLinear(rotation=-1.0), ValueError, "`rotation` must be a number >= 0"),
        (lambda g: g.DiracGAN("minmax"), ValueError, "Did you mean 'minimax'"),
        (lambda g: g.DiracGAN(3), TypeError, "`loss` must be one of the names"),
        (lambda g: g.Saddle(noise=-1.0), ValueError, "`noise` must be a number >= 0"),
        (lambda g: g.Saddle(runs=0), ValueError, "`runs` must be an integer >= 1"),
    ],
)
def test_games_check_their_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make(tgs.games)
