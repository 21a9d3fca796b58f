"""The check before training: what it lets pass, what it stops, and whom it blames."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab import derivatives
from tfgan_stab.derivatives import WrongDerivativeError, check_once

layers = keras.layers

SLOPE = [tgs.R1(10.0)]
PENALTIES = {
    "r1": SLOPE,
    "gradient_penalty": [tgs.GradientPenalty()],
    "consistency": [tgs.ConsistencyRegularization(10.0, 10.0, 5.0, 0.5)],
    "generator_gradient_norm": [tgs.GeneratorGradientNorm(0.1)],
    "consensus": [tgs.Consensus(0.1)],
}


def generator(*middle):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(32),
            layers.Reshape((4, 4, 2)),
            *middle,
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh"),
        ]
    )


def discriminator(*middle):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="leaky_relu"),
            *middle,
            layers.Conv2D(4, 3, padding="same", activation="swish"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def fit(penalties, own=None, other=None, images=None, **settings):
    gan = tgs.GAN(own or generator(), other or discriminator(), latents=3)
    gan.compile("sgd", "sgd", penalties=penalties, jit_compile=False, **settings)
    gan.fit(np.zeros([4, 8, 8, 1], "float32"), batch_size=4, verbose=0)
    return gan


@pytest.mark.parametrize("name", PENALTIES)
def test_right_derivatives_pass(name):
    fit(PENALTIES[name])


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["r1", "generator_gradient_norm"])
def test_right_derivatives_pass_in_half_precision_and_policies_are_put_back(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        gan = fit(PENALTIES[name])
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.dtype_policy.name for layer in gan.discriminator.layers} == {policy}
    assert keras.config.floatx() == "float32"


def rough(normalization):
    """A discriminator of points, where a normalization's second derivative weighs much."""
    body = [layers.Dense(16, activation="tanh"), normalization, layers.Dense(16, activation="tanh")]
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), *body, layers.Dense(1)])


NORMALIZATIONS = {
    "BatchNormalization": {},
    "LayerNormalization": {},
    "GroupNormalization": {"groups": 4},
}


@pytest.mark.parametrize("kind", ["GroupNormalization"])
def test_normalizations_of_keras_are_stopped_and_ours_named(kind):
    theirs = getattr(layers, kind)(**NORMALIZATIONS[kind], name="mine")
    with pytest.raises(
        WrongDerivativeError,
        match=f"'mine', {kind}, of the discriminator has a wrong second derivative .*"
        f"use tgs.networks.{kind} instead",
    ):
        fit(SLOPE, other=rough(theirs))


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_normalizations_of_this_package_pass(kind):
    fit(SLOPE, other=rough(getattr(tgs.networks, kind)(**NORMALIZATIONS[kind])))


@pytest.mark.parametrize("name", ["r1", "gradient_penalty", "generator_gradient_norm"])
def test_bilinear_upsampling_is_stopped_and_blamed(name):
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    with pytest.raises(
        WrongDerivativeError,
        match=r"'enlarge', UpSampling2D, of the discriminator has a wrong second derivative \(0 .*"
        r"use tgs.networks.UpSampling2D instead",
    ):
        fit(PENALTIES[name], other=discriminator(up))


def test_nearest_upsampling_passes():
    fit(SLOPE, other=discriminator(layers.UpSampling2D(interpolation="nearest")))


def test_a_layer_of_the_generator_is_blamed_where_its_gradient_is_differentiated():
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    small = keras.Sequential(
        [keras.Input((3,)), layers.Dense(16), layers.Reshape((4, 4, 1)), up, layers.Conv2D(1, 1)]
    )
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D, of the generator"):
        fit(PENALTIES["generator_gradient_norm"], own=small)
    # R1 differentiates the discriminator alone.
    fit(SLOPE, own=keras.models.clone_model(small))


