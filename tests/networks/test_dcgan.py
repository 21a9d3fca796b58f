"""DCGAN: shapes, ranges, initial weights, labels, saving, checks of arguments."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameters import trained

from tfgan_stab.networks import (
    SpectralNormalization,
    dcgan_discriminator,
    dcgan_generator,
    sndcgan_discriminator,
    sndcgan_generator,
)


@pytest.mark.parametrize(
    ("size", "base", "channels"), [(8, 2, 1), (28, 7, 1), (32, 4, 3), (48, 6, 3), (64, 4, 3)]
)
def test_shapes(size, base, channels):
    settings = {"image_size": size, "channels": channels, "base_size": base, "width": 4}
    generator = dcgan_generator(latents=5, **settings)
    images = generator(tf.random.stateless_normal([2, 5], [0, 0]), training=True)
    assert images.shape == (2, size, size, channels)
    assert np.abs(images).max() <= 1.0
    assert dcgan_discriminator(**settings)(images).shape == (2, 1)


def test_channels_are_those_of_the_paper():
    kernels = [w.shape for w in dcgan_generator(32, 3).weights if len(w.shape) == 4]
    # Transposed convolutions keep kernels as [height, width, to, from].
    assert kernels == [(4, 4, 128, 256), (4, 4, 64, 128), (4, 4, 3, 64)]
    kernels = [w.shape for w in dcgan_discriminator(32, 3).weights if len(w.shape) == 4]
    assert kernels == [(4, 4, 3, 64), (4, 4, 64, 128), (4, 4, 128, 256)]


def test_initial_weights_have_the_papers_deviation():
    kernel = dcgan_generator(32, 3).layers[1].kernel.numpy()
    # 128 x 4096 draws: the estimate's own standard deviation is 0.1 %.
    np.testing.assert_allclose(kernel.std(), 0.02, rtol=0.01)


def test_spectral_normalization_wraps_every_layer():
    network = dcgan_discriminator(8, 1, width=8, base_size=2, normalization="spectral")
    kinds = {type(layer) for layer in network.layers}
    assert SpectralNormalization in kinds and keras.layers.BatchNormalization not in kinds
    assert not kinds & {keras.layers.Conv2D, keras.layers.Dense}


@pytest.mark.parametrize(("size", "base"), [(30, 4), (4, 4), (8, 3), (8, 0)])
def test_image_size_must_be_base_size_doubled(size, base):
    for build in (dcgan_generator, dcgan_discriminator):
        with pytest.raises(ValueError, match="`base_size` times 2, 4, 8.*For 28 pixels"):
            build(image_size=size, base_size=base)


def test_normalization_must_be_known():
    with pytest.raises(
        ValueError, match="one of 'batch', 'spectral', 'none'. Received: 'layer'.*Use"
    ):
        dcgan_discriminator(normalization="layer")


def test_labels_change_the_outputs_of_both_networks():
    generator = dcgan_generator(8, 1, latents=5, width=4, base_size=2, num_classes=3)
    discriminator = dcgan_discriminator(8, 1, width=4, base_size=2, num_classes=3)
    noise = tf.random.stateless_normal([2, 5], [0, 0])
    for labels in ([0, 0], [0, 1]):
        images = generator([tf.repeat(noise[:1], 2, axis=0), tf.constant(labels)])
        logits = discriminator([tf.repeat(images[:1], 2, axis=0), tf.constant(labels)])
        same = labels[0] == labels[1]
        assert bool(np.allclose(images[0], images[1], atol=1e-7)) == same
        assert bool(np.allclose(logits[0], logits[1], rtol=1e-4, atol=0)) == same


def test_a_saved_discriminator_predicts_the_same(tmp_path):
    network = dcgan_discriminator(8, 1, width=8, base_size=2, normalization="spectral")
    images = tf.random.stateless_normal([3, 8, 8, 1], [0, 0])
    for _ in range(3):
        network(images, training=True)
    network.save(tmp_path / "discriminator.keras")
    loaded = keras.models.load_model(tmp_path / "discriminator.keras")
    np.testing.assert_array_equal(loaded(images), network(images))
    # The trained kernels, divided: not the trained kernels.
    plain = dcgan_discriminator(8, 1, width=8, base_size=2, normalization="none")
    plain.set_weights([w.numpy() for w in network.trainable_variables])
    assert np.abs(plain(images) - network(images)).max() > 1e-3


def test_a_network_from_its_config_has_weights_of_the_same_shapes():
    network = dcgan_discriminator(8, 1, base_size=2, normalization="spectral", num_classes=3)
    copy = keras.Model.from_config(network.get_config())
    assert [w.shape for w in copy.weights] == [w.shape for w in network.weights]


def test_keras_default_of_channels_changes_nothing():
    settings = {"image_size": 8, "channels": 1, "base_size": 2, "width": 4}
    expected = [
        [layer.get_config() for layer in network.layers]
        for network in (
            dcgan_generator(latents=5, **settings, name="g"),
            dcgan_discriminator(**settings, name="d"),
        )
    ]
    keras.config.set_image_data_format("channels_first")
    try:
        pair = [dcgan_generator(latents=5, **settings), dcgan_discriminator(**settings)]
        assert pair[1](pair[0](tf.zeros([2, 5]))).shape == (2, 1)
    finally:
        keras.config.set_image_data_format("channels_last")
    formats = [[each.get("data_format") for each in network] for network in expected]
    found = [[each.get_config().get("data_format") for each in n.layers] for n in pair]
    assert found == formats


# -- Parameters, layer by layer --------------------------------------------------------------------


def test_parameters_of_ttur_at_64_pixels():
    size = {"image_size": 64, "kernel_size": 5}
    generator = (
        100 * 16 * 512  # Dense, without bias as each layer that batch normalization follows.
        + 2 * 512
        + 25 * (512 * 256 + 256 * 128 + 128 * 64)
        + 2 * (256 + 128 + 64)
        + 25 * 64 * 3
        + 3
    )
    assert trained(dcgan_generator(latents=100, **size)) == generator == 5_126_723
    discriminator = (
        25 * 3 * 64
        + 64
        + 25 * (64 * 128 + 128 * 256 + 256 * 512)
        + 2 * (128 + 256 + 512)
        + 16 * 512
        + 1
    )
    assert trained(dcgan_discriminator(**size)) == discriminator == 4_315_649


@pytest.mark.slow
def test_parameters_of_sn_gan_at_32_pixels():
    generator = (
        128 * 8192
        + 8192
        + 16 * (512 * 256 + 256 * 128 + 128 * 64)
        + 2 * (256 + 128 + 64)
        + 9 * 64 * 3
        + 3
    )
    assert trained(sndcgan_generator()) == generator == 3_811_907
    discriminator = (
        9 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
        + 16 * (64 * 64 + 128 * 128 + 256 * 256)
        + (2 * 64 + 2 * 128 + 2 * 256 + 512)
        + 8192
        + 1
    )
    for normalization in ("spectral", "none"):
        network = sndcgan_discriminator(normalization=normalization)
        assert trained(network) == discriminator == 2_935_873


def test_parameters_of_sn_gan_with_ten_classes():
    tables = (10 - 1) * 2 * (256 + 128 + 64)  # A scale and a shift for each class, not one alone.
    network = sndcgan_generator(num_classes=10)
    assert trained(network) == 3_811_907 + tables == 3_819_971
    network = sndcgan_discriminator(num_classes=10)
    assert trained(network) == 2_935_873 + 10 * 16 * 512 == 3_017_793


def test_sn_gan_alternates_kernels_and_leaks_a_tenth():
    network = sndcgan_discriminator(32, normalization="none", width=2)
    kinds = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.kernel_size[0] for layer in kinds] == [3, 4, 3, 4, 3, 4, 3]
    assert [layer.strides[0] for layer in kinds] == [1, 2, 1, 2, 1, 2, 1]
    leaks = {layer.negative_slope for layer in network.layers if hasattr(layer, "negative_slope")}
    assert leaks == {0.1}


def test_initial_deviations_of_sn_gan():
    # A normal cut at two deviations keeps 0.8796 of its own.
    kernel = sndcgan_generator(width=32).layers[1].kernel
    np.testing.assert_allclose(np.std(kernel), 0.8796 * 128**-0.5, rtol=0.01)
    kernel = [layer for layer in sndcgan_generator(width=32).layers if hasattr(layer, "kernel")][1]
    np.testing.assert_allclose(np.std(kernel.kernel), 0.8796 * (16 * 256) ** -0.5, rtol=0.01)


def test_kernels_must_reach_over_the_stride():
    for build in (dcgan_generator, dcgan_discriminator):
        with pytest.raises(ValueError, match="`kernel_size` .*>= 2. Received: 1. Use 4 or 5"):
            build(kernel_size=1)


def test_sn_gans_arguments_are_checked():
    for build in (sndcgan_generator, sndcgan_discriminator):
        with pytest.raises(ValueError, match="`base_size` times 2, 4, 8.*Received: image_size=30"):
            build(30)
    with pytest.raises(ValueError, match="'spectral', 'none'. Received: 'batch'. Use 'none'"):
        sndcgan_discriminator(normalization="batch")
