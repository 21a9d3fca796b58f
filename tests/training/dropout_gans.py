"""GANs on points, with dropout and statistics of batches, and what two trainings compare."""

import keras
import numpy as np
import tensorflow as tf

import tfgan_stab as tgs

layers = keras.layers


def pair(dropout=0.0):
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(8, activation="tanh"),
            layers.Dropout(dropout, seed=3),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def make(dropout=0.0, **settings):
    gan = tgs.GAN(*pair(dropout), latents=3)
    optimizers = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)
    gan.compile(*optimizers, **{"jit_compile": False, "check_derivatives": False, **settings})
    return gan


def points(count=8 * 40):
    return np.random.RandomState(0).normal(size=[count, 2]).astype("float32")


def batches():
    return tf.data.Dataset.from_tensor_slices(points()).batch(8, drop_remainder=True)


def numbers(gan):
    return [np.asarray(v) for v in gan.variables]


def assert_equal(one, other):
    for a, b in zip(numbers(one), numbers(other), strict=True):
        np.testing.assert_array_equal(a, b)


class EachStep(keras.callbacks.Callback):
    """Counts the steps that it sees."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((self.model.steps, float(logs["generator_loss"])))
