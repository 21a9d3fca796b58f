"""Small GANs for the check before training, and layers that it stops."""

import keras
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.training.gradient_check import check_gradients

layers = keras.layers

PENALTIES = {
    "r1": tgs.R1(10.0),
    "r2": tgs.R2(10.0),
    "gradient_penalty": tgs.GradientPenalty(),
    "one_sided": tgs.GradientPenalty(one_sided=True),
    "zero_centered": tgs.ZeroCenteredGradientPenalty(),
    "dragan": tgs.Dragan(),
    "consistency": tgs.ConsistencyRegularization(10.0, 10.0, 5.0, 0.5),
    "generator_gradient_norm": tgs.GeneratorGradientNorm(0.1),
    "consensus": tgs.Consensus(0.1),
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


def check_compiled(gan):
    """Checks a compiled GAN's penalties, as `fit` does before it trains."""
    check_gradients(gan.networks, gan.loss_pair, gan.penalties, gan.maker)


def check(penalty, own=None, other=None, latents=3, **settings):
    """Checks a new GAN with one penalty."""
    gan = tgs.GAN(own or generator(), other or discriminator(), latents=latents)
    penalties = [PENALTIES.get(penalty, penalty)] if isinstance(penalty, str) else [penalty]
    gan.compile("sgd", "sgd", penalties=penalties, jit_compile=False, **settings)
    check_compiled(gan)
    return gan


def bilinear():
    return layers.UpSampling2D(interpolation="bilinear", name="mine")


@keras.saving.register_keras_serializable("test_gradient_check")
class Forgetful(layers.Layer):
    """A layer whose derivative is right, and whose derivative's derivative is not."""

    def call(self, inputs):
        @tf.custom_gradient
        def cubed(x):
            return x**3, lambda upstream: 3 * tf.stop_gradient(x) ** 2 * upstream

        return cubed(inputs)
