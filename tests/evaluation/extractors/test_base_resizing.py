"""Both ways of resizing, each against its reference."""

import numpy as np
import pytest
import tensorflow as tf
from example_images import noise
from PIL import Image

from tfgan_stab.evaluation.extractors import base as resizing
from tfgan_stab.evaluation.extractors.base import resized

SIZES = [
    (8, 8, 32),
    (7, 5, 299),
    (64, 48, 32),
    (1, 9, 12),
    (1, 1, 5),
    (300, 310, 299),
    (32, 32, 32),
]


def tensorflow_1(images, size):
    """Bilinear interpolation of TensorFlow 1, written out in double precision."""
    for axis in (1, 2):
        length = images.shape[axis]
        position = np.arange(size) * (length / size)
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (position - low).reshape([-1 if each == axis else 1 for each in range(4)])
        images = (1 - share) * images.take(low, axis) + share * images.take(high, axis)
    return images


def pillow(images, size):
    """Pillow's bicubic interpolation, of each channel of each image alone."""
    planes = np.moveaxis(images, 3, 1)
    shrunk = [
        [Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC) for plane in image]
        for image in planes
    ]
    return np.moveaxis(np.array([[np.asarray(p) for p in image] for image in shrunk]), 1, 3)


@pytest.mark.parametrize("height, width, size", SIZES)
def test_tf1_is_the_bilinear_interpolation_of_tensorflow_1(height, width, size):
    images = noise(2, height, width, 3)
    expected = tensorflow_1(images.astype(np.float64), size)
    # TensorFlow takes positions in single precision: 299 * 2**-24 of a pixel, times a step of 2.
    np.testing.assert_allclose(resized(images, size, "tf1"), expected, atol=1e-4)


def test_tf1_is_the_function_that_tfgans_users_call():
    images = noise(3, 20, 31, 3)
    expected = tf.compat.v1.image.resize_bilinear(images, [299, 299])
    assert np.array_equal(resized(images, 299, "tf1"), expected)


@pytest.mark.parametrize("height, width, size", SIZES)
def test_clean_is_pillows_bicubic_interpolation_clipped(height, width, size):
    images = noise(2, height, width, 3)
    expected = pillow(images, size)
    assert Image.fromarray(images[0, :, :, 0]).mode == "F"
    np.testing.assert_allclose(resized(images, size, "clean"), expected.clip(-1, 1), atol=2e-4)


def test_only_clean_overshoots_and_it_is_clipped():
    edge = np.repeat([-1.0, 1.0], 4).astype("float32").reshape(1, 1, 8, 1)
    assert np.abs(pillow(edge, 64)).max() > 1.05
    for mode in resizing.MODES:
        values = resized(edge, 64, mode).numpy()
        assert values.min() == -1.0 and values.max() == 1.0


def test_clean_averages_where_tf1_skips():
    stripes = np.tile(np.float32([-1, 1]), 32).reshape(1, 1, 64, 1).repeat(64, axis=1)
    assert np.array_equal(resized(stripes, 16, "tf1"), np.full([1, 16, 16, 1], -1.0))
    inside = resized(stripes, 16, "clean").numpy()[:, :, 2:-2]
    assert np.abs(inside).max() < 0.1


@pytest.mark.parametrize("mode", resizing.MODES)
def test_images_of_the_right_size_stay_as_they_are(mode):
    images = noise(2, 32, 32, 1)
    assert np.array_equal(resized(images, 32, mode), images)


@pytest.mark.parametrize("mode", resizing.MODES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_are_computed_in_single_precision(mode, dtype):
    images = tf.cast(noise(1, 6, 6, 2), dtype)
    result = resized(images, 9, mode)
    assert result.dtype == tf.float32
    assert np.array_equal(result, resized(tf.cast(images, tf.float32), 9, mode))


def test_each_shape_is_traced_once():
    resized(noise(2, 11, 13, 3), 17, "clean")
    before = resizing._resized.experimental_get_tracing_count()
    for seed in range(3):
        resized(noise(2, 11, 13, 3, seed=seed), 17, "clean")
    assert resizing._resized.experimental_get_tracing_count() == before
    resized(noise(2, 12, 13, 3), 17, "clean")
    assert resizing._resized.experimental_get_tracing_count() == before + 1


def test_other_modes_are_refused():
    with pytest.raises(ValueError, match="`mode` must be 'tf1' or 'clean'. Received: 'area'"):
        resized(noise(1, 2, 2, 1), 4, "area")


@pytest.mark.parametrize("size", [0, 2.5, True])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="`size` must be.*>= 1. Received"):
        resized(noise(1, 2, 2, 1), size, "tf1")


def test_bytes_are_refused():
    with pytest.raises(TypeError, match="Received: dtype uint8. Scale bytes as x / 127.5 - 1"):
        resized(np.zeros([1, 2, 2, 1], np.uint8), 4, "clean")


def test_a_single_image_without_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"\[batch, height, width, channels\]. Received: shape"):
        resized(noise(4, 4, 3), 4, "clean")
