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
    with pytest.raises(ValueError, match="`size` must be the height and width.*Received: size="):
        images.check_size_and_channels(size, None)


@pytest.mark.parametrize("channels", [0, 2, 4, True, "3"])
def test_impossible_channels_are_refused(channels):
    with pytest.raises(ValueError, match=r"`channels` must be 1 \(gray\) or 3 \(color\)"):
        images.check_size_and_channels(None, channels)
