"""Runge-Kutta against the matrix exponential and closed forms, in float64."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates.runge_kutta import (
    EULER,
    HEUN,
    MIDPOINT,
    RALSTON,
    RK4,
    RungeKutta,
    Tableau,
    combined,
)
from tfgan_stab.updates.runge_kutta import TABLEAUS as NAMED
from tfgan_stab.updates.scheme import Game

TABLEAUS = [EULER, MIDPOINT, HEUN, RALSTON, RK4]
each_tableau = pytest.mark.parametrize("tableau", TABLEAUS, ids=lambda t: t.name)

# The rotation's factor of the radius for a step of h.
FACTORS = {
    "euler": lambda h: math.sqrt(1 + h**2),
    "midpoint": lambda h: math.sqrt(1 + h**4 / 4),
    "heun": lambda h: math.sqrt(1 + h**4 / 4),
    "ralston": lambda h: math.sqrt(1 + h**4 / 4),
    "rk4": lambda h: math.sqrt(1 - h**6 / 72 + h**8 / 576),
}


class Linear(Game):
    """v(w) = M w, where w is the generator's numbers followed by the discriminator's."""

    step_sizes = None  # In the place of the abstract property.

    def __init__(self, matrix, step_sizes):
        self.matrix = tf.constant(matrix, tf.float64)
        self.step_sizes = step_sizes

    def field(self, params, minibatch=0, players=BOTH):
        joint = tf.linalg.matvec(self.matrix, tf.concat(params, axis=0))
        return Players(*tf.split(joint, [len(p) for p in params]))

    def update(self, params, slopes):
        return Players(
            *(p + h * s for p, s, h in zip(params, slopes, self.step_sizes, strict=True))
        )


def matrix_exponential(matrix):
    values, vectors = np.linalg.eig(matrix)
    return np.real(vectors @ np.diag(np.exp(values)) @ np.linalg.inv(vectors))


def pair(x, y):
    return Players(*(tf.constant([each], tf.float64) for each in (x, y)))


def end(tiny, tableau, game, params, steps):
    *_, last = tiny.play(RungeKutta(tableau), game, steps, params)
    return np.concatenate(last)


@pytest.mark.cases(fast=2)
@each_tableau
def test_measured_order_is_declared_order(tiny, tableau):
    random = np.random.RandomState(0)
    matrix = random.normal(size=[5, 5])
    start = random.normal(size=5)
    exact = matrix_exponential(matrix) @ start
    params = Players(tf.constant(start[:2]), tf.constant(start[2:]))
    counts = [20, 40, 80, 160]
    errors = []
    for count in counts:
        game = Linear(matrix, Players(1 / count, 1 / count))
        errors.append(np.linalg.norm(end(tiny, tableau, game, params, count) - exact))
    slope = -np.polyfit(np.log(counts), np.log(errors), deg=1)[0]
    assert abs(slope - tableau.order) < 0.1


@pytest.mark.parametrize("h", [0.1, 0.3, 1.0])
@each_tableau
def test_radius_of_rotation_has_closed_form(tiny, tableau, h):
    measured = tiny.factor_of_radius(RungeKutta(tableau), h)
    np.testing.assert_allclose(measured, FACTORS[tableau.name](h), rtol=1e-12)


def test_players_move_jointly(tiny):
    # With the other one frozen, each player's own field would be constant on a rotation, and RK4
    # would be Euler.
    h = 0.3
    game = Linear([[0.0, -1.0], [1.0, 0.0]], Players(h, h))
    radius = np.linalg.norm(end(tiny, RK4, game, pair(1.0, 0.0), 1))
    assert abs(radius - math.sqrt(1 + h * h)) > 0.04 and abs(radius - 1) < 1e-5


def test_two_step_sizes_are_two_speeds(tiny):
    matrix = np.array([[-0.2, -1.0], [1.0, -0.1]])
    speeds = np.diag([1.0, 3.0])
    params = pair(1.0, 0.5)
    two = end(tiny, RK4, Linear(matrix, Players(0.1, 0.3)), params, 5)
    one = end(tiny, RK4, Linear(speeds @ matrix, Players(0.1, 0.1)), params, 5)
    np.testing.assert_allclose(two, one, rtol=1e-12)


def test_fresh_batches_need_one_minibatch_per_stage():
    assert (RungeKutta(RK4).minibatches, RungeKutta(RK4, batches="fresh").minibatches) == (1, 4)


def test_batches_must_be_shared_or_fresh():
    with pytest.raises(ValueError, match="`batches` must be one of 'shared', 'fresh'.*'new'"):
        RungeKutta(RK4, batches="new")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"a": ((), (0.5, 0.5)), "b": (0.5, 0.5)}, "row i with i numbers"),
        ({"a": ((),), "b": ()}, "one row per weight"),
        ({"a": ((), (1.0,)), "b": (0.5, 0.6)}, r"`b` must sum to 1.*sum to 1.1"),
        ({"a": ((), (float("nan"),)), "b": (0.5, 0.5)}, "finite numbers"),
        ({"a": ((), (0.5,)), "b": (0.5, 0.5), "order": 2}, r"order 2. Received: \[0.25\]"),
        ({"a": ((), (0.5,)), "b": (0.0, 1.0), "order": 3}, "order 3.*claim order=2"),
        ({"a": ((), ("half",)), "b": (0.5, 0.5)}, "must be rows of numbers.*half"),
        ({"a": RK4.a, "b": RK4.b, "order": 7}, "`order` must be an integer from 1 to 4.*7"),
        ({"a": ((),), "b": (1.0,), "order": 0}, "`order` must be an integer from 1 to 4"),
    ],
)
def test_inconsistent_tableaus_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Tableau("mine", **{"order": 1, **settings})


@pytest.mark.parametrize("name", NAMED)
def test_tableau_goes_by_its_name(name):
    assert RungeKutta(name) == RungeKutta(NAMED[name])


def test_tableau_must_be_tableau_or_name():
    with pytest.raises(TypeError, match="must be a Tableau such as tgs.HEUN.*Received: 4"):
        RungeKutta(4)


def test_unknown_name_is_refused_with_known_ones():
    with pytest.raises(ValueError, match=r"one of \['euler', .*'rk4'\].*Received: 'rk5'"):
        RungeKutta("rk5")


@pytest.mark.slow
def test_sum_over_stages_does_not_depend_on_rest_of_graph():
    """TensorFlow would sort its terms by names, `mul_10` before `mul_9`."""
    slopes = np.random.RandomState(0).normal(size=[4, 2, 200]).astype("float32")
    sums = []
    for others in range(12):

        @tf.function
        def total(slopes, others=others):
            scaled = slopes
            for _ in range(others):
                scaled = scaled * 1.5
            found = combined(RK4.b, [Players(*tf.unstack(each)) for each in tf.unstack(slopes)])
            return found, scaled

        sums.append(np.stack(total(tf.constant(slopes))[0]))
    assert all(np.array_equal(sums[0], other) for other in sums[1:])
