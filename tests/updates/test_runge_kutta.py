"""Runge-Kutta against the matrix exponential and closed forms, in float64."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates.arithmetic import combined
from tfgan_stab.updates.runge_kutta import RungeKutta
from tfgan_stab.updates.tableaus import EULER, HEUN, MIDPOINT, RALSTON, RK4, Tableau

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


def test_a_sum_over_stages_is_rounded_alike_whatever_else_the_graph_holds():
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


class Linear:
    """v(w) = M w, where w is the generator's numbers followed by the discriminator's."""

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

    extrapolate = update


def matrix_exponential(matrix):
    values, vectors = np.linalg.eig(matrix)
    return np.real(vectors @ np.diag(np.exp(values)) @ np.linalg.inv(vectors))


def play(scheme, game, params, steps):
    state = scheme.init(params)
    for _ in range(steps):
        params, state = scheme.step(game, params, state)
    return np.concatenate([p.numpy() for p in params])


@each_tableau
def test_the_measured_order_is_the_declared_one(tableau):
    random = np.random.RandomState(0)
    matrix = random.normal(size=[5, 5])
    start = random.normal(size=5)
    exact = matrix_exponential(matrix) @ start
    params = Players(tf.constant(start[:2]), tf.constant(start[2:]))
    counts = [20, 40, 80, 160]
    errors = []
    for count in counts:
        game = Linear(matrix, Players(1 / count, 1 / count))
        errors.append(np.linalg.norm(play(RungeKutta(tableau), game, params, count) - exact))
    slope = -np.polyfit(np.log(counts), np.log(errors), deg=1)[0]
    assert abs(slope - tableau.order) < 0.1


@pytest.mark.parametrize("h", [0.1, 0.3, 1.0])
@each_tableau
def test_the_radius_of_a_rotation_grows_by_its_closed_form(tableau, h):
    game = Linear([[0.0, -1.0], [1.0, 0.0]], Players(h, h))
    params = Players(tf.constant([0.6], tf.float64), tf.constant([-0.8], tf.float64))
    radius = np.linalg.norm(play(RungeKutta(tableau), game, params, 10))
    np.testing.assert_allclose(radius ** (1 / 10), FACTORS[tableau.name](h), rtol=1e-12)


def test_players_move_jointly_and_not_each_with_the_other_one_frozen():
    # Frozen, each player's own field would be constant on a rotation, and RK4 would be Euler.
    h = 0.3
    game = Linear([[0.0, -1.0], [1.0, 0.0]], Players(h, h))
    params = Players(tf.constant([1.0], tf.float64), tf.constant([0.0], tf.float64))
    radius = np.linalg.norm(play(RungeKutta(RK4), game, params, 1))
    assert abs(radius - math.sqrt(1 + h * h)) > 0.04 and abs(radius - 1) < 1e-5


def test_two_step_sizes_are_a_field_with_two_speeds():
    matrix = np.array([[-0.2, -1.0], [1.0, -0.1]])
    params = Players(tf.constant([1.0], tf.float64), tf.constant([0.5], tf.float64))
    speeds = np.diag([1.0, 3.0])
    two = play(RungeKutta(RK4), Linear(matrix, Players(0.1, 0.3)), params, 5)
    one = play(RungeKutta(RK4), Linear(speeds @ matrix, Players(0.1, 0.1)), params, 5)
    np.testing.assert_allclose(two, one, rtol=1e-12)


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


def test_what_is_no_tableau_is_refused():
    with pytest.raises(TypeError, match="must be a Tableau such as tgs.HEUN"):
        RungeKutta(4)


@each_tableau
def test_a_tableau_goes_by_its_name_too(tableau):
    assert RungeKutta(tableau.name) == RungeKutta(tableau)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"one of \['euler', .*'rk4'\].*Received: 'rk5'"):
        RungeKutta("rk5")


def test_unknown_ways_to_use_batches_are_refused():
    with pytest.raises(ValueError, match='"shared".*or "fresh".*Received: \'new\''):
        RungeKutta(RK4, batches="new")


def test_fresh_batches_ask_for_one_part_per_stage():
    assert (RungeKutta(RK4).minibatches, RungeKutta(RK4, batches="fresh").minibatches) == (1, 4)
