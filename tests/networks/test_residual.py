"""Residual blocks: initial weights, and shortcuts in the papers' order and in ours."""

import keras
import numpy as np
import pytest

from tfgan_stab.networks import SpectralNormalization
from tfgan_stab.networks.residual import Convolutions, down_block, first_block, glorot, up_block

layers = keras.layers


@pytest.mark.parametrize("gain", [1.0, 2.0**0.5])
def test_initial_weights_are_uniform_with_glorots_variance(gain):
    weights = np.array(glorot(gain)((3, 3, 40, 60)))
    variance = gain**2 * 2 / (9 * (40 + 60))
    # 21,600 draws: the estimate's own standard deviation is 0.6 %.
    np.testing.assert_allclose(weights.var(), variance, rtol=0.03)
    assert np.abs(weights).max() <= (3 * variance) ** 0.5


def test_convolutions_are_wrapped_and_scaled():
    plain, spectral = Convolutions(gain=1.0, shortcut_gain=2.0), Convolutions(spectral=True)
    assert isinstance(plain(4), layers.Conv2D) and plain(4).kernel_size == (3, 3)
    assert isinstance(spectral(4), SpectralNormalization)
    assert plain.shortcut(4).kernel_size == (1, 1)
    assert plain.shortcut(4).kernel_initializer.scale == 4.0


@pytest.mark.parametrize("block", ["up", "down", "first"])
def test_shortcuts_equal_those_in_the_papers_order(block):
    """With the other path's last convolution at 0, a block is its shortcut."""
    inputs = keras.Input((4, 4, 3))
    make = Convolutions()
    outputs = {
        "up": lambda: up_block(inputs, 5, make, lambda x: layers.BatchNormalization()(x), True),
        "down": lambda: down_block(inputs, 5, make),
        "first": lambda: first_block(inputs, 5, make),
    }[block]()
    model = keras.Model(inputs, outputs)
    random = np.random.default_rng(0)
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    shortcut = [layer for layer in convolutions if layer.kernel_size == (1, 1)]
    for layer in convolutions:
        values = [random.normal(size=weight.shape) for weight in layer.weights]
        layer.set_weights(values if layer in shortcut else [0 * value for value in values])
    x = random.normal(size=(2, 4, 4, 3)).astype("float32")
    resize = layers.UpSampling2D(2) if block == "up" else layers.AveragePooling2D(2)
    np.testing.assert_allclose(model(x), resize(shortcut[0](x)), rtol=1e-5, atol=1e-5)
