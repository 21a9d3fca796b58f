"""ResNets: parameters by hand, a naive program in the papers' order, refusals."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameters import trained

from tfgan_stab.networks import SpectralNormalization, resnet_discriminator, resnet_generator

layers = keras.layers


def convolution(kernel_size, before, after, bias=True):
    return kernel_size**2 * before * after + bias * after


def dense(before, after):
    return before * after + after


def up_block(before, after, learned=True, classes=1):
    """Parameters of two normalizations, two convolutions and a shortcut."""
    return (
        2 * before * classes
        + convolution(3, before, after, bias=False)
        + 2 * after * classes
        + convolution(3, after, after)
        + learned * convolution(1, before, after)
    )


def down_block(before, after, hidden=None, shortcut=True, normalized=False):
    hidden = hidden or before
    return (
        normalized * 2 * before
        + convolution(3, before, hidden, bias=not normalized)
        + normalized * 2 * hidden
        + convolution(3, hidden, after)
        + shortcut * convolution(1, before, after)
    )


def attention(channels):
    """Queries, keys, values, what means go through, and gamma."""
    return 2 * channels * (channels // 8) + 2 * channels * (channels // 2) + 1


FIRST_128 = convolution(3, 3, 128) + convolution(3, 128, 128) + convolution(1, 3, 128)
SN_GAN_32 = (
    # 4 x 4 x 256, three blocks of 256, batch normalization, colours; FIRST: 16 x 16, 8 x 8 twice.
    dense(128, 4096) + 3 * up_block(256, 256) + 2 * 256 + convolution(3, 256, 3),
    FIRST_128 + down_block(128, 128) + 2 * down_block(128, 128, shortcut=False) + dense(128, 1),
)
COUNTS = {
    ("sngan", 32): SN_GAN_32,
    ("svre", 32): (SN_GAN_32[0] - 3 * convolution(1, 256, 256), SN_GAN_32[1]),
    ("wgan_gp", 32): (
        dense(128, 2 * 2 * 256)
        + up_block(256, 256)
        + up_block(256, 128)
        + up_block(128, 64)
        + up_block(64, 32)
        + 2 * 32
        + convolution(3, 32, 3),
        convolution(3, 3, 32)
        + down_block(32, 64, normalized=True)
        + down_block(64, 128, normalized=True)
        + down_block(128, 256, normalized=True)
        + down_block(256, 256, normalized=True)
        + dense(2 * 2 * 256, 1),
    ),
    ("sagan", 32): (
        SN_GAN_32[0] + attention(256),
        SN_GAN_32[1] + attention(128),
    ),
    ("biggan", 32): (
        SN_GAN_32[0],
        convolution(3, 3, 256)
        + convolution(3, 256, 256)
        + convolution(1, 3, 256)
        + down_block(256, 256)
        + 2 * down_block(256, 256, shortcut=False)
        + dense(256, 1),
    ),
}


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize(("architecture", "size"), COUNTS)
def test_parameters_are_those_of_the_paper(architecture, size):
    generator, discriminator = COUNTS[architecture, size]
    assert trained(resnet_generator(size, architecture=architecture)) == generator
    assert trained(resnet_discriminator(size, architecture=architecture)) == discriminator


def test_parameters_of_sn_gan_in_numbers():
    block = 512 + 589_824 + 512 + 590_080 + 65_792
    generator = 528_384 + 3 * block + 512 + 6_915
    first, second, plain = 3_584 + 147_584 + 512, 2 * 147_584 + 16_512, 2 * 147_584
    assert SN_GAN_32 == (generator, first + second + 2 * plain + 129) == (4_275_971, 1_053_825)


# With a width of 8 instead of the paper's: the multiples decide.
NARROW = {
    ("sngan", 48): (
        dense(128, 6 * 6 * 64)
        + up_block(64, 32)
        + up_block(32, 16)
        + up_block(16, 8)
        + 2 * 8
        + convolution(3, 8, 3),
        convolution(3, 3, 8)
        + convolution(3, 8, 8)
        + convolution(1, 3, 8)
        + down_block(8, 16)
        + down_block(16, 32)
        + down_block(32, 64)
        + down_block(64, 128)
        + dense(128, 1),
    ),
    ("wgan_gp", 64): (
        dense(128, 4 * 4 * 64)
        + up_block(64, 64)
        + up_block(64, 32)
        + up_block(32, 16)
        + up_block(16, 8)
        + 2 * 8
        + convolution(3, 8, 3),
        convolution(3, 3, 8)
        + down_block(8, 16, normalized=True)
        + down_block(16, 32, normalized=True)
        + down_block(32, 64, normalized=True)
        + down_block(64, 64, normalized=True)
        + dense(4 * 4 * 64, 1),
    ),
    ("sagan", 128): (
        dense(128, 4 * 4 * 128)
        + up_block(128, 128)
        + up_block(128, 64)
        + up_block(64, 32)
        + attention(32)
        + up_block(32, 16)
        + up_block(16, 8)
        + 2 * 8
        + convolution(3, 8, 3),
        convolution(3, 3, 8)
        + convolution(3, 8, 8)
        + convolution(1, 3, 8)
        + down_block(8, 16, hidden=16)
        + attention(16)
        + down_block(16, 32, hidden=32)
        + down_block(32, 64, hidden=64)
        + down_block(64, 128, hidden=128)
        + down_block(128, 128, shortcut=False)
        + dense(128, 1),
    ),
}


@pytest.mark.parametrize(("architecture", "size"), NARROW)
def test_parameters_of_narrow_networks(architecture, size):
    settings = {"architecture": architecture, "width": 8}
    networks = resnet_generator(size, **settings), resnet_discriminator(size, **settings)
    assert tuple(map(trained, networks)) == NARROW[architecture, size]


@pytest.mark.slow
def test_parameters_of_labels():
    settings = {"width": 4, "multiples": (1, 1, 1)}
    plain, by_class = (resnet_generator(8, **settings, num_classes=n) for n in (None, 5))
    # Four normalizations in two blocks, with a scale and a shift for each of 5 classes, not 1.
    assert trained(by_class) - trained(plain) == 4 * (5 - 1) * 2 * 4
    plain, by_class = (
        resnet_discriminator(8, **settings, halvings=2, num_classes=n) for n in (None, 5)
    )
    assert trained(by_class) - trained(plain) == 5 * 4


def test_parameters_of_a_shared_embedding():
    settings = {"latents": 12, "width": 4, "multiples": (1, 1, 1), "num_classes": 5}
    counts = [
        trained(resnet_generator(8, **settings, **more))
        for more in (
            {},
            {"shared_embedding": 6},
            {"shared_embedding": 6, "hierarchical": True},
        )
    ]
    # In place of four tables of scales and shifts: one embedding and four pairs of matrices.
    assert counts[1] - counts[0] == 5 * 6 + 4 * 2 * 6 * 4 - 4 * 2 * 5 * 4
    # The dense layer sees a third of the noise, each matrix a third too.
    assert counts[2] - counts[1] == 4 * 2 * (12 // 3) * 4 - (12 - 12 // 3) * (2 * 2 * 4)


# -- A naive program in the papers' order ----------------------------------------------------------


def in_order(network, kind):
    """Layers of a kind in the order in which they were made, by the numbers in their names."""
    found = [layer for layer in network.layers if isinstance(layer, kind)]
    return iter(sorted(found, key=number_of))


def number_of(layer):
    """The first of a kind has no number: `conv2d`, `conv2d_1`, `conv2d_2`."""
    number = layer.name.rpartition("_")[2]
    return int(number) if number.isdigit() else 0


class Naive:
    """Takes a network's layers one after the other, as the papers' code has them."""

    def __init__(self, network, normalization):
        self.convolutions = in_order(network, layers.Conv2D)
        self.normalizations = in_order(network, normalization)

    def convolution(self, x):
        kernel, *bias = next(self.convolutions).weights
        return tf.nn.conv2d(x, kernel, 1, "SAME") + (bias[0] if bias else 0.0)

    def normalized(self, x):
        return next(self.normalizations)(x)

    def up_block(self, x, learned):
        h = tf.nn.relu(self.normalized(x))
        h = self.convolution(np.repeat(np.repeat(h, 2, 1), 2, 2))
        h = self.convolution(tf.nn.relu(self.normalized(h)))
        # The shortcut: first upsampled, then convolved.
        x = np.repeat(np.repeat(x, 2, 1), 2, 2)
        return h + (self.convolution(x) if learned else x)

    def down_block(self, x, halved, first=False, normalized=False, convolved_first=True):
        h = x if first else tf.nn.relu(self.normalized(x) if normalized else x)
        h = self.convolution(h)
        h = self.convolution(tf.nn.relu(self.normalized(h) if normalized else h))
        if not halved:
            return h + x
        convolved = self.convolution(x) if convolved_first else self.convolution(halves(x))
        return halves(h) + (halves(convolved) if convolved_first else convolved)


def halves(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def shaken(network):
    """Gives all weights new values, variances positive ones."""
    random = np.random.default_rng(3)
    for weight in network.weights:
        value = random.normal(size=weight.shape)
        weight.assign(np.abs(value) + 0.2 if "variance" in weight.name else 0.3 * value)
    return network


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("architecture", ["sngan", "svre", "wgan_gp"])
def test_generator_computes_what_the_papers_code_does(architecture):
    settings = {"width": 4, "multiples": (2, 2, 2), "latents": 5}
    network = shaken(resnet_generator(8, 3, architecture=architecture, **settings))
    latents, naive = numbers(3, 5), Naive(network, layers.BatchNormalization)
    kernel, bias = next(in_order(network, layers.Dense)).weights
    x = tf.reshape(latents @ kernel + bias, (3, 2, 2, 8))
    for _ in range(2):
        x = naive.up_block(x, learned=architecture != "svre")
    expected = tf.tanh(naive.convolution(tf.nn.relu(naive.normalized(x))))
    np.testing.assert_allclose(network(latents), expected, rtol=1e-4, atol=1e-5)
    linear = resnet_generator(
        8, 3, architecture=architecture, output_activation="linear", **settings
    )
    linear.set_weights(network.get_weights())
    np.testing.assert_allclose(np.tanh(linear(latents)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ["sngan", "svre", "sagan", "wgan_gp"])
def test_discriminator_computes_what_the_papers_code_does(architecture):
    critic = architecture == "wgan_gp"
    network = shaken(
        resnet_discriminator(
            8,
            3,
            architecture,
            width=4,
            multiples=(1, 2, 2),
            halvings=2,
            normalization="layer" if critic else "none",
        )
    )
    images, naive = numbers(3, 8, 8, 3), Naive(network, layers.GroupNormalization)
    if critic:
        x = naive.convolution(images)
        for _ in range(2):
            x = naive.down_block(x, halved=True, normalized=True, convolved_first=False)
        features = tf.reshape(x, (3, -1))
    else:
        x = naive.down_block(images, halved=True, first=True, convolved_first=False)
        x = naive.down_block(x, halved=True)
        x = tf.nn.relu(naive.down_block(x, halved=False))
        features = tf.reduce_sum(x, (1, 2)) / (4 if architecture == "svre" else 1)
    kernel, bias = next(in_order(network, layers.Dense)).weights
    np.testing.assert_allclose(network(images), features @ kernel + bias, rtol=1e-4, atol=1e-4)


def test_labels_add_the_projection():
    settings = {"width": 4, "multiples": (1, 2), "halvings": 1, "normalization": "none"}
    network = shaken(resnet_discriminator(8, 1, num_classes=5, **settings))
    plain = resnet_discriminator(8, 1, **settings)
    table = next(in_order(network, layers.Embedding)).embeddings
    plain.set_weights([w for w in network.get_weights() if w.shape != table.shape])
    images, labels = numbers(4, 8, 8, 1), np.array([0, 4, 2, 4], "int32")
    features = keras.Model(plain.input, plain.layers[-1].input)(images)
    expected = plain(images)[:, 0] + np.sum(table.numpy()[labels] * features, axis=1)
    np.testing.assert_allclose(network([images, labels])[:, 0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_each_block_gets_its_part_of_the_noise():
    settings = {"width": 4, "multiples": (1, 1, 1), "num_classes": 5, "shared_embedding": 6}
    network = shaken(resnet_generator(8, 1, latents=12, hierarchical=True, **settings))
    added = [layer.output for layer in network.layers if layer.output.shape[1:] == (4, 4, 4)]
    first_block = keras.Model(network.input, added[-1])
    labels, noise = np.array([3], "int32"), numbers(1, 12)

    def changed(model, part):
        other = noise.copy()
        other[:, 4 * part : 4 * part + 4] += 1.0
        return np.abs(model([other, labels]) - model([noise, labels])).max() > 1e-4

    assert [changed(first_block, part) for part in range(3)] == [True, True, False]
    assert [changed(network, part) for part in range(3)] == [True, True, True]
    assert np.abs(network([noise, labels]) - network([noise, labels - 1])).max() > 1e-4


def test_layer_normalization_is_of_all_features_of_an_example():
    network = resnet_discriminator(32, 3, "wgan_gp", width=2)
    images = numbers(1, 32, 32, 3)
    first = next(in_order(network, layers.GroupNormalization))
    outputs = keras.Model(network.input, first.output)(images)
    np.testing.assert_allclose([np.mean(outputs), np.std(outputs)], [0, 1], atol=1e-3)
    assert first.gamma.shape == (2,)
    assert np.ptp(np.mean(outputs, axis=(0, 1, 2))) > 0.01  # Not of each channel alone.


def test_pooling_can_be_chosen():
    settings = {"width": 4, "multiples": (1, 1, 1), "halvings": 2, "normalization": "none"}
    by_sum, by_mean = (resnet_discriminator(8, **settings, pooling=p) for p in ("sum", "mean"))
    *others, kernel, bias = by_sum.get_weights()
    by_mean.set_weights([*others, 4 * kernel, bias])  # The last features have 2x2 pixels.
    images = numbers(2, 8, 8, 3)
    np.testing.assert_allclose(by_mean(images), by_sum(images), rtol=1e-5)
    flat = resnet_discriminator(8, **settings, pooling="flatten")
    assert flat.layers[-1].kernel.shape == (2 * 2 * 4, 1)


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("architecture", ["sngan", "svre", "sagan", "biggan"])
def test_spectral_normalization_wraps_every_layer(architecture):
    settings = {"architecture": architecture, "width": 8, "num_classes": 3}
    networks = [resnet_discriminator(32, **settings)]
    networks += [resnet_generator(32, **settings)] * (architecture in ("sagan", "biggan"))
    for network in networks:
        kinds = [type(layer) for layer in network.layers]
        assert SpectralNormalization in kinds
        assert not {layers.Conv2D, layers.Dense, layers.Embedding} & set(kinds)


def test_initial_weights_have_the_papers_deviation():
    generator = resnet_generator(32, width=64)
    kernels = [layer.kernel for layer in in_order(generator, layers.Conv2D)]
    expected = [(4 / (2 * 9 * 64)) ** 0.5] * 2 + [(2 / (2 * 64)) ** 0.5]
    # 4096 draws and more: the estimate's own standard deviation is below 1 %.
    np.testing.assert_allclose([np.std(k) for k in kernels[:3]], expected, rtol=0.04)
    discriminator = resnet_discriminator(32, architecture="svre", width=64, normalization="none")
    kernels = [layer.kernel for layer in in_order(discriminator, layers.Conv2D)]
    expected = [(2 / (2 * 9 * 64)) ** 0.5] * 2 + [(4 / (2 * 64)) ** 0.5]
    np.testing.assert_allclose([np.std(k) for k in kernels[3:6]], expected, rtol=0.04)


def test_initial_weights_of_biggan_are_narrow():
    for network in (
        resnet_generator(32, architecture="biggan", width=64, num_classes=10),
        resnet_discriminator(32, architecture="biggan", width=64, num_classes=10),
    ):
        kernels = [w for w in network.trainable_variables if w.name == "kernel"]
        stds = [np.std(w) for w in kernels if math.prod(w.shape) > 1000]
        assert len(stds) > 5
        np.testing.assert_allclose(stds, 0.02, rtol=0.08)


# -- What is refused -------------------------------------------------------------------------------

BUILDERS = {"generator": resnet_generator, "discriminator": resnet_discriminator}
REFUSED = {
    "size": (
        {"image_size": 30},
        "`image_size` must be one of 32, 48, 64, 128 for 'sngan', unless width and multiples.* are "
        "given. Received: image_size=30 without width and multiples.*For 8 pixels use width=32",
    ),
    "size of the architecture": (
        {"image_size": 64, "architecture": "svre"},
        "must be one of 32 for 'svre'",
    ),
    "odd size": (
        {"image_size": 30, "width": 4, "multiples": (1, 1, 1), "halvings": 2},
        "must be a multiple of 4, as 2 blocks double or halve the size. Received: image_size=30. "
        "Change it, or give fewer `multiples`",
    ),
    "architecture": ({"architecture": "stylegan"}, "one of 'sngan', 'svre', .*'biggan'"),
    "attention": ({"attention": 4}, "`attention` must be one of .*16.* Received: 4. Use one that"),
    "one multiple": ({"multiples": (1,)}, r"`multiples` must be two or more. Received: \(1,\)"),
    "multiples": ({"multiples": (1, 0)}, "`multiples` must be an integer >= 1. Received: 0"),
    "width": ({"width": 0}, "`width` must be an integer >= 1. Received: 0. Use 64"),
    "classes": ({"num_classes": 0}, "`num_classes` must be an integer >= 1. Received: 0"),
}


@pytest.mark.parametrize(("player", "case"), [*itertools.product(BUILDERS, REFUSED)])
def test_impossible_networks_are_refused(player, case):
    settings, message = REFUSED[case]
    if player == "generator":
        settings = {name: value for name, value in settings.items() if name != "halvings"}
    with pytest.raises(ValueError, match=message):
        BUILDERS[player](**settings)


def test_settings_of_one_player_are_refused():
    with pytest.raises(ValueError, match=r"`multiples` must all be equal in 'svre'.*\(2, 1\). Use"):
        resnet_generator(8, width=4, multiples=(2, 1), architecture="svre")
    with pytest.raises(ValueError, match="'sum', 'mean', 'flatten'. Received: 'max'. Use 'mean'"):
        resnet_discriminator(32, pooling="max")
    with pytest.raises(ValueError, match="'tanh', 'linear'. Received: 'relu'. Use 'tanh'"):
        resnet_generator(output_activation="relu")
    with pytest.raises(ValueError, match="'spectral', 'layer', 'none'. Received: 'batch'. Use"):
        resnet_discriminator(normalization="batch")
    with pytest.raises(
        ValueError, match="`halvings` must be .* from 1 to 3. Received: 4. 3 blocks"
    ):
        resnet_discriminator(32, multiples=(1, 1, 1), halvings=4)
    with pytest.raises(
        ValueError, match="`halvings` must be .* from 1 to 2. Received: 3. 2 blocks"
    ):
        resnet_discriminator(32, architecture="wgan_gp", multiples=(1, 1, 1), halvings=3)
    with pytest.raises(ValueError, match="at least 8 channels. Received: shape"):
        resnet_discriminator(32, width=4, attention=16)
    shared = {"num_classes": 5, "shared_embedding": 6}
    with pytest.raises(
        ValueError, match="needs `num_classes`.* Received: num_classes=None, shared"
    ):
        resnet_generator(shared_embedding=6)
    with pytest.raises(ValueError, match="`hierarchical` needs both. Received: num_classes=5"):
        resnet_generator(num_classes=5, hierarchical=True)
    with pytest.raises(ValueError, match="must be a multiple of 4 .*Received: 130. Use 128"):
        resnet_generator(latents=130, hierarchical=True, **shared)
    with pytest.raises(ValueError, match="`shared_embedding` must be an integer >= 1. Received: 0"):
        resnet_generator(num_classes=5, shared_embedding=0)
