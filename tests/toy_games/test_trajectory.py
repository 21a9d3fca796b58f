"""The measures of a run: distances and the factor per step."""

import numpy as np
import pytest

import tfgan_stab as tgs

BILINEAR, EULER = tgs.games.Bilinear(), tgs.Simultaneous()


def test_distances():
    game = tgs.games.Bilinear(tgs.Players([3.0, 0.0], [0.0, 4.0]))
    run = tgs.games.play(game, EULER, 0.0, steps=2)
    assert run.steps == 2
    np.testing.assert_allclose(run.distances, 5.0)
    np.testing.assert_allclose(run.summed_distances, 7.0)


@pytest.mark.slow
def test_factor_of_overflowing_constant_and_vanishing_runs():
    overflowing = tgs.games.play(BILINEAR, EULER, 5.0, steps=600)
    np.testing.assert_allclose(overflowing.factor, np.sqrt(26.0), rtol=1e-10)
    assert tgs.games.play(BILINEAR, EULER, 0.0, steps=9).factor == pytest.approx(1.0, abs=1e-12)
    vanishing = tgs.games.play(BILINEAR, tgs.Lookahead(EULER, 6), 0.3, steps=30_000)
    np.testing.assert_allclose(vanishing.factor**6, 0.744755, rtol=1e-5)
    assert np.isnan(tgs.games.play(BILINEAR, EULER, 0.3, steps=2).factor)


def test_factor_at_the_noise_level_is_one():
    run = tgs.games.play(tgs.games.Saddle(runs=50), EULER, (1e-4, 1e-2), steps=3000)
    assert abs(run.factor - 1.0) < 1e-3
