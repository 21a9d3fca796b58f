"""How games are played: rules, states, seeds, minibatches, counts, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

BILINEAR, EULER = tgs.games.Bilinear(), tgs.Simultaneous()


@pytest.mark.parametrize("state", ["shared", "separate"])
def test_state_of_trial_steps(state, naive_adam):
    update = naive_adam()
    trial_rule = update if state == "shared" else naive_adam()
    point, h = np.array([1.0, 0.0]), np.array([0.1, 0.2])
    for _ in range(5):
        trial = trial_rule.step(point, np.array([-point[1], point[0]]), h)
        point = update.step(point, np.array([-trial[1], trial[0]]), h)
    scheme, rule = tgs.Extragradient(state=state), tgs.games.Adam()
    run = tgs.games.play(BILINEAR, scheme, (0.1, 0.2), steps=5, rule=rule)
    reached = np.concatenate([own[-1] for own in run.points])
    np.testing.assert_allclose(reached, point, rtol=1e-10)


def test_a_player_that_does_not_move_keeps_its_state():
    run = tgs.games.play(BILINEAR, tgs.Alternating(3), 0.1, steps=1, rule=tgs.games.Adam())
    # Adam's steps on slopes of constant sign are of size h: three for y, then one for x.
    np.testing.assert_allclose(run.points.discriminator[-1], 0.3, rtol=1e-6)
    np.testing.assert_allclose(run.points.generator[-1], 0.9, rtol=1e-6)


def test_each_player_has_its_step_size():
    run = tgs.games.play(tgs.games.DiracGAN("wasserstein"), EULER, (0.1, 0.2), steps=1)
    # theta' = psi = 1, psi' = -theta = -1
    np.testing.assert_allclose(run.points.generator[:, 0], [1.0, 1.1])
    np.testing.assert_allclose(run.points.discriminator[:, 0], [1.0, 0.8])


def test_runs_are_reproducible_by_seed():
    game = tgs.games.Saddle()
    one, again, other = (
        tgs.games.play(game, EULER, 1e-3, steps=20, seed=seed).distances for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, again)
    assert np.all(one[1:] != other[1:])


def test_a_longer_run_starts_like_a_shorter_one():
    game = tgs.games.Bilinear.stochastic_problem(16)
    short, long = (tgs.games.play(game, EULER, 0.01, steps=n).distances for n in (5, 12))
    np.testing.assert_array_equal(short, long[:6])


class Draws:
    """A game whose slopes are the random draws themselves."""

    start = tgs.Players(tf.zeros([1], tf.float64), tf.zeros([1], tf.float64))
    solution = start

    def slopes(self, params, seed):
        drawn = tf.random.stateless_normal([1], seed, dtype=tf.float64, alg="philox")
        return tgs.Players(drawn, drawn)


@pytest.mark.slow
def test_fresh_minibatches_are_drawn_anew_and_shared_ones_are_not():
    def draws(scheme):
        # x moves by the last evaluation of a step, whose draw is the step's only one if shared.
        run = tgs.games.play(Draws(), scheme, 1.0, steps=3)
        return np.diff(run.points.generator[:, 0])

    plain, shared = draws(EULER), draws(tgs.Extragradient())
    fresh = draws(tgs.Extragradient(batches="fresh"))
    np.testing.assert_allclose(shared, plain, rtol=1e-12)
    assert np.all(fresh != plain) and len(set(plain)) == 3


@pytest.mark.parametrize("sizes", ["0.3", -0.1, float("nan"), (0.1, 0.2, 0.3), True, (0.1, None)])
def test_step_sizes_must_be_numbers(sizes):
    message = "`step_sizes` must be .*number.*Received: .*Use one number for both players, such as"
    with pytest.raises(ValueError, match=message):
        tgs.games.play(BILINEAR, EULER, sizes, steps=1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "`steps` must be an integer >= 1.*Received: 0"),
        ({"steps": 2.0}, ValueError, "`steps` must be an integer >= 1.*Received: 2.0"),
        ({"seed": "a"}, ValueError, r"`seed` must be an integer in .*Received: 'a'"),
        ({"scheme": "rk4"}, TypeError, "`scheme` must be an update scheme"),
        ({"game": "bilinear"}, TypeError, r"`game` must be an object such as `tgs.games.Bilinear"),
        ({"game": tgs.games.Saddle}, TypeError, "`game` must be an object"),
        ({"rule": "adam"}, TypeError, r"`rule` must be an object such as `tgs.games.Adam\(\)`"),
        ({"rule": tgs.games.Adam}, TypeError, "`rule` must be an object"),
    ],
)
def test_play_checks_its_arguments(arguments, error, message):
    usual = {"game": BILINEAR, "scheme": EULER, "step_sizes": 0.1, "steps": 1}
    with pytest.raises(error, match=message):
        tgs.games.play(**{**usual, **arguments})


class Mine(tgs.updates.Scheme):
    """A scheme of the user's own."""

    def step(self, game, params, state):
        return game.update(params, game.field(params)), state


def test_a_scheme_of_your_own():
    run = tgs.games.play(BILINEAR, Mine(), 0.3, steps=9)
    assert run.factor == pytest.approx(1.0440306509)
    assert (run.evaluations, run.cycle) == (9, 1)


@pytest.mark.parametrize("correction", ["both", "mean", "none"])
@pytest.mark.parametrize("beta_1", [0.9, 0.0, -0.6])
def test_adam(naive_adam, beta_1, correction):
    rule = tgs.games.Adam(beta_1, 0.99, bias_correction=correction)
    naive = naive_adam(beta_1, 0.99, correction)
    player, expected = tf.constant([0.0], tf.float64), 0.0
    state = rule.init(player)
    for slope in np.random.RandomState(0).randn(20):
        player, state = rule.step(player, tf.constant([slope], tf.float64), 0.1, state)
        expected = naive.step(expected, slope, 0.1)
        np.testing.assert_allclose(player, [expected])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta_1": 1.0}, r"`beta_1` must be a number in \(-1, 1\). Received: 1.0. Use 0.9"),
        ({"beta_1": -1.0}, r"`beta_1` must be a number in \(-1, 1\). Received: -1.0"),
        ({"beta_2": -0.1}, r"`beta_2` must be a number in \[0, 1\). Received: -0.1. Use 0.999"),
        ({"epsilon": -1.0}, "`epsilon` must be a number >= 0. Received: -1.0. Use 1e-8"),
        ({"bias_correction": False}, "`bias_correction` must be one of 'both', 'mean', 'none'"),
    ],
)
def test_adam_settings_must_be_in_range(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.games.Adam(**settings)
