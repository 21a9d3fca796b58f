"""What every scheme promises, in a GAN with real losses."""

import keras
import numpy as np
import pytest
from naive_gan import Adam, NaiveGan, Sgd
from schemes import FEW, QUICK, SCHEMES, chosen
from small_gans import RATES, SEED, assert_close, make, minibatches_of, points, train, weights

pytestmark = pytest.mark.usefixtures("float64")

scheme_names = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in SCHEMES],
)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@scheme_names
def test_three_steps_are_those_of_a_naive_program(name, optimizer):
    gan = make(name, optimizer)
    params = weights(gan)
    data = points(name, 3)
    kind = {"sgd": Sgd, "adam": Adam}[optimizer]
    separate = SCHEMES[name][0].separate_extrapolation
    others = [kind(rate) for rate in RATES] if separate else None
    game = NaiveGan([kind(rate) for rate in RATES], others)
    play = SCHEMES[name][1]()
    for step, rows in enumerate(data):
        params = play(game, params, minibatches_of(gan, step, rows))
    # Keras keeps learning rates in float32, and Adam's betas too: 1 - 0.999 loses 5 digits there.
    tolerance = {"sgd": {"rtol": 1e-6, "atol": 1e-8}, "adam": {"rtol": 1e-4, "atol": 1e-5}}
    assert_close(train(gan, data), params, **tolerance[optimizer])


@chosen(quick=(), usual=FEW)
def test_eager_graph_and_xla_agree(name):
    data = points(name, 3)
    graph = train(make(name, "adam"), data)
    eager = train(make(name, "adam", run_eagerly=True), data)
    compiled_gan = make(name, "adam", jit_compile=True)
    assert compiled_gan.compilation.scope in ("step", "field")
    compiled = train(compiled_gan, data)
    assert_close(eager, graph, rtol=1e-12)
    # XLA draws the same random bits; what it makes of sine and logarithm is its own.
    assert_close(compiled, graph, rtol=1e-4, atol=1e-5)


@scheme_names
def test_one_trace_of_the_step_and_of_the_gradients_for_each_choice_of_players(name):
    gan = make(name)
    traces = []
    step = gan.train_step

    def counted(data):
        traces.append(1)
        return step(data)

    gan.train_step = counted
    train(gan, points(name, 5))
    assert len(traces) == 1
    choices = 2 if "alternating" in repr(SCHEMES[name][0]).lower() else 1
    assert gan._functions.gradients.experimental_get_tracing_count() == choices


@chosen(quick={"simultaneous"}, usual=FEW)
def test_learning_rates_of_zero_change_nothing(name):
    gan = make(name, rates=(0.0, 0.0))
    before = weights(gan)
    after = train(gan, points(name, 2))
    assert_close(before, after, rtol=0, atol=0)


@chosen(quick={"simultaneous"}, usual=FEW)
def test_learning_rate_of_zero_holds_one_player_only(name):
    gan = make(name, rates=(0.0, 0.1))
    before = weights(gan)
    after = train(gan, points(name, 2))
    assert_close(before[:1], after[:1], rtol=0, atol=0)
    assert any(np.any(a != b) for a, b in zip(before[1], after[1], strict=True))


@scheme_names
def test_batch_must_divide_into_minibatches(name):
    minibatches = SCHEMES[name][0].minibatches
    if minibatches == 1:
        gan = make(name)
        train(gan, np.ones([1, 7, 2]))
        assert gan.steps == 1
        return
    with pytest.raises(
        ValueError, match=f"into {minibatches} equal minibatches.*multiple of {minibatches}"
    ):
        train(make(name), np.ones([1, minibatches * 4 + 1, 2]))


@scheme_names
def test_scheme_survives_keras_serialization(name):
    scheme = SCHEMES[name][0]
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(scheme))
    assert copy == scheme


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["alternating_3", "rk4", "extragradient", "extragradient_separate", "lookahead"],
)
def test_schedules_count_steps_however_often_a_player_is_updated(name):
    scheme, naive = SCHEMES[name]
    gan = make(name)
    rates = [0.1, 0.01, 0.05, 0.0]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1, 2], rates)
    gan.compile(
        keras.optimizers.SGD(schedule),
        keras.optimizers.SGD(schedule),
        scheme=scheme,
        seed=SEED,
        jit_compile=False,
    )
    params = weights(gan)
    data = points(name, 4)
    play = naive()
    for step, rows in enumerate(data):
        game = NaiveGan([Sgd(rates[step])] * 2)
        params = play(game, params, minibatches_of(gan, step, rows))
    assert_close(train(gan, data), params, rtol=1e-6, atol=1e-8)
