"""Pictures are decoded, resized and checked alike, whatever they come from."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.data import images

RNG = np.random.default_rng(0)


def test_bytes_fill_minus_one_to_one_and_floats_are_left_alone():
    scaled = images.to_float(tf.constant([[0, 51, 255]], tf.uint8))
    np.testing.assert_allclose(scaled, [[-1, -0.6, 1]], rtol=1e-6)
    floats = tf.constant([-0.3, 0.9])
    assert images.to_float(floats) is floats


@pytest.mark.parametrize("size", [7, 9, 21])
def test_a_fine_checkerboard_shrinks_to_gray(size):
    # 63 is an odd multiple of these sizes, so that new pixels have old ones right in their middle.
    board = np.indices([63, 63]).sum(axis=0) % 2 * 255
    shrunk = images.crop_and_resize(tf.constant(board[..., np.newaxis], tf.uint8), size).numpy()
    # Dropping pixels would leave -1 or 1. At the border the filter sees half a period too little.
    np.testing.assert_allclose(shrunk, 0, atol=0.02)


def test_shrinking_keeps_the_mean():
    picture = RNG.integers(0, 256, [48, 48, 3], dtype=np.uint8)
    shrunk = images.crop_and_resize(tf.constant(picture), 12).numpy()
    expected = picture.mean(axis=(0, 1)) / 127.5 - 1
    np.testing.assert_allclose(shrunk.mean(axis=(0, 1)), expected, atol=0.02)


def test_a_picture_of_the_right_size_is_not_changed():
    picture = RNG.integers(0, 256, [16, 16, 3], dtype=np.uint8)
    np.testing.assert_allclose(
        images.crop_and_resize(tf.constant(picture), 16), picture / 127.5 - 1, atol=1e-6
    )


@pytest.mark.parametrize("height, width, top, left", [(9, 5, 2, 0), (5, 9, 0, 2), (5, 8, 0, 1)])
def test_the_square_in_the_middle_is_kept(height, width, top, left):
    picture = RNG.integers(0, 256, [height, width, 1], dtype=np.uint8)
    middle = picture[top : top + 5, left : left + 5] / 127.5 - 1
    np.testing.assert_allclose(images.crop_and_resize(tf.constant(picture), 5), middle, atol=1e-6)


@pytest.mark.parametrize("size", [4, 7, 40])
def test_no_filter_overshoots_the_range(size):
    edges = np.kron(RNG.integers(0, 2, [5, 5]), np.ones([4, 4])) * 255
    resized = images.crop_and_resize(tf.constant(edges[..., np.newaxis], tf.uint8), size).numpy()
    assert resized.shape == (size, size, 1)
    assert resized.dtype == np.float32
    assert resized.min() >= -1
    assert resized.max() <= 1


def test_gray_becomes_color_and_color_becomes_luma():
    gray = tf.constant([[[10], [200]]], tf.uint8)
    np.testing.assert_array_equal(images.with_channels(gray, 3), np.repeat(gray, 3, axis=-1))
    color = tf.constant([[[100, 200, 50]]], tf.uint8)
    luma = 0.299 * 100 + 0.587 * 200 + 0.114 * 50
    np.testing.assert_allclose(images.with_channels(color, 1), [[[luma]]], atol=1)
    np.testing.assert_array_equal(images.with_channels(color, 3), color)
    np.testing.assert_array_equal(images.with_channels(gray, 1), gray)


def test_transparency_is_left_out():
    clear = tf.constant([[[10, 20, 30, 0]]], tf.uint8)
    np.testing.assert_array_equal(images.with_channels(clear, 3), [[[10, 20, 30]]])
    gray_and_alpha = tf.constant([[[40, 0]]], tf.uint8)
    np.testing.assert_array_equal(images.with_channels(gray_and_alpha, 3), [[[40, 40, 40]]])
    np.testing.assert_array_equal(images.with_channels(gray_and_alpha, 1), [[[40]]])


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "64"])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="`size` must be a number of pixels, an integer >= 1. Rec"):
        images.check_size_and_channels(size, None)


@pytest.mark.parametrize("channels", [0, 2, 4, True, "3"])
def test_impossible_channels_are_refused(channels):
    with pytest.raises(ValueError, match="`channels` must be one of 1, 3. .*1 for gray"):
        images.check_size_and_channels(None, channels)


PICTURES = np.linspace(-1, 1, 6 * 4 * 4 * 1).reshape(6, 4, 4, 1)


def with_value(value, index=2):
    changed = PICTURES.copy()
    changed[index, 1, 3, 0] = value
    return changed


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [[6, 4, 4, 1], [6, 16], [96]])
def test_values_up_to_the_ends_of_the_range_pass(dtype, shape):
    assert images.check_range("pictures", PICTURES.reshape(shape).astype(dtype)) is None


def test_an_empty_array_has_no_bad_value():
    images.check_range("pictures", PICTURES[:0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_and_found(value):
    bad = with_value(value)
    bad[4] = value
    message = (
        r"^'x' must hold finite numbers. Received: NaN or infinity in 2 of 6 pictures, the first "
        r"at index 2. Leave those out.$"
    )
    with pytest.raises(ValueError, match=message):
        images.check_range("x", bad)
    with pytest.raises(ValueError, match=message):
        images.check_range("x", bad.reshape(6, 16))


@pytest.mark.parametrize("value, shown", [(1.001, "-1 to 1.001"), (-2, "-2 to 1")])
def test_values_outside_of_the_range_are_refused(value, shown):
    message = rf"'x' must hold floats in \[-1, 1\]. Received: values from {shown}. If black"
    with pytest.raises(ValueError, match=message):
        images.check_range("x", with_value(value))


def test_bytes_are_refused_with_the_remedy():
    pictures = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    with pytest.raises(ValueError, match="values from 0 to 255. .* use `images / 127.5 - 1`"):
        images.check_range("x", pictures)
    images.check_range("x", pictures / 127.5 - 1)


def test_pictures_without_a_negative_value_are_warned_about_in_the_callers_line():
    with pytest.warns(UserWarning, match="'x' has values from 0.25 to 1 only") as caught:
        images.warn_of_half_range("x", np.array([[0.25, 1.0]]))
    assert caught[0].filename == __file__


def test_pictures_that_use_both_halves_are_not_warned_about():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.warn_of_half_range("x", np.array([[-1e-3, 1.0]]))


def test_bytes_that_were_scaled_come_back_as_they_were():
    every = np.arange(256, dtype=np.uint8)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(images.to_bytes(every.astype(kind) / kind(127.5) - 1), every)
    back = images.to_bytes(np.array([-9.0, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 1.0, 9.0]))
    assert back.dtype == np.uint8 and back.tolist() == [0, 0, 0, 1, 255, 255]
