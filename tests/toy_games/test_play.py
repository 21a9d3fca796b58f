"""How games are played: rules, seeds, parts, counts, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

BILINEAR, EULER = tgs.games.Bilinear(), tgs.Simultaneous()


def numpy_adam(slopes, h, beta_1, beta_2, correction):
    """Where Adam goes on given slopes from 0, one number."""
    m = v = w = 0.0
    for t, s in enumerate(slopes, start=1):
        m, v = beta_1 * m + (1 - beta_1) * s, beta_2 * v + (1 - beta_2) * s * s
        m_hat = m / (1 - beta_1**t) if correction != "none" else m
        v_hat = v / (1 - beta_2**t) if correction == "both" else v
        w += h * m_hat / (np.sqrt(v_hat) + 1e-8)
    return w


@pytest.mark.parametrize("correction", ["both", "mean", "none"])
@pytest.mark.parametrize("beta_1", [0.9, 0.0, -0.6])
def test_adam_is_adam(beta_1, correction):
    rule = tgs.games.Adam(beta_1, 0.99, bias_correction=correction)
    slopes = np.random.RandomState(0).randn(20)
    player = tf.constant([0.0], tf.float64)
    state = rule.init(player)
    for slope in slopes:
        player, state = rule.step(player, tf.constant([slope], tf.float64), 0.1, state)
    np.testing.assert_allclose(player, [numpy_adam(slopes, 0.1, beta_1, 0.99, correction)])


class NaiveAdam:
    """Adam for two numbers, with NumPy and a state of its own."""

    def __init__(self):
        self.m = self.v = np.zeros(2)
        self.t = 0

    def step(self, point, slope, h):
        self.t += 1
        self.m, self.v = 0.9 * self.m + 0.1 * slope, 0.999 * self.v + 0.001 * slope**2
        m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
        return point + h * m / (np.sqrt(v) + 1e-8)


@pytest.mark.parametrize("state", ["shared", "separate"])
def test_trial_steps_share_the_state_of_moves_or_have_their_own(state):
    update = NaiveAdam()
    trial_rule = update if state == "shared" else NaiveAdam()
    point, h = np.array([1.0, 0.0]), np.array([0.1, 0.2])
    for _ in range(5):
        trial = trial_rule.step(point, np.array([-point[1], point[0]]), h)
        point = update.step(point, np.array([-trial[1], trial[0]]), h)
    scheme, rule = tgs.Extragradient(state=state), tgs.games.Adam()
    run = tgs.games.play(BILINEAR, scheme, (0.1, 0.2), steps=5, rule=rule)
    reached = np.concatenate([own[-1] for own in run.points])
    np.testing.assert_allclose(reached, point, rtol=1e-10)


def test_a_player_that_does_not_move_leaves_its_adam_alone():
    run = tgs.games.play(BILINEAR, tgs.Alternating(3), 0.1, steps=1, rule=tgs.games.Adam())
    # Adam's steps on slopes of constant sign are of size h: three for y, then one for x.
    np.testing.assert_allclose(run.points.discriminator[-1], 0.3, rtol=1e-6)
    np.testing.assert_allclose(run.points.generator[-1], 0.9, rtol=1e-6)


def test_step_sizes_belong_to_their_players():
    run = tgs.games.play(tgs.games.DiracGAN("wasserstein"), EULER, (0.1, 0.2), steps=1)
    # theta' = psi = 1, psi' = -theta = -1
    np.testing.assert_allclose(run.points.generator[:, 0], [1.0, 1.1])
    np.testing.assert_allclose(run.points.discriminator[:, 0], [1.0, 0.8])


def test_equal_seeds_are_equal_runs_and_others_are_not():
    game = tgs.games.Saddle()
    one, again, other = (
        tgs.games.play(game, EULER, 1e-3, steps=20, seed=seed).distances for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, again)
    assert np.all(one[1:] != other[1:])


def test_a_longer_run_begins_like_a_shorter_one():
    game = tgs.games.Bilinear.stochastic_problem(16)
    short, long = (tgs.games.play(game, EULER, 0.01, steps=n).distances for n in (5, 12))
    np.testing.assert_array_equal(short, long[:6])


class Recorder:
    """A game that shows what it is asked for: its slopes are the draws themselves."""

    start = tgs.Players(tf.zeros([1], tf.float64), tf.zeros([1], tf.float64))
    solution = start
    jacobian = np.zeros([2, 2])

    def slopes(self, params, seed):
        drawn = tf.random.stateless_normal([1], seed, dtype=tf.float64, alg="philox")
        return tgs.Players(drawn, drawn)


def test_fresh_parts_are_drawn_anew_and_shared_ones_are_not():
    def both(scheme):
        # x moves by the last evaluation of a step, whose draw is the step's only one if shared.
        run = tgs.games.play(Recorder(), scheme, 1.0, steps=3)
        return np.diff(run.points.generator[:, 0])

    plain, shared = both(EULER), both(tgs.Extragradient())
    fresh = both(tgs.Extragradient(batches="fresh"))
    np.testing.assert_allclose(shared, plain, rtol=1e-12)
    assert np.all(fresh != plain) and len(set(plain)) == 3


def test_both_measures_of_distance():
    game = tgs.games.Bilinear(tgs.Players([3.0, 0.0], [0.0, 4.0]))
    run = tgs.games.play(game, EULER, 0.0, steps=2)
    assert run.steps == 2
    np.testing.assert_allclose(run.distances, 5.0)
    np.testing.assert_allclose(run.summed_distances, 7.0)


@pytest.mark.slow
def test_a_run_that_overflows_or_stays_or_arrives_still_has_a_factor():
    overflown = tgs.games.play(BILINEAR, EULER, 5.0, steps=600)
    np.testing.assert_allclose(overflown.factor, np.sqrt(26.0), rtol=1e-10)
    assert tgs.games.play(BILINEAR, EULER, 0.0, steps=9).factor == pytest.approx(1.0, abs=1e-12)
    tiny = tgs.games.play(BILINEAR, tgs.Lookahead(EULER, 6), 0.3, steps=30_000)
    np.testing.assert_allclose(tiny.factor**6, 0.744755, rtol=1e-5)
    assert np.isnan(tgs.games.play(BILINEAR, EULER, 0.3, steps=2).factor)


def test_a_noisy_run_at_its_floor_no_longer_contracts():
    run = tgs.games.play(tgs.games.Saddle(runs=50), EULER, (1e-4, 1e-2), steps=3000)
    assert abs(run.factor - 1.0) < 1e-3


@pytest.mark.parametrize("sizes", ["0.3", -0.1, float("nan"), (0.1, 0.2, 0.3), True, (0.1, None)])
def test_step_sizes_that_are_none_are_refused(sizes):
    message = r"`step_sizes` must be one finite number >= 0.*Received: .*Use, for instance, 0.3"
    with pytest.raises(ValueError, match=message):
        tgs.games.play(BILINEAR, EULER, sizes, steps=1)
    with pytest.raises(ValueError, match=message):
        tgs.games.predicted_factor(BILINEAR, EULER, sizes)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "`steps` must be an integer >= 1.*Received: 0"),
        ({"steps": 2.0}, ValueError, "`steps` must be an integer >= 1.*Received: 2.0"),
        ({"seed": "a"}, ValueError, "`seed` must be an integer. Received: 'a'"),
        ({"scheme": "rk4"}, TypeError, "`scheme` must be an update scheme"),
        ({"game": "bilinear"}, TypeError, r"`game` must be an object such as `tgs.games.Bilinear"),
        ({"game": tgs.games.Saddle}, TypeError, "`game` must be an object"),
        ({"rule": "adam"}, TypeError, r"`rule` must be an object such as `tgs.games.Adam\(\)`"),
        ({"rule": tgs.games.Adam}, TypeError, "`rule` must be an object"),
    ],
)
def test_what_cannot_be_played_is_refused(arguments, error, message):
    usual = {"game": BILINEAR, "scheme": EULER, "step_sizes": 0.1, "steps": 1}
    with pytest.raises(error, match=message):
        tgs.games.play(**{**usual, **arguments})


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda g: g.Bilinear(start=1.0), ValueError, "`start` must be two numbers or arrays"),
        (lambda g: g.Bilinear(start=("a", 1.0)), ValueError, "`start` must hold numbers"),
        (lambda g: g.Bilinear(start=(np.inf, 1.0)), ValueError, "`start` must hold finite"),
        (lambda g: g.Bilinear(([1.0, 2.0], [1.0])), ValueError, "equally many numbers"),
        (lambda g: g.Bilinear(terms=([1.0], [1.0])), ValueError, "`terms` must be n x n arrays"),
        (lambda g: g.Bilinear(batch_size=2), ValueError, "`batch_size` must be at most 1"),
        (lambda g: g.Bilinear(batch_size=0), ValueError, "`batch_size` must be an integer >= 1"),
        (lambda g: g.Bilinear.full_batch_problem(5), ValueError, "`number` must be among 0 to 4"),
        (lambda g: g.Bilinear.full_batch_problem(0.5), ValueError, "`number` must be among"),
        (lambda g: g.Bilinear.stochastic_problem(101), ValueError, "`batch_size` must be at most"),
        (lambda g: g.Bilinear.stochastic_problem(1, -1), ValueError, "`seed` must be an integer"),
        (lambda g: g.DampedRotation(damping=-1.0), ValueError, "`damping` must be a finite number"),
        (lambda g: g.DampedRotation(0.0, "fast"), ValueError, "`frequency` must be a finite"),
        (lambda g: g.RandomLinear(3), ValueError, "`dimensions` must be two integers"),
        (lambda g: g.RandomLinear((3, 0)), ValueError, "`dimensions` must be an integer >= 1"),
        (lambda g: g.RandomLinear(seed=-1), ValueError, "`seed` must be an integer >= 0"),
        (lambda g: g.RandomLinear(damping=0.0), ValueError, "`damping` must be positive"),
        (lambda g: g.RandomLinear(rotation=-1.0), ValueError, "`rotation` must be a finite"),
        (lambda g: g.DiracGAN("minmax"), ValueError, "Did you mean 'minimax'"),
        (lambda g: g.DiracGAN(3), TypeError, "`loss` must be one of the names"),
        (lambda g: g.Saddle(noise=-1.0), ValueError, "`noise` must be a finite number >= 0"),
        (lambda g: g.Saddle(runs=0), ValueError, "`runs` must be an integer >= 1"),
        (lambda g: g.Adam(beta_1=1.0), ValueError, "`beta_1` must be between -1 and 1"),
        (lambda g: g.Adam(beta_1=-1.0), ValueError, "`beta_1` must be between -1 and 1"),
        (lambda g: g.Adam(beta_2=-0.1), ValueError, "`beta_2` must be a finite number >= 0"),
        (lambda g: g.Adam(epsilon=-1.0), ValueError, "`epsilon` must be a finite number >= 0"),
        (lambda g: g.Adam(bias_correction=False), ValueError, '`bias_correction` must be "both"'),
    ],
)
def test_impossible_games_and_rules_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make(tgs.games)


class Mine:
    """A scheme of the user's own."""

    minibatches = evaluations = 1

    def init(self, params):
        return ()

    def step(self, game, params, state):
        return game.update(params, game.field(params)), state


def test_a_scheme_of_your_own_can_be_measured_but_not_predicted():
    assert tgs.games.play(BILINEAR, Mine(), 0.3, steps=9).factor == pytest.approx(1.0440306509)
    with pytest.raises(TypeError, match="scheme of this library: .*Measure its factor instead"):
        tgs.games.predicted_factor(BILINEAR, Mine(), 0.3)
    with pytest.raises(TypeError, match="`scheme` must be a scheme of this library"):
        tgs.games.predicted_factor(BILINEAR, tgs.Lookahead(Mine(), 5), 0.3)


@pytest.mark.parametrize(
    ("jacobian", "message"),
    [
        ("bilinear", "must be a game such as tgs.games.Bilinear.*Received: str"),
        (np.zeros([2, 4]), r"square matrix. Received: ndarray of shape \(2, 4\)"),
        (np.zeros([3, 3]), r"even number of rows.*Received shape: \(3, 3\)"),
        (np.full([2, 2], np.nan), "finite entries"),
    ],
)
def test_what_is_no_jacobian_is_refused(jacobian, message):
    with pytest.raises(ValueError, match=message):
        tgs.games.predicted_factor(jacobian, EULER, 0.3)
