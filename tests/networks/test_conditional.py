"""Conditional batch normalization against NumPy: values, derivatives, statistics, files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.networks import BatchNormalization, ConditionalBatchNormalization
from tfgan_stab.networks.conditional import modulated
from tfgan_stab.networks.residual import Convolutions
from tfgan_stab.training.averaging.batch_statistics import normalizations

layers = keras.layers
LABELS = np.array([2, 0, 2, 1, 0], "int32")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def made(shape, dtype="float64", **settings):
    """A layer for three classes, of which each has its own scales and shifts."""
    layer = ConditionalBatchNormalization(3, dtype=dtype, **settings)
    layer.build(shape, (None,))
    for number, weight in enumerate(layer.trainable_variables):
        weight.assign(1.0 + numbers(*weight.shape, seed=number))
    return layer


def naive(x, labels, gammas, betas, mean, variance, epsilon):
    outputs = np.empty_like(x)
    for row, label in enumerate(labels):
        outputs[row] = gammas[label] * (x[row] - mean) / np.sqrt(variance + epsilon) + betas[label]
    return outputs


@pytest.mark.parametrize("shape", [(5, 4), (5, 3, 2, 4)])
def test_outputs_and_statistics_equal_a_naive_program(shape):
    layer = made(shape, momentum=0.7, epsilon=0.1)
    x = 3.0 * numbers(*shape, seed=9) + 5.0
    gammas, betas = (weight.numpy() for weight in layer.trainable_variables)
    axes = tuple(range(len(shape) - 1))
    mean, variance = x.mean(axes), x.var(axes)
    expected = naive(x, LABELS, gammas, betas, mean, variance, 0.1)
    np.testing.assert_allclose(layer(x, LABELS, training=True), expected, rtol=1e-12)
    moving_mean, moving_variance = 0.3 * mean, 0.7 + 0.3 * variance
    expected = naive(x, LABELS, gammas, betas, moving_mean, moving_variance, 0.1)
    np.testing.assert_allclose(layer(x, LABELS), expected, rtol=1e-12)


def test_one_class_is_batch_normalization():
    ours, plain = ConditionalBatchNormalization(1), BatchNormalization()
    x = numbers(5, 3, 3, 2).astype("float32")
    expected = plain(x, training=True)
    outputs = ours(x, np.zeros(5, "int32"), training=True)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=1e-6)


def test_gradients_of_classes_that_are_not_there_are_zero():
    layer, x = made((5, 4)), tf.constant(numbers(5, 4))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(layer(x, np.array([0, 2, 2, 0, 2]), training=True)))
    for gradient in tape.gradient(loss, layer.trainable_variables):
        rows = np.any(tf.convert_to_tensor(gradient) != 0, axis=1)
        assert rows.tolist() == [True, False, True]


class Labelled(layers.Layer):
    """The layer with the labels of a batch of four, for the critic of the other layers' tests."""

    def __init__(self):
        super().__init__(dtype="float64")
        self.inside = ConditionalBatchNormalization(3, dtype="float64")

    def call(self, inputs, training=None):
        return self.inside(inputs, tf.constant([1, 0, 2, 1]), training=training)


def test_gradient_penalty_through_the_layer(penalty_derivatives):
    by_tape, measured = penalty_derivatives(Labelled())
    np.testing.assert_allclose(by_tape, measured, rtol=1e-6)


def test_half_precision_keeps_statistics_in_single_precision():
    layer = made((8, 4), dtype="mixed_float16")
    outputs = layer(3000.0 * numbers(8, 4), np.zeros(8, "int32"), training=True)
    assert outputs.dtype == tf.float16 and np.isfinite(outputs).all()
    assert layer.normalization.moving_variance.dtype == "float32"
    assert np.all(layer.normalization.moving_variance > 1e3)


def test_a_saved_model_normalizes_the_same(tmp_path):
    inputs = [keras.Input((3, 3, 2)), keras.Input((), dtype="int32")]
    outputs = ConditionalBatchNormalization(3, momentum=0.5, epsilon=0.01)(*inputs)
    model = keras.Model(inputs, outputs)
    for number, weight in enumerate(model.trainable_variables):
        weight.assign(numbers(*weight.shape, seed=number))
    batch = [numbers(5, 3, 3, 2).astype("float32"), LABELS]
    model(batch, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(batch), model(batch))
    assert [layer.momentum for layer in normalizations(loaded)] == [0.5]
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


def test_modulated_features_equal_a_naive_program():
    inputs = [keras.Input((3, 2, 4)), keras.Input((6,))]
    model = keras.Model(inputs, modulated(*inputs, Convolutions()))
    x, c = numbers(5, 3, 2, 4).astype("float32"), numbers(5, 6).astype("float32")
    # As they were made: the scales' matrix comes first.
    names = sorted((w.path for w in model.trainable_variables), key=lambda p: (len(p), p))
    by_path = {w.path: w.numpy() for w in model.trainable_variables}
    scales, shifts = ((c @ by_path[name])[:, None, None] for name in names)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (1 + scales) * (x - mean) / np.sqrt(variance + 1e-5) + shifts
    np.testing.assert_allclose(model([x, c], training=True), expected, rtol=1e-4, atol=1e-5)


REFUSED = {
    "num_classes": (0, "`num_classes` must be an integer >= 1. Received: 0. Use 10"),
    "momentum": (1.5, r"`momentum` must be a number in \[0, 1\]. Received: 1.5. Use 0.9"),
    "epsilon": (0.0, "`epsilon` must be a number > 0. Received: 0.0. Use 1e-5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_must_be_in_range(name):
    value, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        ConditionalBatchNormalization(**{"num_classes": 3, name: value})


def small(name):
    """A pair of networks for three classes."""
    generator, discriminator = (
        getattr(tgs.networks, f"{name}_{player}") for player in ("generator", "discriminator")
    )
    sizes = {
        "sndcgan": {"image_size": 8, "base_size": 2, "width": 4},
        "dcgan28": {"width": 2},
        "conventional": {"image_size": 8, "base_size": 1, "width": 16},
    }[name]
    return (
        generator(latents=5, num_classes=3, **sizes),
        discriminator(num_classes=3, **sizes),
    )


@pytest.mark.parametrize("name", ["sndcgan", "dcgan28", "conventional"])
def test_labels_reach_both_networks(name):
    generator, discriminator = small(name)
    for network in (generator, discriminator):
        for number, weight in enumerate(network.trainable_variables):
            if weight.shape[0] == 3 and len(weight.shape) == 2:  # A row for each class.
                weight.assign(numbers(*weight.shape, seed=number))
    noise = np.repeat(numbers(1, 5).astype("float32"), 3, axis=0)
    labels = np.array([0, 1, 1], "int32")
    images = generator([noise, labels]).numpy()
    assert np.abs(images[0] - images[1]).max() > 1e-3
    np.testing.assert_allclose(images[1], images[2], atol=1e-6)
    seen = np.repeat(numbers(1, *images.shape[1:]).astype("float32"), 3, axis=0)
    logits = discriminator([seen, labels]).numpy()[:, 0]
    assert not np.isclose(logits[0], logits[1], rtol=1e-3, atol=0)
    np.testing.assert_allclose(logits[1], logits[2], rtol=1e-5)
