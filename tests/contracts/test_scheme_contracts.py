"""What every scheme promises, in a GAN with real losses."""

import keras
import numpy as np
import promises
import pytest
from naive_gan import NaiveGan, Sgd
from schemes import FEW, QUICK, SCHEMES, chosen
from small_gans import SEED, assert_close, make, minibatches_of, points, train, weights

import tfgan_stab as tgs

pytestmark = pytest.mark.usefixtures("float64")

scheme_names = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in SCHEMES],
)


@pytest.mark.cases(full=12, fast=7)
@pytest.mark.parametrize("optimizer", [pytest.param("sgd", marks=pytest.mark.exhaustive), "adam"])
@scheme_names
def test_three_steps_are_those_of_a_naive_program(name, optimizer):
    promises.three_steps_are_those_of_a_naive_program(name, optimizer)


@chosen(quick=(), usual={"rk4_fresh"})
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


@pytest.mark.cases(full=6)
@chosen(quick=(), usual=FEW)
def test_one_trace_of_the_step_and_of_the_gradients_for_each_choice_of_players(name):
    promises.step_and_gradients_are_traced_once(name)


@pytest.mark.cases(full=6)
@pytest.mark.slow
@chosen(quick={"simultaneous"}, usual=FEW)
def test_learning_rates_of_zero_change_nothing(name):
    promises.learning_rates_of_zero_change_nothing(name)


@pytest.mark.cases(full=5)
@pytest.mark.slow
@chosen(quick={"simultaneous"}, usual=FEW)
def test_learning_rate_of_zero_holds_one_player_only(name):
    gan = make(name, rates=(0.0, 0.1), run_eagerly=True)
    before = weights(gan)
    after = train(gan, points(name, 2))
    assert_close(before[:1], after[:1], rtol=0, atol=0)
    assert any(np.any(a != b) for a, b in zip(before[1], after[1], strict=True))


@chosen(quick=(), usual=FEW)
def test_batch_must_divide_into_minibatches(name):
    promises.batch_must_divide_into_minibatches(name)


@scheme_names
def test_scheme_survives_keras_serialization(name):
    promises.scheme_survives_keras_serialization(name)


@pytest.mark.cases(full=2)
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


class Within(keras.constraints.Constraint):
    """Clips to [-0.01, 0.01], as the first Wasserstein GAN does."""

    def __call__(self, weights):
        return keras.ops.clip(weights, -0.01, 0.01)


@chosen(quick={"optimistic", "lookahead"}, usual={"optimistic", "lookahead", *FEW})
def test_constraints_hold_after_each_step(name):
    layers = keras.layers
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    settings = {"kernel_constraint": Within(), "bias_constraint": Within()}
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, "relu", **settings), layers.Dense(1, **settings)]
    )
    gan = tgs.GAN(generator, discriminator, latents=3)
    scheme, _ = SCHEMES[name]
    rates = (keras.optimizers.SGD(9.0), keras.optimizers.Adam(0.05))
    gan.compile(*rates, loss="wasserstein", scheme=scheme, run_eagerly=True)
    before = [v.numpy() for v in generator.trainable_variables]
    for batch in points(name, 4):
        gan.train_on_batch(batch)
        largest = max(np.abs(v.numpy()).max() for v in discriminator.trainable_variables)
        assert 0.005 < largest <= 0.01
    assert any(
        np.any(a != b.numpy()) for a, b in zip(before, generator.trainable_variables, strict=True)
    )
