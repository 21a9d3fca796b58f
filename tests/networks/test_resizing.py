"""Resize layers against loops over pixels and TensorFlow, and their second derivatives."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.networks import Resizing, UpSampling2D
from tfgan_stab.networks.resizing import interpolation_matrix

layers = keras.layers

# Input and output sizes: up and down, odd and even, by integer factors and others.
SIZES = [(4, 8), (8, 4), (5, 7), (7, 5), (9, 3), (3, 9), (1, 4), (6, 1), (8, 5), (5, 5)]
METHODS = [("nearest", False), ("bilinear", False), ("bilinear", True), ("area", False)]
each_method = pytest.mark.parametrize(
    ("method", "antialias"), METHODS, ids=["nearest", "bilinear", "antialias", "area"]
)


def pixels(shape, dtype="float64", seed=0):
    return np.random.RandomState(seed).normal(size=shape).astype(dtype)


def naive_row(row, outputs, method, antialias):
    """Resizes a list of numbers, pixel by pixel, by the definition of each method."""
    inputs = len(row)
    scale = inputs / outputs
    found = []
    for i in range(outputs):
        if method == "nearest":
            found.append(row[min(math.floor((i + 0.5) * inputs / outputs), inputs - 1)])
        elif method == "area":
            # The integral of a staircase, by its antiderivative.
            def integral(end):
                whole = min(int(end), inputs - 1)
                return sum(row[:whole]) + row[whole] * (end - whole)

            found.append((integral((i + 1) * scale) - integral(i * scale)) / scale)
        elif antialias and scale > 1:
            centre = (i + 0.5) * scale
            tents = [max(0.0, 1 - abs(j + 0.5 - centre) / scale) for j in range(inputs)]
            found.append(sum(t * x for t, x in zip(tents, row, strict=True)) / sum(tents))
        else:
            # Between two neighbours; beyond the border the last pixel is repeated.
            position = (i + 0.5) * scale - 0.5
            lower = math.floor(position)
            share = position - lower
            left, right = (row[min(max(j, 0), inputs - 1)] for j in (lower, lower + 1))
            found.append((1 - share) * left + share * right)
    return found


def naive(images, height, width, *how):
    columns = np.apply_along_axis(lambda r: naive_row(list(r), height, *how), 1, images)
    return np.apply_along_axis(lambda r: naive_row(list(r), width, *how), 2, columns)


@each_method
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_resizing_against_loops_over_pixels(before, after, method, antialias):
    images = pixels([2, before, 6, 3])
    layer = Resizing(after, 7, method, antialias, dtype="float64")
    expected = naive(images, after, 7, method, antialias)
    np.testing.assert_allclose(layer(images), expected, rtol=1e-12, atol=1e-12)


@each_method
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_resizing_against_tensorflow(before, after, method, antialias):
    images = pixels([2, before, 6, 3], "float32")
    expected = tf.image.resize(images, [after, 7], method, antialias=antialias)
    found = Resizing(after, 7, method, antialias)(images)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [1, 2, 3, (3, 2)])
def test_up_sampling_against_keras(size, method):
    images = pixels([2, 5, 4, 3], "float32")
    expected = layers.UpSampling2D(size, interpolation=method)(images)
    found = UpSampling2D(size, method)(images)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@each_method
def test_matrix_rows_sum_to_one(method, antialias):
    for before in range(1, 20):
        for after in range(1, 20):
            matrix = interpolation_matrix(before, after, method, antialias)
            assert matrix.shape == (after, before) and matrix.min() >= 0
            np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-12)


LAYERS = {
    "up_bilinear": lambda: UpSampling2D(2, dtype="float64"),
    "up_nearest": lambda: UpSampling2D(2, "nearest", dtype="float64"),
    "larger": lambda: Resizing(9, 7, dtype="float64"),
    "smaller": lambda: Resizing(4, 5, dtype="float64"),
    "antialias": lambda: Resizing(4, 5, antialias=True, dtype="float64"),
    "area": lambda: Resizing(4, 5, "area", dtype="float64"),
    "nearest": lambda: Resizing(4, 5, "nearest", dtype="float64"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_penalty_through_the_layer(name, penalty_derivatives):
    by_tape, measured = penalty_derivatives(LAYERS[name]())
    np.testing.assert_allclose(by_tape, measured, rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.UpSampling2D(2, interpolation="bilinear", dtype="float64"),
        lambda: layers.Resizing(4, 5, dtype="float64"),
    ],
    ids=["UpSampling2D", "Resizing"],
)
def test_keras_bilinear_layers_lose_second_derivatives(make, penalty_derivatives):
    # Why the layers here exist. If this fails, Keras or TensorFlow has been fixed.
    # TensorFlow resizes in single precision: steps must be large.
    by_tape, measured = penalty_derivatives(make(), step=3e-3)
    assert abs(by_tape - measured) > 0.05 * abs(measured)
    layer, images = make(), tf.constant(pixels([1, 6, 6, 1]))
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
        u = tf.ones_like(outputs)
        outer.watch(u)
        gradient = tape.gradient(outputs, images, u)
    assert outer.gradient(gradient, u) is None


@each_method
def test_second_derivative_is_the_layer_itself(method, antialias):
    layer = Resizing(4, 9, method, antialias, dtype="float64")
    images, direction = tf.constant(pixels([2, 6, 5, 1])), pixels([2, 6, 5, 1], seed=1)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
        u = tf.ones_like(outputs)
        outer.watch(u)
        # Gradients are only recorded if the inner one is taken inside the outer tape.
        product = tf.reduce_sum(tape.gradient(outputs, images, u) * direction)
    expected = naive(direction, 4, 9, method, antialias)
    np.testing.assert_allclose(outer.gradient(product, u), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [lambda: UpSampling2D((2, 3)), lambda: Resizing(3, 4, "area")])
def test_xla_with_any_batch_size(make):
    layer = make()
    call = tf.function(
        layer.__call__,
        jit_compile=True,
        input_signature=[tf.TensorSpec([None, 5, 6, 2], tf.float32)],
    )
    for batch in (1, 3):
        images = pixels([batch, 5, 6, 2], "float32")
        np.testing.assert_allclose(call(images), layer(images), rtol=1e-5, atol=1e-6)


def test_mixed_precision():
    images = pixels([2, 5, 6, 2], "float32")
    outputs = UpSampling2D(3, dtype="mixed_float16")(images)
    assert outputs.dtype == tf.float16
    np.testing.assert_allclose(outputs, UpSampling2D(3)(images), atol=5e-3)


def test_integer_images_become_float():
    images = np.arange(12, dtype="uint8").reshape(1, 3, 4, 1)
    found = Resizing(1, 1, "area")(images)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, [[[[5.5]]]])


def test_a_saved_model_resizes_the_same(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 5, 1)),
            UpSampling2D((2, 3), "nearest"),
            Resizing(5, 3, antialias=True),
            Resizing(2, 2, "area"),
        ]
    )
    assert model.output_shape == (None, 2, 2, 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = pixels([3, 4, 5, 1], "float32")
    np.testing.assert_array_equal(loaded(images), model(images))
    for one, other in zip(model.layers, loaded.layers, strict=True):
        assert one.get_config() == other.get_config()


@pytest.mark.parametrize(
    "make", [lambda **k: UpSampling2D(2, **k), lambda **k: Resizing(2, 2, **k)]
)
def test_data_format_must_be_channels_last(make):
    with pytest.raises(ValueError, match="one of 'channels_last'. Received: 'channels_first'. Put"):
        make(data_format="channels_first")


def test_interpolation_must_be_known():
    with pytest.raises(
        ValueError, match="one of 'bilinear', 'nearest', 'area'. Received: 'bicubic'"
    ):
        Resizing(2, 2, "bicubic")
    with pytest.raises(ValueError, match="one of 'bilinear', 'nearest'. Received: 'area'. Use"):
        UpSampling2D(2, "area")


def test_antialias_needs_bilinear():
    with pytest.raises(ValueError, match="`antialias` needs interpolation='bilinear'.*'nearest'"):
        Resizing(2, 2, "nearest", antialias=True)


@pytest.mark.parametrize("size", [0, 1.5, True, (2, 0)])
def test_size_must_be_positive_integers(size):
    with pytest.raises(ValueError, match="`size` must be an integer >= 1. Received: .*Use size=2"):
        UpSampling2D(size)


def test_size_must_be_a_pair():
    with pytest.raises(ValueError, match=r"a pair of integers. Received: \(2, 2, 2\)"):
        UpSampling2D((2, 2, 2))


def test_height_and_width_must_be_positive():
    with pytest.raises(ValueError, match="`height` must be an integer >= 1. Received: 0. Give"):
        Resizing(0, 3)
    with pytest.raises(ValueError, match="`width` must be an integer >= 1. Received: -1. Give"):
        Resizing(3, -1)


@pytest.mark.parametrize("shape", [(None, 4, 1), (4, 4)])
def test_inputs_must_have_known_height_and_width(shape):
    with pytest.raises(ValueError, match="of known height and width. Received: shape"):
        UpSampling2D(2)(keras.Input(shape))
