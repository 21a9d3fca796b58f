"""Penalties on losses in every scheme, against a plain NumPy program; lazy ones; their cost."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import NaiveGan, Sgd, forward
from schemes import SCHEMES, chosen
from small_gans import (
    BATCH,
    RATES,
    SEED,
    assert_close,
    finite_differences,
    make,
    minibatches_of,
    points,
    train,
    weights,
)

import tfgan_stab as tgs
from tfgan_stab._utils import random as noise

pytestmark = pytest.mark.usefixtures("float64")

INTERVAL = 2
PENALTIES = [tgs.R1(0.8), tgs.GradientPenalty(0.6, interval=INTERVAL)]


def input_gradients(discriminator, images):
    """d D(x) / d x of `x -> tanh(x A + a) B + b`."""
    a, _, b, _ = discriminator
    _, hidden = forward(discriminator, images)
    return ((1 - hidden**2) * b[:, 0]) @ a.T


def penalty_value(params, minibatch, shares, active):
    """The values of R1 and of the lazy gradient penalty, added up."""
    generator, discriminator = params
    images, latents = minibatch
    squares = np.sum(input_gradients(discriminator, images) ** 2, axis=1)
    value = 0.8 / 2 * np.mean(squares)
    if active:
        fake_images, _ = forward(generator, latents)
        between = images + shares[:, None] * (fake_images - images)
        norms = np.sqrt(np.sum(input_gradients(discriminator, between) ** 2, axis=1))
        value += INTERVAL * 0.6 * np.mean((norms - 1) ** 2)
    return value


class PenalizedGan(NaiveGan):
    """The naive game with penalties on the discriminator; derivatives by central differences."""

    def slope(self, player, params, minibatch):
        images, latents, shares, active = minibatch
        slope = super().slope(player, params, (images, latents))
        if player == 0:
            return slope
        gradient = finite_differences(
            lambda moved: penalty_value(moved, (images, latents), shares, active), params, 1
        )
        return [s - g for s, g in zip(slope, gradient, strict=True)]


@pytest.mark.slow
@chosen(quick={"heun"}, usual={"heun"})
def test_three_steps_with_penalties_are_those_of_a_naive_program(name):
    scheme = SCHEMES[name][0]
    gan = make(name, penalties=PENALTIES)
    params = weights(gan)
    data = points(name, 3)
    others = [Sgd(rate) for rate in RATES] if scheme.separate_extrapolation else None
    game, play = PenalizedGan([Sgd(rate) for rate in RATES], others), SCHEMES[name][1]()
    for step, rows in enumerate(data):
        minibatches = []
        for number, minibatch in enumerate(minibatches_of(gan, step, rows)):
            key = noise.key(SEED, noise.PENALTIES, step, number, 1)
            shares = PENALTIES[1].noise(BATCH, [2], [3], key).numpy().astype("float64")
            minibatches.append((*minibatch, shares, step % INTERVAL == 0))
        params = play(game, params, minibatches)
    assert_close(train(gan, data), params, rtol=1e-5, atol=1e-7)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("name", ["alternating", pytest.param("rk4", marks=pytest.mark.exhaustive)])
def test_eager_graph_and_xla_agree_on_lazy_penalties(name):
    data = points(name, 3)
    graph = train(make(name, penalties=PENALTIES), data)
    for settings in ({"run_eagerly": True}, {"jit_compile": True}):
        other = train(make(name, penalties=PENALTIES, **settings), data)
        assert_close(graph, other, rtol=1e-7, atol=1e-9)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_logs_show_values_and_lazy_ones_the_same_on_average():
    logged = {}
    for interval in (1, 4):
        gan = make("simultaneous", rates=(0.0, 0.0), penalties=[tgs.R1(2.0, interval=interval)])
        rows = np.tile(points("simultaneous", 1), [8, 1, 1])
        history = gan.fit(tf.data.Dataset.from_tensor_slices(rows), verbose=0).history
        logged[interval] = history["r1"][0]
    discriminator = weights(gan)[1]
    expected = np.mean(np.sum(input_gradients(discriminator, rows[0]) ** 2, axis=1))
    np.testing.assert_allclose([logged[1], logged[4]], expected, rtol=1e-6)


class Counting(keras.layers.Layer):
    """Counts the passes through the discriminator."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, inputs):
        self.calls += 1
        return inputs


@pytest.mark.parametrize(
    ("penalties", "passes"),
    [
        ([], 2),
        ([tgs.R1()], 2),
        ([tgs.R1(), tgs.R2(), tgs.R1(3.0)], 2),
        ([tgs.GradientPenalty()], 3),
        ([tgs.ConsistencyRegularization(10.0, 10.0, 5.0)], 5),
    ],
)
def test_input_gradients_are_taken_from_the_passes_that_the_losses_make(penalties, passes):
    counting = Counting()
    discriminator = keras.Sequential([keras.Input((2,)), counting, keras.layers.Dense(1)])
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    gan = tgs.GAN(generator, discriminator, latents=3)
    augment = {"augment": lambda images, noise: -images}
    penalties = [
        tgs.ConsistencyRegularization(10.0, 10.0, 5.0, **augment)
        if isinstance(p, tgs.ConsistencyRegularization)
        else p
        for p in penalties
    ]
    settings = {"run_eagerly": True, "check_derivatives": False}
    gan.compile("sgd", "sgd", scheme=tgs.Simultaneous(), penalties=penalties, **settings)
    counting.calls = 0
    gan.train_on_batch(np.ones([4, 2]))
    assert counting.calls == passes


@pytest.mark.exhaustive
@pytest.mark.slow
def test_half_precision_gives_about_the_same_values():
    found = {}
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx("float32")
        gan = make("simultaneous", penalties=[tgs.R1(2.0), tgs.GradientPenalty(1.0)])
        data = points("simultaneous", 1).astype("float32")
        dataset = tf.data.Dataset.from_tensor_slices(data)
        history = gan.fit(dataset, verbose=0).history
        found[policy] = [history["r1"][0], history["gradient_penalty"][0]]
        assert all(np.all(np.isfinite(w)) for own in weights(gan) for w in own)
    np.testing.assert_allclose(found["mixed_float16"], found["float32"], rtol=1e-2)
    np.testing.assert_allclose(found["mixed_bfloat16"], found["float32"], rtol=5e-2)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_conditional_networks_have_input_gradients_along_images(tiny):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    gan = tiny.image_gan(num_classes=10, penalties=[tgs.R1(), tgs.GradientPenalty(interval=2)])
    data = tgs.data.digits(batch_size=8, labels=True)
    history = gan.fit(data, steps_per_epoch=2, verbose=0).history
    assert history["r1"][0] > 0 and np.isfinite(history["gradient_penalty"][0])


def test_penalties_must_be_instances():
    with pytest.raises(TypeError, match=r"`penalties` must be a list such as \[tgs.R1\(10.0\)\]"):
        make("simultaneous", penalties=[tgs.R1])