def test_a_resize_without_a_second_derivative_is_blamed_by_name():
    resize = layers.Resizing(6, 6, interpolation="bicubic", name="shrink")
    with pytest.raises(
        WrongDerivativeError,
        match="'shrink', Resizing, of the discriminator has no second derivative in TensorFlow",
    ):
        fit(SLOPE, other=discriminator(resize))


@keras.saving.register_keras_serializable("test_derivatives")
class Forgetful(layers.Layer):
    """A layer whose derivative is right, and whose derivative's derivative is not."""

    def call(self, inputs):
        @tf.custom_gradient
        def cubed(x):
            return x**3, lambda upstream: 3 * tf.stop_gradient(x) ** 2 * upstream

        return cubed(inputs)


def test_a_custom_layer_is_blamed():
    with pytest.raises(WrongDerivativeError, match="'mine', Forgetful, of the discriminator"):
        fit(SLOPE, other=discriminator(layers.UnitNormalization(), Forgetful(name="mine")))


class Float32Only(layers.Layer):
    """A layer that insists on a type, as many custom ones do."""

    def call(self, inputs):
        return tf.cast(inputs, tf.float32) * tf.constant(2.0)


def test_networks_that_insist_on_float32_are_checked_in_it():
    fit(SLOPE, other=discriminator(Float32Only()))
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        fit(SLOPE, other=discriminator(Float32Only(), up))


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_in_double_precision_nothing_rounds_to_single(monkeypatch, kind):
    # Derivatives and differences must agree far better than single precision could: then kinks
    # can be kept apart from errors.
    monkeypatch.setattr(derivatives, "FINE", ((1e-7, 1e-8), 1e-5))
    monkeypatch.setattr(derivatives, "COARSE", ((), 0.0))
    seen = []
    compared = derivatives.compared

    def noted(*args):
        seen.append(compared(*args))
        return seen[-1]

    monkeypatch.setattr(derivatives, "compared", noted)
    other = discriminator()
    if kind == "functional":
        other = keras.Model(other.inputs, other.outputs)
    fit(SLOPE, other=other)
    assert seen == [None] * derivatives.ENOUGH_RIGHT
    assert other.inputs[0].dtype == "float32"


class Penalty:
    """A penalty of the user's with a derivative that is not its own."""

    payers, interval, looks_at = ("discriminator",), 1, ()

    def draw(self, count, example_shape, latent_shape, key):
        return ()

    def terms(self, scene, draws):
        return tgs.Players(None, tf.stop_gradient(tf.reduce_mean(scene.real_logits**2)))


def test_a_penalty_without_a_derivative_is_stopped_though_no_layer_is_to_blame():
    with pytest.raises(WrongDerivativeError, match="No layer alone is to blame: look for oper"):
        fit([Penalty()])


def test_it_can_be_switched_off_and_is_done_once():
    up = layers.UpSampling2D(interpolation="bilinear")
    fit(SLOPE, other=discriminator(up), check_derivatives=False)
    gan = fit(SLOPE)
    assert gan.derivatives_checked


def test_weights_states_and_layers_are_as_they_were():
    own, other = generator(layers.BatchNormalization()), discriminator(layers.BatchNormalization())
    gan = tgs.GAN(own, other, latents=3)
    gan.compile("sgd", "sgd", penalties=SLOPE, jit_compile=False)
    before = [v.numpy() for v in gan.variables]
    check_once(gan)
    assert all(np.array_equal(a, v.numpy()) for a, v in zip(before, gan.variables, strict=True))
    assert all("call" not in vars(layer) for layer in other.layers)
    assert gan.derivatives_checked


def test_loops_of_ones_own_are_checked_too():
    up = layers.UpSampling2D(interpolation="bilinear", name="enlarge")
    gan = tgs.GAN(generator(), discriminator(up), latents=3)
    gan.compile("sgd", "sgd", penalties=SLOPE, jit_compile=False)
    with pytest.raises(WrongDerivativeError, match="'enlarge', UpSampling2D"):
        gan.train_on_batch(np.zeros([4, 8, 8, 1], "float32"))
