"""The check before training: what it stops, what it names, and when it runs."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from checked_gans import (
    PENALTIES,
    Forgetful,
    bilinear,
    check,
    check_compiled,
    discriminator,
    generator,
)

import tfgan_stab as tgs
from tfgan_stab import WrongDerivativeError
from tfgan_stab.training import gradient_check

layers, networks = keras.layers, tgs.networks


# -- Layers of Keras that are known to be wrong ----------------------------------------------------

WRONG_LAYERS = {
    "UpSampling2D": bilinear,
    "bicubic UpSampling2D": lambda: layers.UpSampling2D(interpolation="bicubic", name="mine"),
    "Resizing": lambda: layers.Resizing(6, 6, name="mine"),
    "nearest Resizing": lambda: layers.Resizing(6, 6, interpolation="nearest", name="mine"),
    "BatchNormalization": lambda: layers.BatchNormalization(name="mine"),
    "LayerNormalization": lambda: layers.LayerNormalization(name="mine"),
    "GroupNormalization": lambda: layers.GroupNormalization(2, name="mine"),
}
RIGHT_LAYERS = {
    "UpSampling2D": networks.UpSampling2D,
    "nearest UpSampling2D": layers.UpSampling2D,
    "Resizing": lambda: networks.Resizing(6, 6),
    "BatchNormalization": networks.BatchNormalization,
    "frozen BatchNormalization": lambda: layers.BatchNormalization(trainable=False),
    "LayerNormalization": networks.LayerNormalization,
    "GroupNormalization": lambda: networks.GroupNormalization(2),
    "noise and dropout": lambda: keras.Sequential(
        [layers.GaussianNoise(0.2), layers.GaussianDropout(0.3), layers.SpatialDropout2D(0.2)]
    ),
    "spectral normalization": lambda: networks.SpectralNormalization(layers.Conv2D(8, 3)),
}
TWICE = ["r1", "gradient_penalty", "generator_gradient_norm", "consensus"]


@pytest.mark.cases(fast=4)
@pytest.mark.parametrize("penalty", TWICE)
@pytest.mark.parametrize("kind", WRONG_LAYERS)
def test_wrong_layer_of_the_discriminator_stops(kind, penalty):
    name = kind.split()[-1]
    with pytest.raises(
        WrongDerivativeError,
        match=rf"needs layers with right second derivatives. Received: layer 'mine' of "
        rf"the discriminator \(use tgs.networks.{name} instead\). .*check_derivatives=False",
    ):
        check(penalty, other=discriminator(WRONG_LAYERS[kind]()))


@pytest.mark.cases(full=10)
@pytest.mark.slow
@pytest.mark.parametrize("penalty", TWICE)
@pytest.mark.parametrize("kind", RIGHT_LAYERS)
def test_right_layer_of_the_discriminator_passes(kind, penalty):
    check(penalty, other=discriminator(RIGHT_LAYERS[kind]()))


@pytest.mark.parametrize("penalty", ["generator_gradient_norm", "consensus"])
def test_wrong_layer_of_the_generator_stops(penalty):
    own = generator(bilinear(), layers.AveragePooling2D(2))
    with pytest.raises(
        WrongDerivativeError, match="'mine' of the generator .*networks.UpSampling2D"
    ):
        check(penalty, own=own)
    check("r1", own=keras.models.clone_model(own))  # It differentiates the discriminator alone.


@pytest.mark.slow
@pytest.mark.parametrize("penalty", ["generator_gradient_norm", "consensus"])
def test_normalizations_of_the_generator_pass(penalty):
    check(penalty, own=generator(layers.BatchNormalization()))


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("kind", WRONG_LAYERS)
def test_penalty_without_input_gradients_needs_no_second_derivatives(kind):
    check("consistency", other=discriminator(WRONG_LAYERS[kind]()))


@pytest.mark.slow
def test_each_penalty_is_checked_for_itself():
    other = discriminator(layers.GroupNormalization(2, name="mine"))
    gan = tgs.GAN(generator(), other, latents=3)
    twice = [PENALTIES["consistency"], tgs.ConsistencyRegularization(1.0)]
    gan.compile("sgd", "sgd", penalties=twice, jit_compile=False)
    check_compiled(gan)
    lazy = [PENALTIES["consistency"], tgs.R1(10.0, interval=16)]
    gan.compile("sgd", "sgd", penalties=lazy, jit_compile=False)
    with pytest.raises(WrongDerivativeError, match="^R1.*'mine' of .*networks.GroupNormalization"):
        check_compiled(gan)


@pytest.mark.slow
@pytest.mark.parametrize("interval", [pytest.param(1, marks=pytest.mark.exhaustive), 16])
def test_lazy_penalty_is_checked(interval):
    check(tgs.R1(10.0, interval=interval))
    with pytest.raises(WrongDerivativeError, match="must agree with finite differences"):
        check(tgs.R1(10.0, interval=interval), other=discriminator(Forgetful()))


def test_wrong_layers_are_found_inside_others():
    inner = keras.Sequential([layers.Conv2D(4, 3), bilinear()])
    with pytest.raises(WrongDerivativeError, match="'mine' of .*networks.UpSampling2D"):
        check("r1", other=discriminator(inner))


@keras.saving.register_keras_serializable("test_gradient_check")
class Renamed(layers.LayerNormalization):
    """Keras' own layer under another name."""


