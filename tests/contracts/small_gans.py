"""GANs of two perceptrons, small enough for a plain NumPy program to train them too."""

import keras
import numpy as np
import tensorflow as tf
from schemes import SCHEMES

import tfgan_stab as tgs
from tfgan_stab._utils import random as noise

BATCH = 8
LATENTS = 3
SEED = 11
RATES = (0.05, 0.1)


def perceptron(inputs, outputs):
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((inputs,)), layers.Dense(5, "tanh"), layers.Dense(outputs)]
    )


def make(name, optimizer="sgd", rates=RATES, **settings):
    """A GAN on points that is trained by a scheme of `SCHEMES`."""
    random = np.random.RandomState(3)
    gan = tgs.GAN(perceptron(LATENTS, 2), perceptron(2, 1), latents=LATENTS)
    for variable in gan.generator.variables + gan.discriminator.variables:
        variable.assign(random.normal(size=variable.shape, scale=0.7))
    kinds = {"sgd": keras.optimizers.SGD, "adam": lambda r: keras.optimizers.Adam(r, beta_1=0.5)}
    gan.compile(
        *(kinds[optimizer](rate) for rate in rates),
        seed=SEED,
        **{"jit_compile": False, "scheme": SCHEMES[name][0], **settings},
    )
    return gan


def points(scheme, steps):
    """The data of so many steps."""
    scheme = SCHEMES[scheme][0] if isinstance(scheme, str) else scheme
    return np.random.RandomState(5).normal(size=[steps, BATCH * scheme.data_minibatches, 2])


def weights(gan):
    return [
        [v.numpy() for v in network.variables] for network in (gan.generator, gan.discriminator)
    ]


def train(gan, data):
    """Takes a step with each batch; returns the weights after it."""
    gan.fit(tf.data.Dataset.from_tensor_slices(data), verbose=0)
    return weights(gan)


def minibatches_of(gan, step, rows):
    """A step's minibatches, pairs of real points and the latents that the GAN draws."""
    count, in_data = gan.scheme.minibatches, gan.scheme.data_minibatches
    keys = [noise.key(SEED, noise.TRAINING, step, number) for number in range(count)]
    latents = [gan.latents(BATCH, key).numpy().astype("float64") for key in keys]
    images = np.split(rows, in_data) * (count // in_data)
    return list(zip(images, latents, strict=True))


def assert_close(one, other, **tolerance):
    for mine, theirs in zip(one, other, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, **tolerance)


def difference(one, other, player):
    """How much the one's weights of a player exceed the other's."""
    return [a - b for a, b in zip(one[player], other[player], strict=True)]


def finite_differences(function, params, player, step=1e-6):
    """The gradient of a function of both players' weights along one player's, entry by entry."""
    gradients = []
    for number, values in enumerate(params[player]):
        gradient = np.zeros_like(values)
        for index in np.ndindex(*values.shape):
            ends = []
            for sign in (1, -1):
                moved = [[w.copy() for w in own] for own in params]
                moved[player][number][index] += sign * step
                ends.append(function(moved))
            gradient[index] = (ends[0] - ends[1]) / (2 * step)
        gradients.append(gradient)
    return gradients
