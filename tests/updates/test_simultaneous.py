"""Simultaneous steps are Euler's, with one step size per player."""

import numpy as np
import pytest

from tfgan_stab.game.players import Players
from tfgan_stab.updates.simultaneous import Simultaneous


@pytest.mark.parametrize("h", [0.1, 0.3])
def test_radius_of_rotation_grows_as_with_euler(tiny, h):
    radii = np.abs(tiny.orbit(Simultaneous(), h, 50))
    np.testing.assert_allclose(radii[-1], (1 + h * h) ** 25, rtol=1e-12)


def test_each_player_has_its_own_step_size(tiny):
    *_, end = tiny.play(Simultaneous(), tiny.Rotation(Players(0.1, 0.4)), 1)
    np.testing.assert_allclose(end, [0.6 + 0.1 * 0.8, -0.8 + 0.4 * 0.6], rtol=1e-12)


def test_one_evaluation_of_both_players(tiny):
    game = tiny.Rotation(0.1)
    tiny.play(Simultaneous(), game, 1)
    assert game.asked == [(0, ("generator", "discriminator"))]
