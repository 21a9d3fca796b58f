"""TTUR's saddle: two learning rates reach it sooner than one, as measured for the paper."""

import numpy as np
import pytest

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
