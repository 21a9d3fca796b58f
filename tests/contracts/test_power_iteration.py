"""The power iteration of spectral normalization is taken once a step, whatever the scheme."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from schemes import SCHEMES

import tfgan_stab as tgs
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients

layers = keras.layers


def networks():
    first = tgs.networks.SpectralNormalization(layers.Dense(4, "tanh"))
    generator = keras.Sequential([keras.Input((3,)), first, layers.Dense(2)])
    second = tgs.networks.SpectralNormalization(layers.Dense(5, "tanh"))
    discriminator = keras.Sequential([keras.Input((2,)), second, layers.Dense(1)])
    return generator, discriminator


def normalized(gan):
    """Each player's kernel as output channels x inputs, and u."""
    wrappers = [network.layers[0] for network in (gan.generator, gan.discriminator)]
    return [(w.layer.kernel.numpy().T, w.vector.numpy()) for w in wrappers]


def iterated(matrix, u):
    matrix, u = np.float64(matrix), np.float64(u)
    v = np.einsum("oi,o->i", matrix, u)
    u = np.einsum("oi,i->o", matrix, v / np.linalg.norm(v))
    return u / np.linalg.norm(u)


@pytest.mark.cases(full=6)
@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_one_iteration_at_the_weights_that_start_the_step(name):
    scheme, _ = SCHEMES[name]
    gan = tgs.GAN(*networks(), latents=3)
    gan.compile("sgd", "sgd", scheme=scheme, jit_compile=False, run_eagerly=True, seed=0)
    for optimizer in gan.optimizers:
        optimizer.learning_rate = 1.0  # Weights at trial points are far from where they start.
    random = np.random.RandomState(0)
    for _ in range(2):
        for network in (gan.generator, gan.discriminator):
            vector = network.layers[0].vector
            vector.assign(random.normal(size=vector.shape))  # Far from where iterations end.
        before = normalized(gan)
        gan.train_step(tf.constant(random.normal(size=[4 * scheme.minibatches, 2]), "float32"))
        for (matrix, u), (moved, after) in zip(before, normalized(gan), strict=True):
            np.testing.assert_allclose(after, iterated(matrix, u), rtol=1e-4, atol=1e-5)
            # No other number of iterations and no other weights would do.
            assert np.abs(after - iterated(matrix, iterated(matrix, u))).max() > 1e-4
            assert np.abs(after - iterated(moved, u)).max() > 1e-4


def test_real_and_fake_images_see_one_spectral_norm():
    pair = tgs.Players(*networks())
    params = tgs.Players(*([tf.identity(w) for w in n.trainable_variables] for n in pair))
    state = tgs.Players(*([tf.identity(w) for w in n.non_trainable_variables] for n in pair))
    noise = tf.random.stateless_normal([6, 3], [0, 0])
    game = GameGradients(pair, tgs.game.losses.get("wasserstein"))
    with keras.StatelessScope():
        fake_images = pair.generator(noise, training=True)
    # Fakes in the place of real images: the critic's mean difference is exactly 0.
    for images, same in ((fake_images, True), (fake_images + 1, False)):
        losses = game(params, state, Minibatch(images, None, noise)).losses
        assert (float(losses.discriminator) == 0.0) is same
