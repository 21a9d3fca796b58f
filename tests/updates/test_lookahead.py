"""Lookahead on a rotation, where every cycle's factor is known."""

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game.players import Players
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.extragradient import Extragradient
from tfgan_stab.updates.lookahead import Lookahead
from tfgan_stab.updates.scheme import Game
from tfgan_stab.updates.simultaneous import Simultaneous

# The authors' bilinear game at a rate of 0.3, slow step 0.5, periods 1 to 6.
CYCLE_FACTORS = [1.0112, 1.0010, 0.9689, 0.9148, 0.8396, 0.7448]


@pytest.mark.parametrize("period", range(1, 7))
def test_cycle_of_simultaneous_steps_has_closed_form(tiny, period):
    scheme = Lookahead(Simultaneous(), sync_period=period, slow_step_size=0.5)
    measured = tiny.factor_of_radius(scheme, 0.3, cycle=period)
    np.testing.assert_allclose(measured, abs(0.5 + 0.5 * (1 + 0.3j) ** period), rtol=1e-12)
    assert round(measured, 4) == CYCLE_FACTORS[period - 1]


@pytest.mark.parametrize(("alpha", "expected"), [(0.4, 0.7199), (0.8, 1.0198)])
def test_slow_step_size_decides_contraction(tiny, alpha, expected):
    scheme = Lookahead(Simultaneous(), sync_period=6, slow_step_size=alpha)
    assert round(tiny.factor_of_radius(scheme, 0.3, cycle=6), 4) == expected


@pytest.mark.parametrize(("period", "expected"), [(5, 0.7297), (6, 0.6189)])
def test_cycle_of_alternating_steps_has_known_spectral_radius(tiny, period, expected):
    scheme = Lookahead(Alternating(), sync_period=period, slow_step_size=0.5)
    visited = tiny.orbit(scheme, 0.3, 40 * period)[::period]
    # Two real dimensions: the largest eigenvalue's modulus is the long-run rate.
    rate = (abs(visited[40]) / abs(visited[10])) ** (1 / 30)
    assert abs(rate - expected) < 0.01


def test_second_level_pulls_first_levels_weights(tiny):
    scheme = Lookahead(Simultaneous(), 2, 0.5, super_slow_period=6)
    inner = 0.5 + 0.5 * (1 + 0.3j) ** 2
    measured = tiny.factor_of_radius(scheme, 0.3, cycle=6)
    np.testing.assert_allclose(measured, abs(0.5 + 0.5 * inner**3), rtol=1e-12)


def test_nested_lookahead_equals_second_level(tiny):
    nested = Lookahead(Lookahead(Simultaneous(), 2, 0.5), 6, 0.5)
    levels = Lookahead(Simultaneous(), 2, 0.5, super_slow_period=6)
    np.testing.assert_array_equal(tiny.orbit(nested, 0.3, 40), tiny.orbit(levels, 0.3, 40))


def test_outer_synchronization_restarts_inner_levels(tiny):
    # Without, inner pulls towards what the outer one has left would make this cycle diverge.
    h, scheme = 0.3, Lookahead(Lookahead(Simultaneous(), 1, 0.1), 6, 0.5)
    inner = 1 + 0.1 * 1j * h
    measured = tiny.factor_of_radius(scheme, h, cycle=6)
    np.testing.assert_allclose(measured, abs(0.5 + 0.5 * inner**6), rtol=1e-12)
    three = Lookahead(Lookahead(Lookahead(Simultaneous(), 1, 0.5), 2, 0.5), 4, 0.5)
    level = 0.5 + 0.5 * (1 + 0.5 * 1j * h) ** 2
    measured = tiny.factor_of_radius(three, h, cycle=4)
    np.testing.assert_allclose(measured, abs(0.5 + 0.5 * level**2), rtol=1e-12)


def test_both_players_synchronize_together(tiny):
    visited = tiny.orbit(Lookahead(Simultaneous(), 2, 0.5), 0.3, 2)
    plain = tiny.orbit(Simultaneous(), 0.3, 2)
    np.testing.assert_allclose(visited[2], (plain[0] + plain[2]) / 2, rtol=1e-12)
    assert visited[1] == plain[1]


