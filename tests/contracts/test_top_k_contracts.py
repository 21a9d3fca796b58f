"""Top-k with every scheme, against plain NumPy programs that rank by their own logits."""

import numpy as np
import pytest
import tensorflow as tf
from naive_gan import Adam, NaiveTopK, Sgd
from schemes import FEW, QUICK, SCHEMES, chosen
from small_gans import (
    RATES,
    assert_close,
    difference,
    finite_differences,
    make,
    minibatches_of,
    points,
    train,
    weights,
)

import tfgan_stab as tgs

pytestmark = pytest.mark.usefixtures("float64")

STEPS = 4
# 8, 4.8, 2.88, 2.4: kept are 8, 4, 2, 2.
RULE = {"decay": 0.6, "every": 1, "floor": 0.3}
KEPT = [8, 4, 2, 2]


def played(name, gan, data, kind=Sgd, rates=RATES):
    """Both players' weights after the steps of the naive program, and what it chose."""
    scheme, make_play = SCHEMES[name]
    others = [kind(rate) for rate in rates] if scheme.separate_extrapolation else None
    game = NaiveTopK([kind(rate) for rate in rates], others)
    play, params = make_play(), weights(gan)
    for step, (rows, game.kept) in enumerate(zip(data, KEPT, strict=True)):
        params = play(game, params, minibatches_of(gan, step, rows))
    return params, game.chosen


@pytest.mark.cases(full=8)
@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [pytest.param("sgd", marks=pytest.mark.exhaustive), "adam"])
@chosen(quick=QUICK, usual=FEW)
def test_steps_are_those_of_a_naive_program_and_traced_once(name, optimizer):
    gan = make(name, optimizer, top_k=tgs.TopK(**RULE))
    traces = []
    step = gan.train_step

    def counted(data):
        traces.append(1)
        return step(data)

    gan.train_step = counted
    data = points(name, STEPS)
    expected, _ = played(name, gan, data, {"sgd": Sgd, "adam": Adam}[optimizer])
    history = gan.fit(tf.data.Dataset.from_tensor_slices(data), verbose=0).history
    tolerance = {"sgd": {"rtol": 1e-6, "atol": 1e-8}, "adam": {"rtol": 1e-4, "atol": 1e-5}}
    assert_close(weights(gan), expected, **tolerance[optimizer])
    np.testing.assert_allclose(history["top_k"], [np.mean([8, 4.8, 2.88, 2.4])], rtol=1e-6)
    choices = 2 if "alternating" in repr(SCHEMES[name][0]).lower() else 1
    assert gan._functions.gradients.experimental_get_tracing_count() == choices
    assert len(traces) == 1


@pytest.mark.slow
def test_trial_points_choose_for_themselves():
    rates = (2.0, 4.0)  # Large, so that the choice at a trial point is not that at the start.
    gan = make("rk4", rates=rates, top_k=tgs.TopK(**RULE))
    data = points("rk4", STEPS)
    expected, chosen = played("rk4", gan, data, rates=rates)
    steps = [chosen[first : first + 4] for first in range(4, 16, 4)]
    assert any(own[0] != other for own in steps for other in own[1:])
    assert_close(train(gan, data), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.exhaustive
@pytest.mark.slow
# In a graph TensorFlow may reorder the sums of a larger step, as it does in that of `rk4_fresh`.
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("simultaneous", {"jit_compile": False}),
        pytest.param("alternating_3", {"jit_compile": False}, marks=pytest.mark.slow),
        pytest.param("extragradient_separate", {"jit_compile": False}, marks=pytest.mark.slow),
        pytest.param("rk4_fresh", {"run_eagerly": True}, marks=pytest.mark.slow),
        pytest.param("rk4", {"jit_compile": True}, marks=pytest.mark.slow),
    ],
)
def test_keeping_all_is_the_plain_run_bit_for_bit(name, settings):
    data = points(name, 3)
    plain, kept = (
        train(make(name, "adam", top_k=rule, **settings), data)
        for rule in (None, tgs.TopK(floor=1.0, every=1))
    )
    assert_close(plain, kept, rtol=0, atol=0)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param("alternating_3", marks=pytest.mark.exhaustive), "rk4"]
)
def test_eager_graph_and_xla_agree(name):
    data = points(name, STEPS)
    rule = tgs.TopK(**RULE)
    graph = train(make(name, "adam", top_k=rule), data)
    eager = train(make(name, "adam", top_k=rule, run_eagerly=True), data)
    gan = make(name, "adam", top_k=rule, jit_compile=True)
    assert gan.compilation.scope in ("step", "field")
    assert_close(eager, graph, rtol=1e-12)
    assert_close(train(gan, data), graph, rtol=1e-4, atol=1e-5)


