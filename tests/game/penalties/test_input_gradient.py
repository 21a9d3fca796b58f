"""Input-gradient penalties: closed forms, finite differences on deep networks, TF-GAN."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from penalized_games import (
    ROWS,
    added_gradient,
    assert_derivatives,
    deep_pair,
    game_of,
    linear_pair,
)

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors import tfgan

pytestmark = pytest.mark.usefixtures("float64")

# On D(x) = a . x + b the input gradient is a everywhere: (value, factor of a in its derivative).
LINEAR = {
    "r1": (tgs.R1(3.0), lambda n: (1.5 * n**2, 3.0)),
    "r2": (tgs.R2(3.0), lambda n: (1.5 * n**2, 3.0)),
    "zero_centered": (tgs.ZeroCenteredGradientPenalty(3.0), lambda n: (3 * n**2, 6.0)),
    "gradient_penalty": (
        tgs.GradientPenalty(3.0),
        lambda n: (3 * (n - 1) ** 2, 6 * (n - 1) / n),
    ),
    "target_of_a_quarter": (
        tgs.GradientPenalty(3.0, target=0.25),
        lambda n: (3 * (4 * n - 1) ** 2, 24 * (4 * n - 1) / n),
    ),
    "one_sided_and_steep": (
        tgs.GradientPenalty(3.0, target=0.25, one_sided=True),
        lambda n: (3 * (4 * n - 1) ** 2, 24 * (4 * n - 1) / n),
    ),
    "one_sided_and_flat": (
        tgs.GradientPenalty(3.0, target=9.0, one_sided=True),
        lambda n: (0.0, 0.0),
    ),
    "dragan": (tgs.Dragan(3.0), lambda n: (3 * (n - 1) ** 2, 6 * (n - 1) / n)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_closed_form_on_a_linear_discriminator(name):
    penalty, answer = LINEAR[name]
    added, value, (_, params, _, _) = added_gradient(linear_pair(), penalty)
    a = params.discriminator[0].numpy()
    expected, factor = answer(np.linalg.norm(a))
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    np.testing.assert_allclose(added[0], factor * a, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(added[1], 0.0, atol=1e-12)


PENALTIES = {
    "r1": tgs.R1(2.0),
    "r2": tgs.R2(2.0),
    "zero_centered": tgs.ZeroCenteredGradientPenalty(2.0),
    "gradient_penalty": tgs.GradientPenalty(2.0),
    "one_sided": tgs.GradientPenalty(2.0, target=0.05, one_sided=True),
    "dragan": tgs.Dragan(2.0),
}
KINDS = ["average_pooling", "max_pooling", "strides", "unit_normalization", "leaky", "nearest"]


def value_by_differences(networks, params, minibatch, name, step=1e-6):
    """A penalty's value from outputs alone, input gradients by central differences."""
    generator, discriminator = networks
    for network, own in zip(networks, params, strict=True):
        for variable, value in zip(network.trainable_variables, own, strict=True):
            variable.assign(value)
    real_images, fake_images = minibatch.real_images.numpy(), generator(minibatch.latents).numpy()
    noise = minibatch.noise[0]

    def output(x):
        return discriminator(tf.constant(x)).numpy()[:, 0]

    def norms(x):
        moves = step * np.eye(x[0].size).reshape([-1, 1, *x.shape[1:]])
        ends = [output((x + s * moves).reshape([-1, *x.shape[1:]])) for s in (1, -1)]
        gradients = (ends[0] - ends[1]) / (2 * step)
        return np.sum(gradients.reshape([-1, len(x)]) ** 2, axis=0)

    def way(share):
        return real_images + share.numpy()[:, None, None, None] * (fake_images - real_images)

    if name in ("r1", "r2"):
        return np.mean(norms(real_images if name == "r1" else fake_images))
    if name == "zero_centered":
        return 2 * np.mean(norms(way(noise)))
    if name in ("gradient_penalty", "one_sided"):
        target = 0.05 if name == "one_sided" else 1.0
        lengths = np.sqrt(norms(way(noise))) / target
        if name == "one_sided":
            lengths = np.maximum(lengths, 1)
        return 2 * np.mean((lengths - 1) ** 2)
    far, where = (d.numpy() for d in noise)
    near = real_images + far[:, None, None, None] * 0.5 * real_images.std() * where
    return 2 * np.mean((np.sqrt(norms(near)) - 1) ** 2)


@pytest.mark.parametrize("name", PENALTIES)
def test_value_by_finite_differences(name):
    networks = deep_pair("average_pooling")
    game, params, state, minibatch = game_of(networks, [PENALTIES[name]])
    expected = value_by_differences(networks, params, minibatch, name)
    found = float(game(params, state, minibatch).penalty_values[0])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# Two penalties on all networks, all penalties on two.
