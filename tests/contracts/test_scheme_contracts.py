"""What every scheme promises, in a GAN with real losses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import Adam, NaiveGan, Sgd
from schemes import FEW, SCHEMES, chosen

from tfgan_stab._utils import random as noise
from tfgan_stab.training.gan import GAN

BATCH = 8
LATENTS = 3
SEED = 11
RATES = (0.05, 0.1)

# Of the others the promises are tested too, where time allows.
QUICK = {"simultaneous", "alternating_3", "rk4", "lookahead", "extragradient_separate"}
scheme_names = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in SCHEMES],
)


def in_float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


float64 = pytest.fixture(in_float64, autouse=True)


def perceptron(inputs, outputs):
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((inputs,)), layers.Dense(5, "tanh"), layers.Dense(outputs)]
    )


def make(name, optimizer="sgd", rates=RATES, **settings):
    random = np.random.RandomState(3)
    gan = GAN(perceptron(LATENTS, 2), perceptron(2, 1), latents=LATENTS)
    for variable in gan.generator.variables + gan.discriminator.variables:
        variable.assign(random.normal(size=variable.shape, scale=0.7))
    kinds = {"sgd": keras.optimizers.SGD, "adam": lambda r: keras.optimizers.Adam(r, beta_1=0.5)}
    gan.compile(
        *(kinds[optimizer](rate) for rate in rates),
        scheme=SCHEMES[name][0],
        seed=SEED,
        **{"jit_compile": False, **settings},
    )
    return gan


def reals(name, steps):
    rows = BATCH * SCHEMES[name][0].minibatches
    return np.random.RandomState(5).normal(size=[steps, rows, 2])


def weights(gan):
    return [
        [v.numpy() for v in network.variables] for network in (gan.generator, gan.discriminator)
    ]


def train(gan, data):
    dataset = tf.data.Dataset.from_tensor_slices(data)
    gan.fit(dataset, verbose=0)
    return weights(gan)


def assert_close(one, other, **tolerance):
    for mine, theirs in zip(one, other, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@scheme_names
def test_three_steps_are_those_of_a_naive_program(name, optimizer):
    gan = make(name, optimizer)
    params = weights(gan)
    data = reals(name, 3)
    kind = {"sgd": Sgd, "adam": Adam}[optimizer]
    looks = [kind(rate) for rate in RATES] if SCHEMES[name][0].separate_extrapolation else None
    game = NaiveGan([kind(rate) for rate in RATES], looks)
    play = SCHEMES[name][1]()
    for number, rows in enumerate(data):
        minibatches = []
        for minibatch, own in enumerate(np.split(rows, SCHEMES[name][0].minibatches)):
            key = noise.key(SEED, noise.TRAINING, number, minibatch)
            minibatches.append((own, gan.latents(BATCH, key).numpy().astype("float64")))
        params = play(game, params, minibatches)
    # Keras keeps learning rates in float32, and Adam's betas too: 1 - 0.999 loses 5 digits there.
    tolerance = {"sgd": {"rtol": 1e-6, "atol": 1e-8}, "adam": {"rtol": 1e-4, "atol": 1e-5}}
    assert_close(train(gan, data), params, **tolerance[optimizer])


@chosen(quick=(), usual=FEW)
def test_eager_graph_and_xla_agree(name):
    data = reals(name, 3)
    graph = train(make(name, "adam"), data)
    eager = train(make(name, "adam", run_eagerly=True), data)
    compiled_gan = make(name, "adam", jit_compile=True)
    assert compiled_gan.compilation.scope in ("step", "field")
    compiled = train(compiled_gan, data)
    assert_close(eager, graph, rtol=1e-12)
    # XLA draws the same random bits; what it makes of sine and logarithm is its own.
    assert_close(compiled, graph, rtol=1e-4, atol=1e-5)


@scheme_names
def test_the_step_is_traced_once_and_the_field_once_for_each_choice_of_players(name):
    gan = make(name)
    traces = []
    step = gan.train_step

    def counted(data):
        traces.append(1)
        return step(data)

    gan.train_step = counted
    train(gan, reals(name, 5))
    assert len(traces) == 1
    choices = 2 if "alternating" in repr(SCHEMES[name][0]).lower() else 1
    assert gan._functions.field.experimental_get_tracing_count() == choices


@chosen(quick={"simultaneous"}, usual=FEW)
def test_learning_rates_of_zero_change_nothing(name):
    gan = make(name, rates=(0.0, 0.0))
    before = weights(gan)
    after = train(gan, reals(name, 2))
    assert_close(before, after, rtol=0, atol=0)


@chosen(quick={"simultaneous"}, usual=FEW)
def test_a_learning_rate_of_zero_holds_one_player_only(name):
    gan = make(name, rates=(0.0, 0.1))
    before = weights(gan)
    after = train(gan, reals(name, 2))
    assert_close(before[:1], after[:1], rtol=0, atol=0)
    assert any(np.any(a != b) for a, b in zip(before[1], after[1], strict=True))


@scheme_names
def test_a_batch_that_does_not_divide_is_refused_with_what_would(name):
    minibatches = SCHEMES[name][0].minibatches
    if minibatches == 1:
        gan = make(name)
        train(gan, np.ones([1, 7, 2]))
        return
    with pytest.raises(
        ValueError, match=f"into {minibatches} equal minibatches.*multiple of {minibatches}"
    ):
        train(make(name), np.ones([1, minibatches * 4 + 1, 2]))


@scheme_names
def test_a_scheme_survives_keras_serialization(name):
    scheme = SCHEMES[name][0]
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(scheme))
    assert copy == scheme


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["alternating_3", "rk4", "extragradient", "extragradient_separate", "lookahead"],
)
def test_schedules_count_steps_however_often_a_player_moves(name):
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
    data = reals(name, 4)
    play = naive()
    for number, rows in enumerate(data):
        minibatches = []
        for minibatch, own in enumerate(np.split(rows, scheme.minibatches)):
            key = noise.key(SEED, noise.TRAINING, number, minibatch)
            minibatches.append((own, gan.latents(BATCH, key).numpy().astype("float64")))
        params = play(NaiveGan([Sgd(rates[number])] * 2), params, minibatches)
    assert_close(train(gan, data), params, rtol=1e-6, atol=1e-8)
