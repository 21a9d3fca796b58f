"""What features and images must be, in one place for every metric and extractor."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from example_images import noise

from tfgan_stab.evaluation.metrics.inputs import (
    blocks,
    checked_color_images,
    checked_features,
    checked_images,
    checked_pair,
)

GOOD = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.uint8, np.int64])
def test_real_numbers_of_any_type_become_float64(dtype):
    features = checked_features(GOOD.astype(dtype))
    assert features.dtype == np.float64
    np.testing.assert_array_equal(features, GOOD)


def test_a_pair_keeps_its_precision():
    real, fake = checked_pair(GOOD.astype(np.float32), GOOD.astype(np.float16))
    assert (real.dtype, fake.dtype) == (np.float32, np.float16)


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 0), (3, 2, 1), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \[samples, features\].*Received: shape \["):
        checked_features(np.zeros(shape))


@pytest.mark.parametrize("values", [[[1j]], [["a"]], [[True]], [[None]]])
def test_other_types_are_refused(values):
    with pytest.raises(TypeError, match="must be real numbers. Received: dtype"):
        checked_features(values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_found_wherever_they_are(bad):
    features = np.zeros((9000, 2), np.float32)
    features[[5000, 8999], 1] = bad
    with pytest.raises(ValueError, match="2 of 9000 samples, the first at index 5000"):
        checked_features(features)


@pytest.mark.skipif(
    np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="no wider type here"
)
def test_what_float64_cannot_hold_is_not_finite():
    with pytest.raises(ValueError, match="1 of 1 samples, the first at index 0"):
        checked_features(np.array([[1.0]], np.longdouble) * np.finfo(np.longdouble).max)


def test_a_pair_of_different_extractors_is_refused():
    with pytest.raises(ValueError, match="same extractor. Received: 2 and 1 features"):
        checked_pair(GOOD, GOOD[:, :1])


def test_messages_say_which_of_a_pair_is_wrong():
    with pytest.raises(ValueError, match="Fake features must be finite"):
        checked_pair(GOOD, GOOD * np.nan)
    with pytest.raises(ValueError, match="Real features must have shape"):
        checked_pair(GOOD[0], GOOD)


def test_blocks_cover_every_row_once():
    for samples in (1, 3, 4, 10):
        rows = [np.arange(part.start, part.stop) for part in blocks(samples, 4)]
        np.testing.assert_array_equal(np.concatenate(rows), np.arange(samples))


# -- Images ---------------------------------------------------------------------------------------


def test_one_channel_is_repeated():
    gray, colored = noise(2, 4, 5, 1), noise(2, 4, 5, 3)
    assert np.array_equal(checked_color_images(gray), np.concatenate([gray] * 3, axis=3))
    assert np.array_equal(checked_color_images(colored), colored)


@pytest.mark.parametrize("shape", [[2, 4, 4, 2], [2, 3], [2, 4]], ids=str)
def test_other_numbers_of_channels_raise(shape):
    with pytest.raises(ValueError, match=r"of 1 or 3 channels. Received: shape.*of your own"):
        checked_color_images(noise(*shape))


def test_alpha_is_refused_with_what_to_do():
    message = r"Received: shape \[2, 5, 5, 4\]. If the last is alpha, .*PNG.*on white.*channels=3"
    with pytest.raises(ValueError, match=message):
        checked_color_images(noise(2, 5, 5, 4))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
def test_any_float_becomes_float32(dtype):
    images = np.array([-1.0, -0.5, 0.25, 1.0]).reshape(1, 2, 2, 1)
    taken = checked_images(images.astype(dtype))
    assert taken.dtype == np.float32 and np.array_equal(taken, images)
    assert np.array_equal(checked_images(tf.constant(images)), images)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "complex64", "str"])
def test_images_must_be_floats(dtype):
    with pytest.raises(TypeError, match="Images must be floats.*Scale bytes as x / 127.5 - 1"):
        checked_images(np.ones((2, 4, 4, 1), dtype))


@pytest.mark.parametrize(
    "shape", [[], [4], [4, 4, 4], [0, 4, 4, 1], [2, 4, 0, 1], [1] * 5], ids=str
)
def test_shapes_of_images(shape):
    with pytest.raises(ValueError, match="Images must have shape.*Received: shape"):
        checked_images(np.zeros(shape, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_images_must_be_finite(bad):
    images = noise(5, 4, 4, 1)
    images[[1, 3], 0, 0] = bad
    with pytest.raises(ValueError, match="NaN or infinity in 2 of 5 images.*diverged"):
        checked_images(images)


@pytest.mark.parametrize("factor", [1.01, 127.5, 255.0])
def test_images_must_be_in_range(factor):
    with pytest.raises(ValueError, match=r"lie in \[-1, 1\]. Received: values in \[.*tanh"):
        checked_images(np.full((1, 2, 2, 1), factor, np.float32))


def test_points_beyond_single_precision_raise():
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 2 images"):
        checked_images([[1.0, 2.0], [1e300, 0.0]])


def test_images_of_several_sizes_raise():
    with pytest.raises(ValueError, match="form one array.*Received: list of different sizes"):
        checked_images([np.ones([4, 4, 1]), np.ones([5, 4, 1])])


def test_tensors_without_values_raise():
    with pytest.raises(TypeError, match="must be values.*outside tf.function"):
        tf.function(checked_images, autograph=False)(tf.ones([1, 2, 2, 1]))


def test_rounding_beyond_the_range_is_allowed():
    checked_images(np.full((1, 2, 2, 1), np.nextafter(np.float32(1), np.float32(2))))
