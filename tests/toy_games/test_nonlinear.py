"""Dirac-GAN, and TTUR's saddle, which two learning rates reach sooner than one, as in the paper."""

import numpy as np
import pytest
import tensorflow as tf
from measured_slopes import SEED, finite_differences, slopes_of

import tfgan_stab as tgs


def steps_to_the_saddle(step_sizes):
    """How many steps each of 200 runs takes to come within 0.1; NaN where it never does."""
    game = tgs.games.Saddle(noise=1.0, runs=200)
    distances = tgs.games.play(game, tgs.Simultaneous(), step_sizes, steps=5000).distances
    near = distances < 0.1
    return np.where(near.any(axis=0), near.argmax(axis=0), np.nan)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step_sizes", "median"), [((1e-4, 1e-2), 91), ((1e-3, 1e-3), 675)], ids=["two", "one"]
)
def test_median_time_to_the_saddle(step_sizes, median):
    steps = steps_to_the_saddle(step_sizes)
    assert not np.isnan(steps).any()
    np.testing.assert_allclose(np.median(steps), median, rtol=0.15)


@pytest.mark.slow
def test_swapped_rates_never_arrive():
    assert np.isnan(steps_to_the_saddle((1e-2, 1e-4))).mean() > 0.9


@pytest.mark.parametrize(
    ("step_sizes", "expected"),
    [((1e-4, 1e-2), 1.0e-9), ((1e-3, 1e-3), 0.054), ((1e-2, 1e-4), 0.33)],
)
def test_distance_without_noise_after_1000_steps(step_sizes, expected):
    run = tgs.games.play(tgs.games.Saddle(noise=0.0), tgs.Simultaneous(), step_sizes, steps=1000)
    np.testing.assert_allclose(run.distances[-1], expected, rtol=0.06)


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


@pytest.mark.slow
def test_runs_played_at_once_are_independent():
    start = tgs.Players([[1.0], [0.5]], [[1.0], [-2.0]])
    both = tgs.games.DiracGAN("relativistic_average", start)
    run = tgs.games.play(both, tgs.Simultaneous(), 0.1, steps=5)
    for i in range(2):
        one = tgs.games.DiracGAN("relativistic_average", [own[i] for own in start])
        alone = tgs.games.play(one, tgs.Simultaneous(), 0.1, steps=5)
        np.testing.assert_allclose(run.points.generator[:, i], alone.points.generator, rtol=1e-12)


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