PAIRS = [
    (name, kind)
    for name in PENALTIES
    for kind in KINDS
    if kind in KINDS[:2] or name in ("r1", "gradient_penalty")
]


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_gradient_by_finite_differences_of_the_value(name, kind):
    assert_derivatives(deep_pair(kind), PENALTIES[name])


@pytest.mark.slow
def test_graph_and_xla_give_what_eager_calls_give():
    penalties = [PENALTIES["r1"], PENALTIES["gradient_penalty"]]
    game, *given = game_of(deep_pair("leaky"), penalties)
    expected = tf.nest.flatten(game(*given))
    for jit_compile in (False, True):
        function = tf.function(lambda *args: game(*args), jit_compile=jit_compile, autograph=False)
        for one, other in zip(expected, tf.nest.flatten(function(*given)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_generators_gradient_is_unchanged():
    for name in ("r1", "r2", "gradient_penalty", "dragan"):
        added, _, _ = added_gradient(deep_pair("strides"), PENALTIES[name], "generator")
        assert all(np.all(each == 0) for each in added), name


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("target", [1.0, 0.05])
def test_gradient_penalty_is_that_of_tfgan(monkeypatch, one_sided, target):
    # Theirs insists on float32 here and there.
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    penalty = tgs.GradientPenalty(2.5, target=target, one_sided=one_sided)
    networks = deep_pair("average_pooling")
    game, params, state, minibatch = game_of(networks, [penalty])
    module = tfgan.losses()
    fake_images = networks[0](minibatch.latents)

    def uniform(shape, **kwargs):
        del kwargs
        return tf.reshape(minibatch.noise[0], [ROWS, 1, 1, 1])

    monkeypatch.setattr(module.tf.random, "uniform", uniform)

    @tf.function(autograph=False)
    def theirs():
        return module.wasserstein_gradient_penalty(
            minibatch.real_images,
            fake_images,
            None,
            lambda examples, _: networks[1](examples),
            tf.compat.v1.get_variable_scope(),
            target=target,
            one_sided=one_sided,
        )

    mine = float(game(params, state, minibatch).penalty_values[0])
    np.testing.assert_allclose(mine, 2.5 * float(theirs()), rtol=1e-5)


def test_input_gradient_of_zero_has_a_finite_derivative():
    networks = linear_pair()
    game, params, state, minibatch = game_of(networks, [tgs.GradientPenalty(), tgs.R1()])
    flat = params._replace(discriminator=[tf.zeros_like(w) for w in params.discriminator])
    gradients = game(flat, state, minibatch).gradients.discriminator
    assert all(np.all(np.isfinite(g)) for g in gradients)


BAD = [
    (lambda: tgs.R1(-1.0), "`weight` must be a number >= 0. Received: -1.0"),
    (lambda: tgs.R1(True), "`weight` must be a number >= 0. Received: True"),
    (lambda: tgs.R1(np.bool_(True)), "`weight` must be a number >= 0. Received: True"),
    (lambda: tgs.R1(np.float32("inf")), "`weight` must be a number >= 0. Received: inf"),
    (lambda: tgs.R1("10"), "`weight` must be a number >= 0. Received: '10'"),
    (lambda: tgs.R2(float("nan")), "`weight` must be a number >= 0. Received: nan"),
    (lambda: tgs.R1(interval=0), "`interval` must be a number of steps, an integer >= 1. Received"),
    (lambda: tgs.GradientPenalty(interval=2.0), "`interval` must be a number of steps.*2.0"),
    (lambda: tgs.ZeroCenteredGradientPenalty(interval=True), "`interval` must be.*steps.*True"),
    (lambda: tgs.GradientPenalty(target=0.0), "`target` must be a number > 0. Received: 0.0"),
    (lambda: tgs.GradientPenalty(one_sided=1), "`one_sided` must be one of True, False. Rec.*: 1"),
    (lambda: tgs.Dragan(spread=-1), "`spread` must be a number > 0. Received: -1"),
    (lambda: tgs.Dragan(np.float32("nan")), "`weight` must be a number >= 0. Received: nan"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_settings_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (tgs.R1(2.0), 2.7e5),
        (tgs.R2(2.0), 2.7e5),
        (tgs.ZeroCenteredGradientPenalty(1.0), 2.7e5),
        (tgs.GradientPenalty(1.0), (2.7e5**0.5 - 1) ** 2),
        (tgs.Dragan(1.0), (2.7e5**0.5 - 1) ** 2),
    ],
    ids=lambda p: type(p).__name__,
)
def test_squares_do_not_overflow_in_half_precision(penalty, value):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("mixed_float16")
    networks = linear_pair()
    game, params, state, minibatch = game_of(networks, [penalty])
    steep = [tf.fill([3, 1], 300.0), tf.zeros([1])]
    found = game(params._replace(discriminator=steep), state, minibatch)
    # The largest number in half precision is 65504.
    np.testing.assert_allclose(float(found.penalty_values[0]), value, rtol=1e-3)
    assert all(np.all(np.isfinite(g)) for g in found.gradients.discriminator)
