"""The bilinear game, and the experiments of lookahead-minmax on it as its authors ran them.

The full-batch numbers are exact rates and what the authors' notebook records (the problems are
drawn the same way); the stochastic ones have wide margins, since minibatches differ.
"""

import numpy as np
import pytest
import tensorflow as tf
from measured_slopes import slopes_of, small_bilinear

import tfgan_stab as tgs

EULER, EXTRAGRADIENT = tgs.Simultaneous(), tgs.Extragradient()


def full_batch(scheme, steps=400):
    """All five problems at once, at the authors' step size."""
    game = tgs.games.Bilinear.full_batch_problem(range(5))
    return tgs.games.play(game, scheme, step_sizes=0.3, steps=steps)


@pytest.mark.cases(full=3)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "per_cycle"),
    [
        (EULER, 1.0440),
        (EXTRAGRADIENT, 0.95818),
        (tgs.Lookahead(EULER, 6, 0.5), 0.74476),
        (tgs.Lookahead(EULER, 6, 0.4), 0.71993),
        (tgs.Lookahead(EULER, 6, 0.8), 1.01980),
        (tgs.Lookahead(EXTRAGRADIENT, 6, 0.5), 0.52030),
    ],
)
def test_full_batch_rates(scheme, per_cycle, predicted_factor):
    run = full_batch(scheme)
    assert abs(run.factor**run.cycle - per_cycle) < 5e-5
    expected = predicted_factor(tgs.games.Bilinear.full_batch_problem(0), scheme, 0.3)
    np.testing.assert_allclose(run.factor, expected, rtol=1e-7)


