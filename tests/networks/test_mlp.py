"""Multilayer perceptrons: layers, activations, initial weights."""

import keras
import numpy as np

from tfgan_stab.networks import mlp_discriminator, mlp_generator


def test_depth_and_width():
    shapes = [w.shape for w in mlp_generator(size=2, latents=32, width=25, depth=2).weights]
    assert shapes == [(32, 25), (25,), (25, 25), (25,), (25, 2), (2,)]
    shapes = [w.shape for w in mlp_discriminator(size=2, width=256, depth=1).weights]
    assert shapes == [(2, 256), (256,), (256, 1), (1,)]


def test_only_hidden_layers_have_the_activation():
    network = mlp_generator(activation="tanh")
    assert [layer.activation.__name__ for layer in network.layers] == ["tanh", "tanh", "linear"]


def test_each_layer_draws_its_own_weights():
    normal = keras.initializers.RandomNormal(stddev=3.0)
    first, second, _ = mlp_generator(latents=50, width=50, initializer=normal).weights[::2]
    assert np.any(first.numpy() != second.numpy())
    for weights in (first, second):
        np.testing.assert_allclose(weights.numpy().std(), 3.0, rtol=0.1)