# -- Together with penalties and averages ----------------------------------------------------------

NAIVE = NaiveTopK((None, None))


def one_step(**settings):
    """The weights before and after a step that keeps 3 of 8, its minibatch, and the GAN."""
    rule = tgs.TopK(decay=0.1, every=1, floor=3)
    gan = make("simultaneous", top_k=rule, run_eagerly=True, **settings)
    gan._counters.steps.assign(1)  # Step 0 would keep all.
    before, data = weights(gan), points("simultaneous", 1)
    (minibatch,) = minibatches_of(gan, 1, data[0])
    return before, train(gan, data), minibatch, gan


def squared_gradient(params, minibatch):
    NAIVE.kept = 3
    return sum(np.sum(g**2) for g in NAIVE.slope(0, params, minibatch))


@pytest.mark.slow
def test_generator_gradient_norm_is_of_the_kept_fake_images():
    weight = 0.3
    before, without, minibatch, _ = one_step()
    _, after, _, _ = one_step(penalties=[tgs.GeneratorGradientNorm(weight)])
    gradients = finite_differences(lambda moved: squared_gradient(moved, minibatch), before, 1)
    assert max(np.abs(g).max() for g in gradients) > 1e-3
    for change, gradient in zip(difference(after, without, 1), gradients, strict=True):
        np.testing.assert_allclose(change, -RATES[1] * weight * gradient, rtol=1e-5, atol=1e-9)
    assert_close(after[:1], without[:1], rtol=0, atol=0)


@pytest.mark.slow
def test_consensus_is_of_the_kept_fake_images():
    weight = 0.2
    before, without, minibatch, _ = one_step()
    _, after, _, _ = one_step(penalties=[tgs.Consensus(weight)])

    def half_squared_gradients(params):
        discriminator = NAIVE.slope(1, params, minibatch)
        return (squared_gradient(params, minibatch) + sum(np.sum(g**2) for g in discriminator)) / 2

    for player, rate in enumerate(RATES):
        gradients = finite_differences(half_squared_gradients, before, player)
        for change, gradient in zip(difference(after, without, player), gradients, strict=True):
            np.testing.assert_allclose(change, -rate * weight * gradient, rtol=1e-5, atol=1e-9)


@pytest.mark.slow
def test_discriminators_penalties_and_averages_are_those_without_top_k():
    settings = {
        "penalties": [tgs.R1(2.0), tgs.R2(1.0), tgs.GradientPenalty(1.0)],
        "averages": {"ema": tgs.ExponentialAverage(0.75)},
    }
    before, kept, _, gan = one_step(**settings)
    plain = make("simultaneous", run_eagerly=True, **settings)
    plain._counters.steps.assign(1)
    everything = train(plain, points("simultaneous", 1))
    # The discriminator learns from all fakes, and is penalized for all.
    assert_close(kept[1:], everything[1:], rtol=0, atol=0)
    _, bare, _, _ = one_step()
    assert_close(kept[:1], bare[:1], rtol=0, atol=0)
    assert any(np.any(a != b) for a, b in zip(kept[1], bare[1], strict=True))
    averages = [v.numpy() for v in gan._averages["ema"].averages]
    expected = [0.75 * a + 0.25 * b for a, b in zip(before[0], kept[0], strict=True)]
    assert_close([averages], [expected], rtol=1e-5)