def test_subclass_with_the_call_of_keras_stops():
    with pytest.raises(WrongDerivativeError, match="'mine' of .*networks.LayerNormalization"):
        check("r1", other=discriminator(Renamed(name="mine")))


class OwnTape(tgs.R1):
    """A penalty that takes its input gradients by itself."""

    input_gradients_of = ()

    def terms(self, context, noise):
        with tf.GradientTape() as tape:
            tape.watch(context.real_images)
            logits = context.logits(context.real_images)
        gradients = tape.gradient(logits, context.real_images)
        return tgs.Players(None, tf.reduce_mean(tf.square(gradients)))


def test_penalty_with_a_tape_of_its_own_is_seen_to_differentiate_twice():
    check(OwnTape(10.0))
    with pytest.raises(WrongDerivativeError, match="'mine' of .*networks.GroupNormalization"):
        check(OwnTape(10.0), other=discriminator(layers.GroupNormalization(2, name="mine")))


def test_wrong_layer_behind_a_last_layer_of_zeros_stops():
    last = [layers.Flatten(), layers.Dense(1, kernel_initializer="zeros")]
    with pytest.raises(WrongDerivativeError, match="'mine' of .*networks.UpSampling2D"):
        check("r1", other=keras.Sequential([keras.Input((8, 8, 1)), bilinear(), *last]))


# -- What finite differences find ------------------------------------------------------------------


@keras.saving.register_keras_serializable("test_gradient_check")
class Half(layers.Layer):
    """A layer whose second derivative is half of what it should be."""

    def call(self, inputs):
        @tf.custom_gradient
        def cubed(x):
            @tf.custom_gradient
            def backward(upstream, x):
                def again(outer):
                    return outer * 3.0 * x**2, 0.5 * outer * upstream * 6.0 * x

                return upstream * 3.0 * x**2, again

            return x**3, lambda upstream: backward(upstream, x)

        return cubed(inputs)


def resized(images):
    return tf.image.resize(images, [6, 6])


GROSS_ERRORS = {
    "forgetful": [Forgetful],
    "half": [Half],
    "tf.image.resize": [lambda: layers.Lambda(resized, output_shape=(6, 6, 4))],
    "normalized": [layers.UnitNormalization, Forgetful],
}


@pytest.mark.cases(full=4)
@pytest.mark.slow
@pytest.mark.parametrize("penalty", ["r1", "gradient_penalty", "generator_gradient_norm"])
@pytest.mark.parametrize("error", GROSS_ERRORS)
def test_gross_error_of_a_custom_layer_stops(error, penalty):
    with pytest.raises(
        WrongDerivativeError,
        match="must agree with finite differences. Received: .* where .*Look for an operation",
    ):
        check(penalty, other=discriminator(*(kind() for kind in GROSS_ERRORS[error])))


def test_gross_error_behind_a_last_layer_of_zeros_stops():
    last = [layers.Flatten(), layers.Dense(1, kernel_initializer="zeros")]
    other = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), Forgetful(), *last])
    with pytest.raises(WrongDerivativeError, match="must agree with finite differences"):
        check("r1", other=other)


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("penalty", ["r1", "generator_gradient_norm"])
def test_gradient_that_is_missing_stops_in_half_precision(penalty, policy):
    keras.config.set_dtype_policy(policy)
    try:
        other = discriminator(layers.Lambda(resized, output_shape=(6, 6, 4)), Forgetful())
        with pytest.raises(WrongDerivativeError, match="must agree with finite differences"):
            check(penalty, other=other)
    finally:
        keras.config.set_dtype_policy("float32")