# Passes count gradients: one per step, but three with extragradient (the notebook evaluates the
# second one per player). At pass 198 a cycle ends; the notebook records before synchronizing.
@pytest.mark.cases(full=3)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "passes_per_step", "distances"),
    [
        (EULER, 1, (7.3e2, 5.0e4, 2.7e8)),
        (EXTRAGRADIENT, 3, (2.46, 0.613, 3.1e-2)),
        (tgs.Lookahead(EXTRAGRADIENT, 6, 0.5), 3, (0.312, 1.08e-2, 5.1e-6)),
        (tgs.Lookahead(EULER, 6, 0.5), 1, (9.3e-2, 9.5e-4, 4.1e-8)),
        (tgs.Lookahead(EULER, 6, 0.4), 1, (6.1e-2, 3.4e-4, 4.5e-9)),
        (tgs.Lookahead(EULER, 6, 0.8), 1, (16.0, 24.0, 39.0)),
    ],
)
def test_full_batch_distances(scheme, passes_per_step, distances):
    run = full_batch(scheme)
    assert abs(run.summed_distances[0].mean() - 9.14) < 5e-3
    for passes, expected in zip((99, 198, 399), distances, strict=True):
        recorded = unsynchronized(run, scheme, passes // passes_per_step)
        np.testing.assert_allclose(recorded, expected, rtol=0.02)


def unsynchronized(run, scheme, count):
    """The mean distance after some steps, the last one without its synchronization."""
    last = tgs.Players(*(own[count - 1] for own in run.points))
    game = tgs.games.Bilinear(last, tgs.games.Bilinear.full_batch_problem(range(5)).terms)
    inner = getattr(scheme, "inner", scheme)
    return tgs.games.play(game, inner, 0.3, steps=1).summed_distances[-1].mean()


def stochastic(scheme, step_size, steps=20_000, rule=None):
    """Five problems at once, minibatches of 64."""
    game = tgs.games.Bilinear.stochastic_problem(64, seed=range(5))
    rule = tgs.games.GradientSteps() if rule is None else rule
    return tgs.games.play(game, scheme, step_size, steps, rule, seed=0).summed_distances


def negative_momentum(beta_1):
    return tgs.games.Adam(beta_1=beta_1, bias_correction="mean")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_only_lookahead_gets_near_with_noise():
    # An extragradient step costs three passes there: a third of the steps.
    fresh = tgs.Extragradient(batches="fresh")
    separate = tgs.Extragradient(state="separate", batches="fresh")
    lookahead = stochastic(tgs.Lookahead(EULER, 450, 0.3), 0.005)
    others = {
        "gradient": stochastic(EULER, 0.005),
        "adam": stochastic(EULER, 0.005, rule=negative_momentum(-0.6)),
        "extra-adam": stochastic(separate, 0.01, 20_000 // 3, negative_momentum(-0.2)),
        "extragradient": stochastic(fresh, 0.005, 20_000 // 3),
    }
    np.testing.assert_allclose(lookahead[0].mean(), 20.1, atol=0.05)
    synchronized = lookahead[::450][-5:]
    assert synchronized.mean() < 1.5
    for name, distances in others.items():
        assert distances[-1].min() > 3 * synchronized.max(), name
    assert others["gradient"][-1].mean() > 20
    assert 8 < others["adam"][-1].mean() < 15


def test_a_minibatch_sums_distinct_terms():
    game = small_bilinear(batch_size=2)
    point = np.random.RandomState(5).randn(6)
    x, y = np.split(point, 2)
    x_terms, y_terms = (own.numpy() for own in game.terms)
    units = np.eye(3)
    possible = {
        (i, j): np.concatenate(
            [
                -sum(units[k] * y[k] + x_terms[k] for k in (i, j)),
                sum(units[k] * x[k] + y_terms[k] for k in (i, j)),
            ]
        )
        for i, j in [(0, 1), (0, 2), (1, 2)]
    }
    seen = []
    for number in range(60):
        slopes = slopes_of(game, point, tf.constant([0, number], tf.int32))
        fits = [pair for pair, expected in possible.items() if np.allclose(slopes, expected)]
        assert len(fits) == 1
        seen.extend(fits)
    # 20 of 60 each; 8 is more than three standard deviations below.
    assert all(seen.count(pair) > 8 for pair in possible)


def test_a_minibatch_of_all_terms_is_the_full_batch():
    point = np.random.RandomState(5).randn(6)
    full, all_seen = small_bilinear(), small_bilinear(batch_size=3)
    np.testing.assert_allclose(slopes_of(full, point), slopes_of(all_seen, point), rtol=1e-12)
    np.testing.assert_array_equal(full.jacobian, all_seen.jacobian)
    np.testing.assert_allclose(small_bilinear(batch_size=2).jacobian, full.jacobian * 2 / 3)


def test_notebook_problems_are_drawn_from_numpys_legacy_stream():
    np.random.seed(3)
    scale = 1.0 / np.sqrt(np.random.randint(100**2, size=1) + 1)
    np.random.randint(100**2, size=1)
    first = tgs.games.Bilinear.full_batch_problem(0)
    np.testing.assert_array_equal(first.start.generator, scale * np.random.randn(100))
    np.random.seed(4)
    fifth = tgs.games.Bilinear.stochastic_problem(16, seed=4)
    start = [1.0 / np.sqrt(100) * np.random.randn(100) for _ in range(2)]
    np.testing.assert_allclose(fifth.start, start, rtol=1e-15)
    for own in (fifth.terms.generator[0], fifth.terms.discriminator[0], fifth.terms.generator[1]):
        np.testing.assert_allclose(own, np.random.randn(100) / 10, rtol=1e-15)


def test_several_notebook_problems_at_once():
    several = tgs.games.Bilinear.full_batch_problem([3, 1])
    for i, number in enumerate([3, 1]):
        one = tgs.games.Bilinear.full_batch_problem(number)
        np.testing.assert_array_equal(several.start.discriminator[i], one.start.discriminator)
        np.testing.assert_allclose(several.solution.generator[i], one.solution.generator)
    several = tgs.games.Bilinear.stochastic_problem(64, seed=[7, 2])
    one = tgs.games.Bilinear.stochastic_problem(64, seed=2)
    np.testing.assert_array_equal(several.terms.discriminator[1], one.terms.discriminator)
