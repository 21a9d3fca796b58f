"""Self-attention against a loop over pixels in NumPy; derivatives, precision, files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.networks import SelfAttention

layers = keras.layers


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def made(shape, dtype="float64", **settings):
    """A layer that adds something: gamma is 0.7."""
    layer = SelfAttention(dtype=dtype, **settings)
    layer.build(shape)
    for number, weight in enumerate(layer.trainable_variables):
        weight.assign(numbers(*weight.shape, seed=number) if len(weight.shape) else 0.7)
    return layer


def maxima(x):
    height, width, channels = x.shape
    rows = [
        [x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max((0, 1)) for j in range(width // 2)]
        for i in range(height // 2)
    ]
    return np.reshape(rows, (-1, channels))


def naive(image, queries, keys, values, mixing):
    """Attention, pixel by pixel."""
    keys, values = maxima(image @ keys), maxima(image @ values)
    outputs = np.empty_like(image)
    for place in np.ndindex(*image.shape[:2]):
        likeness = keys @ (image[place] @ queries)
        shares = np.exp(likeness - likeness.max())
        outputs[place] = image[place] + 0.7 * (shares / shares.sum()) @ values @ mixing
    return outputs


def matrices(layer):
    names = ("queries", "keys", "values", "projection")
    return [getattr(layer, name).kernel.numpy()[0, 0] for name in names]


def test_outputs_equal_a_naive_program():
    layer, x = made((2, 4, 6, 16), spectral_normalization=False), numbers(2, 4, 6, 16)
    found = matrices(layer)
    assert [matrix.shape for matrix in found] == [(16, 2), (16, 2), (16, 8), (8, 16)]
    expected = [naive(image, *found) for image in x]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-10, atol=1e-10)


def test_matrices_are_spectrally_normalized():
    layer, x = made((2, 4, 4, 8)), numbers(2, 4, 4, 8)
    train = tf.function(lambda: layer(x, training=True))
    for _ in range(100):
        train()
    plain = made((2, 4, 4, 8), spectral_normalization=False)
    for name in ("queries", "keys", "values", "projection"):
        kernel = getattr(layer, name).layer.kernel.numpy()
        getattr(plain, name).kernel.assign(kernel / np.linalg.norm(kernel[0, 0], 2))
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-6)


def test_a_new_layer_changes_nothing_and_learns():
    layer, x = SelfAttention(), tf.constant(numbers(2, 4, 4, 8), tf.float32)
    with tf.GradientTape() as tape:
        outputs = layer(x, training=True)
        loss = tf.reduce_sum(outputs**2)
    np.testing.assert_array_equal(outputs, x)
    assert tape.gradient(loss, layer.gamma.value) != 0


def test_gradient_penalty_through_the_layer(penalty_derivatives):
    attention = made((4, 6, 6, 8), spectral_normalization=False)
    widened = keras.Sequential(
        [
            keras.Input((6, 6, 4), dtype="float64"),
            layers.Conv2D(8, 1, dtype="float64"),
            attention,
        ]
    )
    by_tape, measured = penalty_derivatives(widened)
    np.testing.assert_allclose(by_tape, measured, rtol=1e-6)


def test_half_precision():
    shape = (2, 8, 8, 16)
    layer = made(shape, dtype="mixed_float16")
    exact = made(shape, dtype="float32")
    exact.set_weights(layer.get_weights())
    x = numbers(*shape).astype("float32")
    outputs = layer(x)
    assert outputs.dtype == tf.float16
    np.testing.assert_allclose(outputs, exact(x), atol=2e-2)


@pytest.mark.parametrize("spectral_normalization", [False, True])
def test_a_saved_model_attends_the_same(tmp_path, spectral_normalization):
    inputs = keras.Input((4, 4, 8))
    model = keras.Model(inputs, SelfAttention(spectral_normalization)(inputs))
    for number, weight in enumerate(model.trainable_variables):
        weight.assign(numbers(*weight.shape, seed=number))
    x = numbers(2, 4, 4, 8).astype("float32")
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize("shape", [(3, 4, 8), (4, 3, 8), (4, 4, 7), (None, 4, 8), (4, 8)])
def test_shapes_must_fit(shape):
    with pytest.raises(ValueError, match="needs inputs .* even height and width, and at least 8"):
        SelfAttention()(keras.Input(shape))


def test_spectral_normalization_must_be_bool():
    with pytest.raises(ValueError, match="`spectral_normalization` .*True, False. Received: 'y'"):
        SelfAttention("y")
