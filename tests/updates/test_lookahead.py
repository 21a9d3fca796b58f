"""Lookahead, extragradient and the optimistic gradient on games with known answers."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.extragradient import Extragradient
from tfgan_stab.updates.lookahead import Lookahead
from tfgan_stab.updates.optimistic import OptimisticGradient
from tfgan_stab.updates.simultaneous import Simultaneous

# The authors' bilinear game at a rate of 0.3, slow step 0.5, periods 1 to 6.
CYCLE_FACTORS = [1.0112, 1.0010, 0.9689, 0.9148, 0.8396, 0.7448]


class Rotation:
    """min over x, max over y of x y, with plain gradient steps."""

    def __init__(self, h):
        self.step_sizes = Players(h, h)

    def field(self, params, minibatch=0, players=BOTH):
        x, y = params
        return Players(
            -y if "generator" in players else None, x if "discriminator" in players else None
        )

    def update(self, params, slopes):
        return Players(
            *(
                p if s is None else p + h * s
                for p, s, h in zip(params, slopes, self.step_sizes, strict=True)
            )
        )

    extrapolate = update


def start():
    return Players(tf.constant(0.6, tf.float64), tf.constant(-0.8, tf.float64))


def points(scheme, h, steps):
    """Returns the complex numbers x + i y after each step, the start first."""
    params, game = start(), Rotation(h)
    state = scheme.init(params)
    visited = [complex(*params)]
    for _ in range(steps):
        params, state = scheme.step(game, params, state)
        visited.append(complex(*params))
    return np.array(visited)


def factor(scheme, h, cycle=1, cycles=10):
    """How much one cycle of steps multiplies the radius by."""
    radii = np.abs(points(scheme, h, cycle * cycles))
    return (radii[-1] / radii[0]) ** (1 / cycles)


@pytest.mark.parametrize("period", range(1, 7))
def test_a_cycle_over_simultaneous_steps_multiplies_the_radius_by_its_closed_form(period):
    scheme = Lookahead(Simultaneous(), sync_period=period, slow_step_size=0.5)
    measured = factor(scheme, 0.3, cycle=period)
    np.testing.assert_allclose(measured, abs(0.5 + 0.5 * (1 + 0.3j) ** period), rtol=1e-12)
    assert round(measured, 4) == CYCLE_FACTORS[period - 1]


@pytest.mark.parametrize(("alpha", "expected"), [(0.4, 0.7199), (0.8, 1.0198)])
def test_the_slow_step_size_decides_whether_a_cycle_contracts(alpha, expected):
    scheme = Lookahead(Simultaneous(), sync_period=6, slow_step_size=alpha)
    assert round(factor(scheme, 0.3, cycle=6), 4) == expected


@pytest.mark.parametrize(("period", "expected"), [(5, 0.7297), (6, 0.6189)])
def test_a_cycle_over_alternating_steps_has_the_known_spectral_radius(period, expected):
    scheme = Lookahead(Alternating(), sync_period=period, slow_step_size=0.5)
    visited = points(scheme, 0.3, 40 * period)[::period]
    # Two real dimensions: the largest eigenvalue's modulus is the long-run rate.
    rate = (abs(visited[40]) / abs(visited[10])) ** (1 / 30)
    assert abs(rate - expected) < 0.01


def test_the_second_level_pulls_the_first_ones_weights():
    scheme = Lookahead(Simultaneous(), 2, 0.5, super_slow_period=6)
    inner = 0.5 + 0.5 * (1 + 0.3j) ** 2
    np.testing.assert_allclose(factor(scheme, 0.3, cycle=6), abs(0.5 + 0.5 * inner**3), rtol=1e-12)


def test_nested_lookahead_is_the_second_level_bit_for_bit():
    nested = Lookahead(Lookahead(Simultaneous(), 2, 0.5), 6, 0.5)
    levels = Lookahead(Simultaneous(), 2, 0.5, super_slow_period=6)
    one, other = points(nested, 0.3, 40), points(levels, 0.3, 40)
    assert np.all(one == other)


def test_an_outer_pull_overwrites_the_snapshots_of_all_levels_inside():
    # Without, inner pulls towards what the outer one has left would make this cycle diverge.
    h, scheme = 0.3, Lookahead(Lookahead(Simultaneous(), 1, 0.1), 6, 0.5)
    inner = 1 + 0.1 * 1j * h
    np.testing.assert_allclose(factor(scheme, h, cycle=6), abs(0.5 + 0.5 * inner**6), rtol=1e-12)
    three = Lookahead(Lookahead(Lookahead(Simultaneous(), 1, 0.5), 2, 0.5), 4, 0.5)
    level = 0.5 + 0.5 * (1 + 0.5 * 1j * h) ** 2
    np.testing.assert_allclose(factor(three, h, cycle=4), abs(0.5 + 0.5 * level**2), rtol=1e-12)


def test_both_players_are_pulled_back_together():
    visited = points(Lookahead(Simultaneous(), 2, 0.5), 0.3, 2)
    plain = points(Simultaneous(), 0.3, 2)
    np.testing.assert_allclose(visited[2], (plain[0] + plain[2]) / 2, rtol=1e-12)
    assert visited[1] == plain[1]


@pytest.mark.parametrize("inner", [Simultaneous(), Extragradient(), Alternating()], ids=repr)
def test_a_full_slow_step_is_the_inner_scheme_bit_for_bit(inner):
    one, other = points(Lookahead(inner, 3, 1.0), 0.3, 20), points(inner, 0.3, 20)
    assert np.all(one == other)


def test_a_period_of_one_mixes_each_step_with_the_one_before():
    visited = points(Lookahead(Simultaneous(), 1, 0.25), 0.3, 10)
    expected = visited[0] * (1 + 0.25 * 0.3j) ** np.arange(11)
    np.testing.assert_allclose(visited, expected, rtol=1e-12)


@pytest.mark.parametrize("h", [0.1, 0.3, 0.9])
def test_extragradient_multiplies_the_radius_by_its_closed_form(h):
    measured = factor(Extragradient(), h)
    np.testing.assert_allclose(measured, math.sqrt(1 - h**2 + h**4), rtol=1e-12)


@pytest.mark.parametrize("h", [0.1, 0.3])
def test_optimistic_steps_follow_their_recurrence_and_contract(h):
    visited = points(OptimisticGradient(), h, 60)
    turned = 1j * h * visited  # h v(w) on the rotation
    expected = visited[1:-1] + 2 * turned[1:-1] - turned[:-2]
    np.testing.assert_allclose(visited[2:], expected, rtol=1e-10)
    np.testing.assert_allclose(visited[1], visited[0] + turned[0], rtol=1e-12)
    assert abs(visited[-1]) < abs(visited[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sync_period": 0}, "`sync_period` must be a number of steps"),
        ({"sync_period": 2.0}, "`sync_period` must be a number of steps"),
        (
            {"sync_period": 5, "slow_step_size": 0.0},
            r"`slow_step_size` must be a number in \(0, 1\]",
        ),
        (
            {"sync_period": 5, "slow_step_size": 1.5},
            r"`slow_step_size` must be a number in \(0, 1\]",
        ),
        ({"sync_period": 5, "super_slow_period": 12}, "must be a multiple of `sync_period`"),
        ({"sync_period": 5, "super_slow_period": -5}, "`super_slow_period` must be a number"),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lookahead(Simultaneous(), **arguments)


@pytest.mark.parametrize("outer", [3, 8])
def test_clashing_periods_of_nested_lookahead_are_refused(outer):
    with pytest.raises(ValueError, match="periods of nested Lookahead must be multiples"):
        Lookahead(Lookahead(Simultaneous(), 5), outer)


def test_lookahead_around_what_is_no_scheme_is_refused():
    with pytest.raises(TypeError, match="`scheme` must be an update scheme"):
        Lookahead("adam", 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"state": "own"}, '`state` must be "shared"'), ({"batches": "new"}, "`batches` must be")],
)
def test_impossible_extragradients_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Extragradient(**arguments)
