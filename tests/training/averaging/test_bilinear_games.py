"""Averages of circling players shrink as theory says, and do not rescue diverging ones.

The formulas are those of a first-order low-pass filter on a rotation; see Yazici et al. 2019,
arXiv 1806.04498, for what they mean in a GAN.
"""

import numpy as np
import pytest
from folding import folded

import tfgan_stab as tgs

STEP_SIZES = np.array([0.01, 0.02, 0.05, 0.1, 0.2])


def rotation(angles, steps):
    """Points of circles `[steps + 1, angles, 2]`, and the length that is kept on them."""
    turned = np.arange(steps + 1)[:, None] * angles
    return np.stack([np.cos(turned), np.sin(turned)], axis=-1), lambda p: np.sum(p**2, axis=-1)


def alternating(step_sizes, steps):
    """Alternating descent on min max x y, and the quadratic form that it keeps."""
    points = np.empty([steps + 1, len(step_sizes), 2])
    points[0] = x, y = np.array([1.0, 0.0])
    for number in range(1, steps + 1):
        x = x - step_sizes * y
        y = y + step_sizes * x
        points[number, :, 0], points[number, :, 1] = x, y
    return points, lambda p: p[..., 0] ** 2 + p[..., 1] ** 2 - step_sizes * p[..., 0] * p[..., 1]


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize("decay", [0.9, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize("orbit", [rotation, alternating])
def test_an_exponential_average_of_an_orbit_is_smaller_by_the_known_ratio(orbit, decay):
    steps = round(20 / (1 - decay))  # Until nothing is left of the start.
    points, length = orbit(STEP_SIZES, steps)
    angles = STEP_SIZES if orbit is rotation else 2 * np.arcsin(STEP_SIZES / 2)
    expected = (1 - decay) / np.sqrt(1 + decay**2 - 2 * decay * np.cos(angles))
    average = folded(tgs.ExponentialAverage(decay), points[1:], points[0])
    np.testing.assert_allclose(np.sqrt(length(average) / length(points[-1])), expected, rtol=1e-4)


@pytest.mark.slow
def test_the_ratios_are_those_worked_out_for_the_paper():
    for decay, eta, expected in [(0.9, 0.1, 0.72548), (0.99, 0.1, 0.10000), (0.99, 0.01, 0.70888)]:
        steps = round(20 / (1 - decay))
        game, scheme = tgs.games.Bilinear(), tgs.Alternating()
        run = tgs.games.play(game, scheme, step_sizes=eta, steps=steps)
        x, y = (points.reshape(steps + 1) for points in run.points)
        points = np.stack([x, y], axis=-1)
        average = folded(tgs.ExponentialAverage(decay), points[1:], points[0])

        def length(point, eta=eta):  # The discriminator moves first.
            return np.sqrt(np.sum(point**2) + eta * point[0] * point[1])

        np.testing.assert_allclose(length(average) / length(points[-1]), expected, rtol=1e-4)


@pytest.mark.parametrize("decay", [0.9, 0.99, 0.999])
def test_a_half_life_is_the_decay_that_it_stands_for(decay):
    points, _ = rotation(STEP_SIZES, 3000)
    plain = folded(tgs.ExponentialAverage(decay), points[1:], points[0])
    half_life = np.log(0.5) / np.log(decay)
    for rule in (
        tgs.ExponentialAverage(half_life=half_life),
        tgs.ExponentialAverage(half_life=half_life * 32, unit="images"),
    ):
        np.testing.assert_allclose(folded(rule, points[1:], points[0], 32), plain, atol=1e-13)


@pytest.mark.parametrize("decay", [0.9, 0.99])
def test_averages_of_a_diverging_run_diverge_at_a_fixed_ratio(decay):
    steps, factors = 2000, 1 + 1j * STEP_SIZES
    z = factors[None, :] ** np.arange(steps + 1)[:, None]
    points = np.stack([z.real, z.imag], axis=-1)
    average = folded(tgs.ExponentialAverage(decay), points[1:], points[0])
    expected = (1 - decay) * np.sqrt(1 + STEP_SIZES**2) / np.abs(factors - decay)
    np.testing.assert_allclose(
        np.linalg.norm(average, axis=-1) / np.abs(z[-1]), expected, rtol=1e-6
    )
    mean = folded(tgs.UniformAverage(), points[1:], points[0])
    assert np.linalg.norm(mean[3]) == pytest.approx(105, rel=0.05)
    assert np.all(np.linalg.norm(mean, axis=-1)[3:] > 100)


@pytest.mark.parametrize("steps", [1000, 10_000, 100_000])
def test_the_uniform_mean_of_an_orbit_vanishes_as_one_over_its_length(steps):
    points, _ = rotation(STEP_SIZES, steps)
    mean = np.linalg.norm(folded(tgs.UniformAverage(), points[1:], points[0]), axis=-1)
    bound = 1 / (steps * np.sin(STEP_SIZES / 2))
    assert np.all(mean <= bound * (1 + 1e-9))
    angles = np.sin(STEP_SIZES * steps / 2) / np.sin(STEP_SIZES / 2)
    np.testing.assert_allclose(mean, np.abs(angles) / steps, rtol=1e-7)
    orbit, _ = alternating(STEP_SIZES, steps)
    mean = np.linalg.norm(folded(tgs.UniformAverage(), orbit[1:], orbit[0]), axis=-1)
    # An ellipse, whose longer axis is this much longer than a circle.
    assert np.all(mean <= bound / np.sqrt(1 - STEP_SIZES / 2))


@pytest.mark.slow
def test_a_game_with_its_average_has_the_spectrum_of_the_game_and_the_decay():
    random, decay, size = np.random.RandomState(0), 0.9, 6
    skew = random.normal(size=[size, size])
    game = np.eye(size) - 0.05 * (np.eye(size) + skew - skew.T)
    rule = tgs.ExponentialAverage(decay)
    # Column by column: the state moved by one step from each unit vector.
    basis = np.eye(2 * size)
    weights, averages = basis[:, :size], basis[:, size:]
    moved = weights @ game.T
    columns = [folded(rule, m[None], a) for m, a in zip(moved, averages, strict=True)]
    jacobian = np.concatenate([moved, np.array(columns)], axis=1).T
    expected = np.concatenate([np.linalg.eigvals(game), [decay] * size])
    # Equal characteristic polynomials: eigenvalues alone have no order.
    np.testing.assert_allclose(np.poly(jacobian), np.poly(expected), atol=1e-9)
    assert np.all(np.abs(expected) < 1)
