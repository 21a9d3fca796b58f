"""Lookahead-Minmax's networks for digits: parameters by hand, sizes, padding, initial weights."""

import keras
import numpy as np
import tensorflow as tf
from parameters import trained

from tfgan_stab.networks import dcgan28_discriminator, dcgan28_generator


def test_parameters_of_digits_at_28_pixels():
    generator = 9 * 128 * 512 + 16 * (512 * 256 + 256 * 128 + 128 * 1) + 2 * (512 + 256 + 128)
    assert trained(dcgan28_generator()) == generator == 3_215_104
    discriminator = 16 * (1 * 64 + 64 * 128 + 128 * 256) + 2 * (128 + 256) + 9 * 256
    assert trained(dcgan28_discriminator()) == discriminator == 659_456


def test_parameters_with_ten_classes():
    tables = (10 - 1) * 2 * (512 + 256 + 128)
    assert trained(dcgan28_generator(num_classes=10)) == 3_215_104 + tables == 3_231_232
    embedding = 10 * 9 * 256
    assert trained(dcgan28_discriminator(num_classes=10)) == 659_456 + embedding == 682_496


def test_sizes_of_the_digits_layers_are_the_papers():
    def sizes(network, kind):
        return [layer.output.shape[1] for layer in network.layers if isinstance(layer, kind)]

    transposed = sizes(dcgan28_generator(width=2), keras.layers.Conv2DTranspose)
    assert transposed == [3, 6, 14, 28]
    convolutions = sizes(dcgan28_discriminator(width=2), keras.layers.Conv2D)
    assert convolutions == [14, 7, 3, 1]


def padded(x, pixels=1):
    return np.pad(x, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)])


def test_digits_discriminator_pads_both_sides():
    """As PyTorch does with padding=1, also where the size is odd."""
    network = dcgan28_discriminator(width=2)
    x = images = np.random.default_rng(0).normal(size=(2, 28, 28, 1)).astype("float32")
    kernels = [layer.kernel for layer in network.layers if hasattr(layer, "kernel")]
    for level, kernel in enumerate(kernels[:3]):
        x = tf.nn.conv2d(padded(x), kernel, 2, "VALID")
        # New batch normalization in inference: mean 0, variance 1.
        x = tf.nn.leaky_relu(x / np.sqrt(1 + 1e-5) if level else x, 0.2)
    expected = np.einsum("bijc,ijc->b", x, kernels[3][..., 0])
    np.testing.assert_allclose(network(images)[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_initial_deviations():
    kernel = dcgan28_generator(width=8).layers[2].kernel
    assert kernel.shape == (3, 3, 64, 128)
    np.testing.assert_allclose(np.std(kernel), (9 * 64) ** -0.5 / 3**0.5, rtol=0.01)
