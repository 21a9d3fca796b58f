"""TTUR's saddle: two rates reach it sooner than one, at the times measured for the paper's run."""

import numpy as np
import pytest

import tfgan_stab as tgs


def steps_to_the_saddle(step_sizes):
    """Of 200 runs, how many steps each takes to come within 0.1; NaN where it never does."""
    game = tgs.games.Saddle(noise=1.0, runs=200)
    distances = tgs.games.play(game, tgs.Simultaneous(), step_sizes, steps=5000).distances
    near = distances < 0.1
    return np.where(near.any(axis=0), near.argmax(axis=0), np.nan)


@pytest.mark.parametrize(
    ("step_sizes", "median"), [((1e-4, 1e-2), 91), ((1e-3, 1e-3), 675)], ids=["two", "one"]
)
def test_the_median_time_to_the_saddle(step_sizes, median):
    steps = steps_to_the_saddle(step_sizes)
    assert not np.isnan(steps).any()
    np.testing.assert_allclose(np.median(steps), median, rtol=0.15)


def test_the_two_rates_exchanged_never_get_there():
    assert np.isnan(steps_to_the_saddle((1e-2, 1e-4))).mean() > 0.9


@pytest.mark.parametrize(
    ("step_sizes", "expected"),
    [((1e-4, 1e-2), 1.0e-9), ((1e-3, 1e-3), 0.054), ((1e-2, 1e-4), 0.33)],
)
def test_distances_without_noise_at_step_1000(step_sizes, expected):
    run = tgs.games.play(tgs.games.Saddle(noise=0.0), tgs.Simultaneous(), step_sizes, steps=1000)
    np.testing.assert_allclose(run.distances[-1], expected, rtol=0.06)
