"""R3GAN's networks: parameters by hand, grouped convolutions, a start as a linear network."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameters import trained

import tfgan_stab as tgs
from tfgan_stab.networks import GroupedConv2D, r3gan_discriminator, r3gan_generator
from tfgan_stab.networks.r3gan import residual_block

layers = keras.layers
SMALL = {"image_size": 16, "channels": 2, "width": 8, "blocks": 1, "group_size": 4}


def block(width, group_size=16):
    """1x1 to twice the channels, 3x3 in groups, 1x1 back; two biases."""
    inside = 2 * width
    return width * inside + inside + 9 * group_size * inside + inside + inside * width


def generator_count(widths, latents=64, channels=3, blocks=2, group_size=16):
    transitions = sum(a * b for a, b in zip(widths, widths[1:], strict=False) if a != b)
    of_blocks = blocks * sum(block(width, group_size) for width in widths)
    # The noise's linear layer, the 4x4 pictures, and what makes the colours.
    return latents * widths[0] + 16 * widths[0] + of_blocks + transitions + widths[-1] * channels


def discriminator_count(widths, outputs=1, channels=3, blocks=2, group_size=16):
    transitions = sum(a * b for a, b in zip(widths, widths[1:], strict=False) if a != b)
    of_blocks = blocks * sum(block(width, group_size) for width in widths)
    return channels * widths[-1] + of_blocks + transitions + (16 + outputs) * widths[0]


def test_parameters_in_numbers():
    inside = 2 * (768 * 1536) + 9 * 16 * 1536 + 2 * 1536
    assert block(768) == inside == 2_583_552
    assert generator_count([768] * 4) == 49_152 + 12_288 + 8 * inside + 2_304 == 20_732_160
    assert discriminator_count([768] * 4) == 2_304 + 8 * inside + 12_288 + 768 == 20_683_776


@pytest.mark.slow
def test_parameters_at_32_pixels_are_those_of_the_paper():
    assert trained(r3gan_generator()) == 20_732_160
    assert trained(r3gan_discriminator()) == 20_683_776


@pytest.mark.parametrize(
    ("size", "widths"), [(8, [32, 32]), (32, [32] * 4), (64, [32] * 4 + [16])], ids=str
)
def test_parameters_of_narrow_networks(size, widths):
    settings = {"image_size": size, "width": 32, "blocks": 1, "group_size": 8}
    more = {"blocks": 1, "group_size": 8}
    assert trained(r3gan_generator(**settings, latents=5)) == generator_count(widths, 5, **more)
    assert trained(r3gan_discriminator(**settings)) == discriminator_count(widths, **more)


def test_parameters_of_labels():
    plain, by_class = (r3gan_generator(**SMALL, latents=5, num_classes=n) for n in (None, 3))
    assert trained(by_class) - trained(plain) == 3 * 64 + 64 * 8  # Embedding; a longer noise.
    plain, by_class = (r3gan_discriminator(**SMALL, num_classes=n) for n in (None, 3))
    assert trained(by_class) - trained(plain) == 8 * (8 - 1) + 3 * 8


@pytest.mark.parametrize("strides", [1, 2])
def test_grouped_convolution_is_that_of_keras(strides):
    images = tf.constant(np.random.default_rng(0).normal(size=[2, 5, 4, 6]), tf.float32)
    settings = {"groups": 3, "strides": strides, "padding": "same", "activation": "softplus"}
    own, keras_own = GroupedConv2D(12, 3, **settings), layers.Conv2D(12, 3, **settings)
    keras_own(images)
    own.build(images.shape)
    random = np.random.default_rng(1)
    values = [random.normal(size=w.shape) for w in keras_own.weights]
    own.set_weights(values)
    keras_own.set_weights(values)
    np.testing.assert_allclose(own(images), keras_own(images), rtol=1e-5, atol=1e-5)


def test_gradient_of_a_gradient_penalty_agrees_with_finite_differences(float64):
    network = r3gan_discriminator(8, 1, width=4, blocks=1, group_size=4)
    random = np.random.default_rng(1)
    for weight in network.trainable_variables:  # Away from the start, where blocks add nothing.
        weight.assign(0.4 * random.normal(size=weight.shape))
    images = tf.constant(random.normal(size=[2, 8, 8, 1]))
    weights = [tf.identity(w.value) for w in network.trainable_variables]

    def penalty(weights):
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits, _ = network.stateless_call(weights, [], images)
        return tf.reduce_sum(tf.square(tape.gradient(logits, images)))

    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = penalty(weights)
    gradients = tape.gradient(value, weights, unconnected_gradients="zero")
    direction = [tf.constant(random.normal(size=w.shape)) for w in weights]
    ends = [
        penalty([w + s * 1e-6 * d for w, d in zip(weights, direction, strict=True)])
        for s in (1.0, -1.0)
    ]
    claimed = sum(tf.reduce_sum(g * d) for g, d in zip(gradients, direction, strict=True))
    np.testing.assert_allclose(claimed, (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


def test_blocks_begin_as_the_identity_with_scaled_weights():
    inputs = keras.Input((4, 4, 64))
    model = keras.Model(inputs, residual_block(inputs, group_size=16, depth=8))
    x = np.random.default_rng(0).normal(size=[2, 4, 4, 64]).astype("float32")
    np.testing.assert_array_equal(model(x), x)
    first, grouped, last = (layer for layer in model.layers if isinstance(layer, layers.Conv2D))
    gain = (2 / 1.04) ** 0.5 / 8**0.25
    # 8,192 and 18,432 draws: the estimates' own standard deviations are below 1 %.
    np.testing.assert_allclose(np.std(first.kernel), gain / 64**0.5, rtol=0.04)
    np.testing.assert_allclose(np.std(grouped.kernel), gain / (9 * 16) ** 0.5, rtol=0.04)
    assert grouped.groups == 8 and not np.any(last.kernel) and not last.use_bias


@pytest.mark.slow
def test_signals_keep_their_size_at_the_start():
    keras.utils.set_random_seed(1)
    settings = {"image_size": 16, "channels": 3, "width": 32, "blocks": 1}
    images = r3gan_generator(**settings)(tf.random.stateless_normal([32, 64], [0, 0]))
    assert 0.3 < np.std(images) < 3.0
    noise = tf.random.stateless_normal([32, 16, 16, 3], [0, 1])
    assert 0.003 < np.std(r3gan_discriminator(**settings)(noise)) < 3.0


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_class_conditional_game_with_both_penalties():
    networks = [
        r3gan_generator(8, 1, latents=3, width=4, blocks=1, group_size=4, num_classes=10),
        r3gan_discriminator(8, 1, width=4, blocks=1, group_size=4, num_classes=10),
    ]
    gan = tgs.GAN(*networks, latents=3, num_classes=10)
    gan.compile(
        *(keras.optimizers.Adam(1e-3, beta_1=0.0) for _ in range(2)),
        loss="relativistic",
        penalties=[tgs.R1(0.1), tgs.R2(0.1)],
        jit_compile=False,
    )
    logs = gan.fit(tgs.data.digits(8, labels=True), steps_per_epoch=3, verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    assert logs["r1"][0] > 0 and logs["r2"][0] > 0
    assert gan.sample(2).shape == (2, 8, 8, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 48}, "`image_size` must be 4 doubled once or more.*Received: 48"),
        ({"image_size": 4}, "`image_size` must be 4 doubled once or more.*Received: 4"),
        ({"width": 12}, r"`group_size` must divide 2 times.*12.*width=12. Use a multiple of 8"),
        ({"image_size": 128, "width": 8}, r"Received: 16 with width=8. Use a multiple of 32"),
        ({"blocks": 0}, "`blocks` must be an integer >= 1"),
        ({"num_classes": 0}, "`num_classes` must be an integer >= 1"),
    ],
)
@pytest.mark.parametrize("build", [r3gan_generator, r3gan_discriminator])
def test_what_cannot_be_built_is_refused(build, settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)
