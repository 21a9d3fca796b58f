"""The averaging paper's conventional networks: parameters by hand, a naive program, refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameters import trained

from tfgan_stab.networks import (
    SpectralNormalization,
    conventional_discriminator,
    conventional_generator,
)

layers = keras.layers


def up(before, after):
    """Two convolutions without bias, each with a scale and a shift."""
    return 9 * before * after + 9 * after * after + 4 * after


def down(before, after):
    return 9 * before * before + before + 9 * before * after + after


# Size, size of the first feature map, channels at each size, from the smallest one on.
SIZES = [
    (32, 4, [64, 32, 16, 8]),
    (48, 6, [64, 32, 16, 8]),
    (64, 4, [64, 64, 32, 16, 8]),
    (128, 4, [64, 64, 64, 32, 16, 8]),
]


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize(("size", "base", "filters"), SIZES)
def test_parameters(size, base, filters):
    generator = base**2 * 100 * 64 + 9 * 64 * 64 + 4 * 64 + 8 * 3 + 3
    generator += sum(map(up, filters[:-1], filters[1:]))
    settings = {"image_size": size, "base_size": base, "width": 64}
    network = conventional_generator(latents=100, **settings)
    assert (trained(network), network.output_shape) == (generator, (None, size, size, 3))
    discriminator = 3 * 8 + 8 + 9 * 64 * 64 + 64 + base**2 * 64 * 64 + 64 + 64 + 1
    discriminator += sum(map(down, filters[:0:-1], filters[-2::-1]))
    network = conventional_discriminator(**settings)
    assert (trained(network), network.output_shape) == (discriminator, (None, 1))


@pytest.mark.slow
def test_parameters_of_the_paper_at_32_pixels():
    generator = 4_194_304 + 2_359_296 + 2_048 + 195
    generator += 1_770_496 + 442_880 + 110_848
    assert trained(conventional_generator()) == generator == 8_880_067
    discriminator = 256 + 2_359_808 + 4_194_816 + 513
    discriminator += 36_928 + 73_856 + 147_584 + 295_168 + 590_080 + 1_180_160
    assert trained(conventional_discriminator()) == discriminator == 8_879_169


@pytest.mark.slow
def test_parameters_with_ten_classes():
    tables = (10 - 1) * 4 * (512 + 256 + 128 + 64)  # Two layers of each width.
    assert trained(conventional_generator(num_classes=10)) == 8_880_067 + tables == 8_914_627
    network = conventional_discriminator(num_classes=10)
    assert trained(network) == 8_879_169 + 10 * 512 == 8_884_289


def shaken(network):
    random = np.random.default_rng(3)
    for weight in network.weights:
        value = random.normal(size=weight.shape)
        weight.assign(np.abs(value) + 0.2 if "variance" in weight.name else 0.2 * value)
    return network


def test_generator_computes_what_the_papers_code_does():
    network = shaken(conventional_generator(8, 2, latents=5, width=8, base_size=1))
    kernels = iter([w for w in network.weights if w.name == "kernel"])
    norms = iter([x for x in network.layers if isinstance(x, layers.BatchNormalization)])

    def activated(x):
        x = next(norms)(x)
        return np.maximum(x, 0.2 * x)

    def convolved(x):
        return tf.nn.conv2d(x, next(kernels), 1, "SAME")

    latents = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    # A transposed convolution's kernel is [height, width, to, from].
    x = activated(latents[:, None, None] @ next(kernels).numpy()[0, 0].T)
    x = activated(convolved(x))
    for _ in range(3):
        x = np.repeat(np.repeat(x, 2, 1), 2, 2)
        x = activated(convolved(x))
        x = activated(convolved(x))
    expected = convolved(x) + network.weights[-1]
    np.testing.assert_allclose(network(latents), expected, rtol=1e-4, atol=1e-6)
    tanh = conventional_generator(8, 2, 5, 8, 1, output_activation="tanh")
    tanh.set_weights(network.get_weights())
    np.testing.assert_allclose(tanh(latents), np.tanh(expected), rtol=1e-4, atol=1e-6)


def test_discriminator_computes_what_the_papers_code_does():
    network = shaken(conventional_discriminator(16, 2, 8, base_size=2, normalization="none"))
    weights = iter(network.weights)

    def convolved(x, padding="SAME"):
        x = tf.nn.conv2d(x, next(weights), 1, padding) + next(weights)
        return np.maximum(x, 0.2 * x)

    x = images = np.random.default_rng(0).normal(size=(3, 16, 16, 2)).astype("float32")
    x = convolved(x)
    for _ in range(3):
        x = convolved(convolved(x))
        x = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    x = convolved(convolved(x), "VALID")[:, 0, 0]
    np.testing.assert_allclose(network(images), x @ next(weights) + next(weights), rtol=1e-4)


def test_spectral_normalization_wraps_every_layer():
    kinds = [type(layer) for layer in conventional_discriminator(32, width=8).layers]
    assert SpectralNormalization in kinds and not {layers.Conv2D, layers.Dense} & set(kinds)


def test_initial_weights_have_the_papers_deviation():
    for network in (conventional_generator(32, width=64), conventional_discriminator(32, width=64)):
        kernels = [np.ravel(w) for w in network.trainable_variables if w.name == "kernel"]
        np.testing.assert_allclose(np.std(np.concatenate(kernels)), 0.02, rtol=0.01)


@pytest.mark.parametrize("build", [conventional_generator, conventional_discriminator])
def test_impossible_sizes_are_refused(build):
    for size, base in ((16, 4), (40, 4), (48, 4)):
        message = f"times 8, 16, 32.*image_size={size}, base_size={base}. For 48 pixels"
        with pytest.raises(ValueError, match=message):
            build(image_size=size, base_size=base)
    with pytest.raises(ValueError, match="`width` must be a multiple of 8. Received: 12. Use 512"):
        build(width=12)
    with pytest.raises(ValueError, match="`base_size` must be .* >= 1. Received: 0. Use 4"):
        build(base_size=0)


def test_choices_must_be_known():
    with pytest.raises(ValueError, match="'linear', 'tanh'. Received: 'relu'. Use 'tanh'"):
        conventional_generator(output_activation="relu")
    with pytest.raises(ValueError, match="'spectral', 'none'. Received: 'batch'. Use 'none'"):
        conventional_discriminator(normalization="batch")
