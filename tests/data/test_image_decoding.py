"""Pictures are decoded, resized and checked alike, whatever they come from."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.data import image_decoding as images

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


CLEAR = RNG.integers(0, 256, [6, 5, 4], dtype=np.uint8)
CLEAR[0, :, 3], CLEAR[1, :, 3] = 0, 255


def composited(picture, background):
    """Alpha times the picture and the rest of the background, in float64."""
    alpha = picture[..., 3:] / 255.0
    return alpha * picture[..., :3] + (1 - alpha) * np.array(background, float)


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (7, 7, 7), (200, 0, 90)])
def test_transparency_shows_the_background(background):
    shown = images.with_channels(tf.constant(CLEAR), 3, background)
    assert shown.dtype == tf.uint8
    expected = composited(CLEAR, background)
    np.testing.assert_allclose(shown, expected, atol=0.501)
    np.testing.assert_array_equal(shown[0], np.broadcast_to(background, [5, 3]))
    np.testing.assert_array_equal(shown[1], CLEAR[1, :, :3])
    levels = images.with_channels(tf.constant(CLEAR, tf.float32), 3, background)
    np.testing.assert_allclose(levels, expected, rtol=1e-5, atol=1e-4)
    gray = images.with_channels(tf.constant(CLEAR, tf.float32), 1, background)
    luma = expected @ [[0.299], [0.587], [0.114]]
    np.testing.assert_allclose(gray, luma, rtol=1e-5, atol=1e-4)
    gray_and_alpha = CLEAR[..., [1, 3]]
    expected = composited(CLEAR[..., [1, 1, 1, 3]], background)
    shown = images.with_channels(tf.constant(gray_and_alpha), 3, background)
    np.testing.assert_allclose(shown, expected, atol=0.501)
    np.testing.assert_allclose(
        images.with_channels(tf.constant(gray_and_alpha), 1, background),
        expected @ [[0.299], [0.587], [0.114]],
        atol=1.01,
    )


def test_white_is_the_background_unless_another_is_given():
    clear = tf.constant([[[10, 20, 30, 0]]], tf.uint8)
    np.testing.assert_array_equal(images.with_channels(clear, 3), [[[255, 255, 255]]])
    np.testing.assert_array_equal(images.with_channels(clear, 1), [[[255]]])


def test_alpha_can_be_kept_and_what_it_hides_is_black():
    expected = np.where(CLEAR[..., 3:] > 0, CLEAR, 0)
    np.testing.assert_array_equal(images.with_channels(tf.constant(CLEAR), 4), expected)
    color, gray = CLEAR[..., :3], CLEAR[..., :1]
    opaque = np.full([6, 5, 1], 255, np.uint8)
    for picture, colors in ((color, color), (gray, np.repeat(gray, 3, axis=-1))):
        shown = images.with_channels(tf.constant(picture), 4)
        np.testing.assert_array_equal(shown, np.concatenate([colors, opaque], axis=-1))
    shown = images.with_channels(tf.constant(CLEAR[..., 2:]), 4)
    np.testing.assert_array_equal(shown, np.where(CLEAR[..., 3:] > 0, CLEAR[..., [2, 2, 2, 3]], 0))


@pytest.mark.cases(fast=5)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("own", [1, 2, 3, 4])
def test_graphs_that_do_not_know_the_channels_make_the_same(own, channels):
    picture = tf.constant(CLEAR[..., :own])
    unknown = tf.TensorSpec([None, None, None], tf.uint8)
    in_graph = tf.function(
        lambda image: images.with_channels(image, channels, (200, 0, 90)),
        input_signature=[unknown],
        autograph=False,
    )
    np.testing.assert_array_equal(
        in_graph(picture), images.with_channels(picture, channels, (200, 0, 90))
    )


@pytest.mark.parametrize("size", [3, 8, 20])
def test_hidden_colors_leave_no_fringe(size):
    sprite = np.zeros([8, 8, 4], np.uint8)
    sprite[..., :3] = [255, 0, 255]  # Hidden, and another color than what is seen.
    sprite[2:6, 2:6] = [0, 200, 0, 255]
    resized = images.crop_and_resize(images.with_channels(tf.constant(sprite), 4), size).numpy()
    color, alpha = (resized[..., :3] + 1) * 127.5, (resized[..., 3] + 1) / 2
    assert alpha.max() > 0.8
    # Where anything is seen it is the green of the sprite, unmixed; elsewhere black.
    seen = alpha > 0.5 / 255
    np.testing.assert_allclose(color[seen], np.broadcast_to([0, 200, 0], color[seen].shape), atol=1)
    assert np.all(color[~seen] == 0)
    # Alpha itself is resized as any other channel.
    plain = images.crop_and_resize(tf.constant(sprite[..., 3:]), size).numpy()[..., 0]
    np.testing.assert_allclose(resized[..., 3], plain, atol=1e-5)


def test_resizing_with_alpha_weighs_colors_by_alpha():
    picture = np.zeros([4, 4, 4], np.uint8)
    picture[..., 0] = 200
    picture[..., 3] = 255
    picture[:, ::2] = [0, 0, 100, 51]  # A fifth as opaque.
    shrunk = images.crop_and_resize(images.with_channels(tf.constant(picture), 4), 1).numpy()
    red, green, blue, alpha = (shrunk[0, 0] + 1) * 127.5
    weighted = np.concatenate([picture[..., :3] * (picture[..., 3:] / 255.0), picture[..., 3:]], -1)
    # Of one channel after the other, none of which is taken for alpha.
    sums = [
        (images.crop_and_resize(tf.constant(weighted[..., [c]], tf.float32), 1).numpy().item() + 1)
        * 127.5
        for c in range(4)
    ]
    np.testing.assert_allclose(alpha, sums[3], rtol=1e-4)
    np.testing.assert_allclose(
        [red, blue], [sums[0] * 255 / alpha, sums[2] * 255 / alpha], rtol=1e-4
    )
    assert green == 0 and abs(red - 200 * 5 / 6) < 20 and abs(blue - 100 / 6) < 10


def test_a_picture_with_alpha_of_the_right_size_is_not_changed():
    kept = images.with_channels(tf.constant(CLEAR[:5]), 4)
    shown = images.crop_and_resize(kept, 5)
    np.testing.assert_allclose(shown, kept.numpy() / 127.5 - 1, atol=1e-5)


@pytest.mark.parametrize(
    "background", [-1, 256, 1.5, True, "white", (0, 0), (0, 0, 0, 0), (0, 0, 999)]
)
def test_impossible_backgrounds_are_refused(background):
    with pytest.raises(ValueError, match="`background` must be a gray level or red, green and blu"):
        images.checked_background(background)


def test_backgrounds_are_gray_levels_or_colors():
    assert images.checked_background(None) == (255, 255, 255)
    assert images.checked_background(np.uint8(7)) == (7, 7, 7)
    assert images.checked_background([255, 0, 1]) == (255, 0, 1)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "64"])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="`size` must be a number of pixels, an integer >= 1. Rec"):
        images.check_size_and_channels(size, None)


@pytest.mark.parametrize("channels", [0, 2, 5, True, "3"])
def test_impossible_channels_are_refused(channels):
    with pytest.raises(ValueError, match="`channels` must be one of 1, 3, 4. .*1 for gray"):
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
def test_nan_is_counted_and_located(value):
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


def test_half_range_warns_at_the_callers_line():
    with pytest.warns(UserWarning, match="'x' has values from 0.25 to 1 only") as caught:
        images.warn_of_half_range("x", np.array([[0.25, 1.0]]))
    assert caught[0].filename == __file__


def test_full_range_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.warn_of_half_range("x", np.array([[-1e-3, 1.0]]))


def test_bytes_survive_scaling():
    every = np.arange(256, dtype=np.uint8)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(images.to_bytes(every.astype(kind) / kind(127.5) - 1), every)
    back = images.to_bytes(np.array([-9.0, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 1.0, 9.0]))
    assert back.dtype == np.uint8 and back.tolist() == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize("white", [4095, 65535])
def test_integers_are_scaled_by_white(white):
    scans = np.array([0, white, white // 3, 1], np.uint16)
    expected = 2 * (scans / white) - 1
    scaled = images.scaled_by_white("scans", scans, white)
    assert scaled.dtype == np.float32 and scaled.max() == 1
    np.testing.assert_allclose(scaled, expected, atol=1e-7)


@pytest.mark.parametrize("values, shown", [([0, 4096], "0 to 4096"), ([-1, 9], "-1 to 9")])
def test_integers_beyond_black_and_white_are_refused(values, shown):
    message = rf"'x' must hold values from 0 to white=4095. Received: values from {shown}. Give"
    with pytest.raises(ValueError, match=message):
        images.scaled_by_white("x", np.array(values, np.int32), 4095)