@pytest.mark.parametrize("inner", [Simultaneous(), Extragradient(), Alternating()], ids=repr)
def test_full_slow_step_equals_inner_scheme(tiny, inner):
    wrapped, plain = tiny.orbit(Lookahead(inner, 3, 1.0), 0.3, 20), tiny.orbit(inner, 0.3, 20)
    np.testing.assert_array_equal(wrapped, plain)


def test_period_of_one_mixes_each_step(tiny):
    visited = tiny.orbit(Lookahead(Simultaneous(), 1, 0.25), 0.3, 10)
    expected = visited[0] * (1 + 0.25 * 0.3j) ** np.arange(11)
    np.testing.assert_allclose(visited, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("scheme", "period"),
    [
        (Lookahead(Alternating(3), 5), 5),
        (Lookahead(Alternating(3), 5, super_slow_period=10), 5),
        (Lookahead(Lookahead(Extragradient("separate", "fresh"), 2), 6), 2),
    ],
    ids=repr,
)
def test_costs_are_those_of_inner_scheme(scheme, period):
    inner = scheme.inner
    for name in ("minibatches", "evaluations", "first_weight", "separate_extrapolation"):
        assert getattr(scheme, name) == getattr(inner, name)
    assert scheme.synchronization_period == period


NO_PERIOD = "`{}` must be a number of steps, an integer >= 1. Received: {}. The authors use 5"
NO_STEP_SIZE = r"`slow_step_size` must be a number in \(0, 1\]. Received: {}. It is the part"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sync_period": 0}, NO_PERIOD.format("sync_period", 0)),
        ({"sync_period": 2.0}, NO_PERIOD.format("sync_period", 2.0)),
        ({"sync_period": 5, "slow_step_size": 0.0}, NO_STEP_SIZE.format(0.0)),
        ({"sync_period": 5, "slow_step_size": 1.5}, NO_STEP_SIZE.format(1.5)),
        (
            {"sync_period": 5, "super_slow_period": 12},
            "`super_slow_period` must be a multiple of `sync_period`.*Received: 12 and 5. Use 50",
        ),
        ({"sync_period": 5, "super_slow_period": -5}, NO_PERIOD.format("super_slow_period", -5)),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lookahead(Simultaneous(), **arguments)


@pytest.mark.parametrize("outer", [3, 8])
def test_nested_periods_must_be_multiples(outer):
    message = f"periods of nested Lookahead must be multiples.*sync_period={outer} around 5. Use 50"
    with pytest.raises(ValueError, match=message):
        Lookahead(Lookahead(Simultaneous(), 5), outer)


def test_inner_scheme_must_be_scheme():
    with pytest.raises(TypeError, match="`scheme` must be an update scheme.*Received: 'adam'"):
        Lookahead("adam", 5)


class OnTheCircle(Game):
    """Both players' weights are numbers of length 1, which are pushed upwards."""

    step_sizes = Players(1.0, 1.0)

    def field(self, params, minibatch=0, players=()):
        return Players(*(tf.constant([0.0, 1.0], tf.float64) for _ in params))

    def update(self, params, slopes):
        return self.project(Players(*(w + v for w, v in zip(params, slopes, strict=True))))

    def project(self, params):
        return Players(*(w / tf.norm(w) for w in params))


def test_slow_weights_keep_the_constraints_of_the_game():
    scheme = Lookahead(Simultaneous(), 1, 0.5, super_slow_period=2)
    params = Players(*[tf.constant([1.0, 0.0], tf.float64)] * 2)
    state = scheme.init(params)
    angles = []
    for _ in range(2):
        params, state = scheme.step(OnTheCircle(), params, state)
        angles.append([np.angle(complex(*each[0])) for each in (params, state.slow)])
        for kept in (params, state.slow, state.super_slow):
            np.testing.assert_allclose(tf.norm(kept.generator), 1.0, rtol=1e-15)
    # The middle of an arc; then the one of a longer arc that begins at the first weights.
    first = np.pi / 8
    slow = (first + np.angle(complex(np.cos(first), np.sin(first) + 1.0))) / 2
    np.testing.assert_allclose(angles, [[first, first], [slow / 2, slow / 2]], rtol=1e-12)
