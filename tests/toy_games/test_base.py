"""Games against the functions that their docstrings state."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

SEED = tf.constant([1, 2], tf.int32)


def slopes_of(game, point, seed=SEED):
    """Slopes at a joint point, as one NumPy vector."""
    size = game.start.generator.shape[-1]
    params = tgs.Players(tf.constant(point[:size]), tf.constant(point[size:]))
    return np.concatenate([own.numpy() for own in game.slopes(params, seed)])


def finite_differences(function, point, step=1e-5):
    """Derivatives of a function of a vector by its numbers: one column each."""
    columns = [
        (function(point + step * unit) - function(point - step * unit)) / (2 * step)
        for unit in np.eye(len(point))
    ]
    return np.stack(columns, axis=-1)


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


def small_bilinear(**settings):
    random = np.random.RandomState(0)
    start, terms = random.randn(2, 3), random.randn(2, 3, 3)
    return tgs.games.Bilinear(tgs.Players(*start), tgs.Players(*terms), **settings)


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


@every_game
def test_solution_and_jacobian(game, value):
    del value
    there = np.concatenate(game.solution)
    np.testing.assert_allclose(slopes_of(game, there), 0.0, atol=1e-12)
    measured = finite_differences(lambda point: slopes_of(game, point), there)
    np.testing.assert_allclose(measured, game.jacobian, atol=1e-8)


@pytest.mark.parametrize("loss", ["non_saturating", "hinge", "relativistic_average"])
def test_dirac_gan_takes_each_loss(loss):
    game, given = tgs.games.DiracGAN(loss), tgs.game.losses.get(loss)

    def own_loss(player):
        def value(point):
            fake = tf.constant([point[0] * point[1]], tf.float64)
            return given(tf.zeros([1], tf.float64), fake)[player].numpy()

        return value

    for point in np.random.RandomState(1).randn(3, 2):
        expected = [-finite_differences(own_loss(i), point)[i] for i in (0, 1)]
        np.testing.assert_allclose(slopes_of(game, point), expected, atol=1e-8)


@pytest.mark.parametrize(
    ("loss", "frequency"),
    [("minimax", 0.5), ("non_saturating", 0.5), ("wasserstein", 1.0), ("hinge", 1.0)],
)
def test_dirac_gan_rotates_at_its_equilibrium(loss, frequency):
    values = np.linalg.eigvals(tgs.games.DiracGAN(loss).jacobian)
    np.testing.assert_allclose(values.real, 0.0, atol=1e-15)
    np.testing.assert_allclose(np.abs(values.imag), frequency, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["minimax", "wasserstein"])
def test_dirac_gan_circles_with_rk4_and_diverges_with_euler(loss):
    game = tgs.games.DiracGAN(loss)
    circle = tgs.games.play(game, tgs.RungeKutta(tgs.RK4), 0.05, steps=1000)
    np.testing.assert_allclose(circle.distances, np.sqrt(2.0), rtol=1e-6)
    assert np.ptp(circle.points.generator) > 2.8, "it went all the way round"
    spiral = tgs.games.play(game, tgs.Simultaneous(), 0.05, steps=1000)
    assert np.all(np.diff(spiral.distances) > 0)


def test_runs_played_at_once_are_independent():
    start = tgs.Players([[1.0], [0.5]], [[1.0], [-2.0]])
    both = tgs.games.DiracGAN("relativistic_average", start)
    run = tgs.games.play(both, tgs.Simultaneous(), 0.1, steps=5)
    for i in range(2):
        one = tgs.games.DiracGAN("relativistic_average", [own[i] for own in start])
        alone = tgs.games.play(one, tgs.Simultaneous(), 0.1, steps=5)
        np.testing.assert_allclose(run.points.generator[:, i], alone.points.generator, rtol=1e-12)


def test_a_minibatch_sums_distinct_terms():
    game = small_bilinear(batch_size=2)
    point = np.random.RandomState(5).randn(6)
    x, y = np.split(point, 2)
    x_terms, y_terms = (own.numpy() for own in game.terms)
    units = np.eye(3)
    possible = {
        (i, j): np.concatenate(
            [
                -sum(units[k] * y[k] + x_terms[k] for k in (i, j)),
                sum(units[k] * x[k] + y_terms[k] for k in (i, j)),
            ]
        )
        for i, j in [(0, 1), (0, 2), (1, 2)]
    }
    seen = []
    for number in range(60):
        slopes = slopes_of(game, point, tf.constant([0, number], tf.int32))
        fits = [pair for pair, expected in possible.items() if np.allclose(slopes, expected)]
        assert len(fits) == 1
        seen.extend(fits)
    # 20 of 60 each; 8 is more than three standard deviations below.
    assert all(seen.count(pair) > 8 for pair in possible)


def test_a_minibatch_of_all_terms_is_the_full_batch():
    point = np.random.RandomState(5).randn(6)
    full, all_seen = small_bilinear(), small_bilinear(batch_size=3)
    np.testing.assert_allclose(slopes_of(full, point), slopes_of(all_seen, point), rtol=1e-12)
    np.testing.assert_array_equal(full.jacobian, all_seen.jacobian)
    np.testing.assert_allclose(small_bilinear(batch_size=2).jacobian, full.jacobian * 2 / 3)


def test_saddle_noise_is_normal_and_independent_per_player():
    game = tgs.games.Saddle(noise=2.0, runs=20_000)
    still = [own.numpy() for own in tgs.games.Saddle(0.0, 20_000).slopes(game.start, SEED)]
    drawn = [
        own.numpy() - base for own, base in zip(game.slopes(game.start, SEED), still, strict=True)
    ]
    for own in drawn:
        # Five standard errors of a mean and of a standard deviation of 20,000.
        assert abs(own.mean()) < 5 * 2 / np.sqrt(20_000)
        assert abs(own.std() - 2) < 5 * 2 / np.sqrt(40_000)
    assert abs(np.corrcoef(np.concatenate(drawn, axis=1).T)[0, 1]) < 5 / np.sqrt(20_000)


def test_notebook_problems_are_drawn_from_numpys_legacy_stream():
    np.random.seed(3)
    scale = 1.0 / np.sqrt(np.random.randint(100**2, size=1) + 1)
    np.random.randint(100**2, size=1)
    first = tgs.games.Bilinear.full_batch_problem(0)
    np.testing.assert_array_equal(first.start.generator, scale * np.random.randn(100))
    np.random.seed(4)
    fifth = tgs.games.Bilinear.stochastic_problem(16, seed=4)
    start = [1.0 / np.sqrt(100) * np.random.randn(100) for _ in range(2)]
    np.testing.assert_allclose(fifth.start, start, rtol=1e-15)
    for own in (fifth.terms.generator[0], fifth.terms.discriminator[0], fifth.terms.generator[1]):
        np.testing.assert_allclose(own, np.random.randn(100) / 10, rtol=1e-15)


def test_several_notebook_problems_at_once():
    several = tgs.games.Bilinear.full_batch_problem([3, 1])
    for i, number in enumerate([3, 1]):
        one = tgs.games.Bilinear.full_batch_problem(number)
        np.testing.assert_array_equal(several.start.discriminator[i], one.start.discriminator)
        np.testing.assert_allclose(several.solution.generator[i], one.solution.generator)
    several = tgs.games.Bilinear.stochastic_problem(64, seed=[7, 2])
    one = tgs.games.Bilinear.stochastic_problem(64, seed=2)
    np.testing.assert_array_equal(several.terms.discriminator[1], one.terms.discriminator)


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