def test_operation_without_a_second_derivative_is_named():
    def bicubic(images):
        return tf.image.resize(images, [6, 6], "bicubic")

    with pytest.raises(WrongDerivativeError, match="none in TensorFlow .*ResizeBicubicGrad"):
        check("r1", other=discriminator(layers.Lambda(bicubic, output_shape=(6, 6, 4))))


class Constant(tgs.R1):
    """A penalty of which nothing is differentiable."""

    def terms(self, context, noise):
        return tgs.Players(None, tf.stop_gradient(tf.reduce_mean(context.real_logits**2)))


@pytest.mark.parametrize("normalization", ["none", "spectral"])
def test_penalty_without_a_gradient_stops(normalization):
    other = networks.dcgan_discriminator(8, 1, width=8, normalization=normalization)
    with pytest.raises(WrongDerivativeError, match="Received: 0 where the value changes by"):
        check(Constant(), other=other)


@keras.saving.register_keras_serializable("test_gradient_check")
class Blocking(layers.Layer):
    """A layer that no gradient passes."""

    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        self.function = {"stop": tf.stop_gradient, "round": tf.round, "zero": tf.zeros_like}[kind]

    def call(self, inputs):
        return self.function(inputs)


@pytest.mark.cases(full=3, fast=2)
@pytest.mark.parametrize("kind", ["stop", "round", "zero"])
@pytest.mark.parametrize("penalty", ["r1", "gradient_penalty"])
def test_discriminator_without_input_gradients_stops(penalty, kind):
    with pytest.raises(WrongDerivativeError, match="no gradient passes through the discriminator"):
        check(penalty, other=discriminator(Blocking(kind)))


def test_errors_that_are_no_missing_gradient_are_not_swallowed():
    def broken(images):
        return {}["nothing"]

    with pytest.raises(KeyError, match="nothing"):
        check(tgs.ConsistencyRegularization(1.0, augment=lambda images, noise: broken(images)))


# -- When it runs ----------------------------------------------------------------------------------

IMAGES = np.zeros([4, 8, 8, 1], "float32")


def gan_with(middle=(), **settings):
    gan = tgs.GAN(generator(), discriminator(*middle), latents=3)
    gan.compile("sgd", "sgd", penalties=[tgs.R1(10.0)], jit_compile=False, **settings)
    return gan


def test_fit_and_train_on_batch_check_first():
    with pytest.raises(WrongDerivativeError, match="'mine' of .*networks.UpSampling2D"):
        gan_with([bilinear()]).fit(IMAGES, batch_size=4, verbose=0)
    with pytest.raises(WrongDerivativeError, match="'mine' of .*networks.UpSampling2D"):
        gan_with([bilinear()]).train_on_batch(IMAGES)


@pytest.mark.slow
def test_check_can_be_switched_off():
    gan = gan_with([bilinear()], check_derivatives=False)
    gan.fit(IMAGES, batch_size=4, verbose=0)
    assert gan.steps == 1 and not gan.derivatives_checked


@pytest.mark.slow
def test_check_runs_once(monkeypatch):
    gan = gan_with()
    gan.fit(IMAGES, batch_size=4, verbose=0)
    monkeypatch.setattr(gradient_check, "check", lambda function: pytest.fail("checked again"))
    gan.fit(IMAGES, batch_size=4, verbose=0)
    assert gan.steps == 2 and gan.derivatives_checked


def test_check_leaves_weights_and_states_alone():
    gan = gan_with([networks.BatchNormalization(), layers.Dropout(0.2)])
    before = [v.numpy() for v in gan.variables]
    check_compiled(gan)
    assert all(np.array_equal(a, v.numpy()) for a, v in zip(before, gan.variables, strict=True))


@pytest.mark.slow
def test_check_of_a_dcgan_takes_seconds():
    own, other = networks.dcgan_generator(32), networks.dcgan_discriminator(32)
    gan = tgs.GAN(own, other, latents=128)
    gan.compile("sgd", "sgd", penalties=[tgs.R1(10.0)], jit_compile=False)
    started = time.process_time()
    check_compiled(gan)
    # Of all cores together; 1 to 2 s where nothing else runs.
    assert time.process_time() - started < 15.0
