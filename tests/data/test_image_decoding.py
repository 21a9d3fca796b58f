"""Pictures are decoded, resized and checked alike, whatever they come from."""

import struct
import warnings

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
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


def bitmap(width, height, bits, pixels, palette=b"", compression=0, masks=b"", used=0):
    """A BMP, by the letter of the format."""
    sizes = (len(pixels), 0, 0, used, 0)
    header = struct.pack("<IiiHHI5I", 40, width, height, 1, bits, compression, *sizes)
    start = 14 + len(header) + len(masks) + len(palette)
    file_header = b"BM" + struct.pack("<III", start + len(pixels), 0, start)
    return file_header + header + masks + palette + pixels


def packed(indices, bits):
    """Rows of indices as bytes, leftmost in the highest bits, padded to four bytes."""
    rows = []
    for row in indices:
        digits = "".join(f"{index:0{bits}b}" for index in row)
        digits += "0" * (-len(digits) % 32)
        rows.append(bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8)))
    return b"".join(rows)


def paletted(indices, colors, bits, top_down=False, **settings):
    """A BMP of a palette's colors, red, green and blue, of which one is chosen per pixel."""
    height, width = indices.shape
    palette = b"".join(bytes([blue, green, red, 0]) for red, green, blue in colors.tolist())
    rows = indices if top_down else indices[::-1]
    height = -height if top_down else height
    return bitmap(width, height, bits, packed(rows, bits), palette, **settings)


def decoded(contents):
    return images.decode(tf.constant(contents)).numpy()


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("width", [1, 3, 8, 33])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_a_palette_gives_each_pixel_its_color(bits, width, top_down):
    colors = RNG.integers(0, 256, [2**bits, 3], dtype=np.uint8)
    indices = RNG.integers(0, 2**bits, [5, width])
    pictured = decoded(paletted(indices, colors, bits, top_down))
    assert pictured.dtype == np.uint8
    np.testing.assert_array_equal(pictured, colors[indices])


@pytest.mark.parametrize("bits", [1, 8])
def test_graphs_decode_as_eager_calls_do(bits):
    contents = paletted(np.eye(5, dtype=int), np.array([[1, 2, 3], [4, 5, 6]]), bits)
    in_graph = tf.data.Dataset.from_tensors(contents).map(images.decode)
    np.testing.assert_array_equal(next(in_graph.as_numpy_iterator()), decoded(contents))


@pytest.mark.parametrize("bits", [4, 8])
def test_a_palette_may_be_short(bits):
    colors = RNG.integers(0, 256, [5, 3], dtype=np.uint8)
    indices = RNG.integers(0, 5, [4, 6])
    pictured = decoded(paletted(indices, colors, bits, used=5))
    np.testing.assert_array_equal(pictured, colors[indices])


@pytest.mark.parametrize("bits, masked", [(24, False), (32, False), (32, True)])
def test_bitmaps_without_a_palette(bits, masked):
    picture = RNG.integers(0, 256, [3, 4, bits // 8], dtype=np.uint8)
    blue_first = picture[::-1, :, [2, 1, 0, 3][: bits // 8]].tobytes()
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF) if masked else b""
    contents = bitmap(4, 3, bits, blue_first, compression=3 * masked, masks=masks)
    np.testing.assert_array_equal(decoded(contents), picture[..., :3])


def test_sixteen_bits_are_five_of_each_color():
    five = RNG.integers(0, 32, [3, 4, 3])
    numbers = (five * [1024, 32, 1]).sum(axis=-1).astype("<u2")
    pictured = decoded(bitmap(4, 3, 16, numbers[::-1].tobytes()))
    np.testing.assert_array_equal(pictured, five * 255 // 31)


def test_runs_of_one_color_are_unpacked():
    colors = RNG.integers(0, 256, [3, 3], dtype=np.uint8)
    palette = b"".join(bytes([blue, green, red, 0]) for red, green, blue in colors.tolist())
    packed_rows = bytes([4, 2, 0, 0]) + bytes([1, 0, 3, 1, 0, 0]) + bytes([0, 1])
    pictured = decoded(bitmap(4, 2, 8, packed_rows, palette, compression=1, used=3))
    np.testing.assert_array_equal(pictured, colors[[[0, 1, 1, 1], [2, 2, 2, 2]]])


SOUND = paletted(np.ones([4, 4], int), np.full([2, 3], 9, np.uint8), bits=8)
OTHER_MASKS = struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)


@pytest.mark.parametrize(
    "contents, message",
    [
        (bitmap(4, 4, 32, bytes(64), b"", 3, OTHER_MASKS), "Unsupported BMP bitfields layout"),
        (bitmap(4, 4, 2, bytes(16), bytes(16)), "Unsupported BMP pixel depth"),
        (SOUND[:-1], "image file is truncated"),
        (
            paletted(np.full([4, 4], 7), RNG.integers(0, 256, [5, 3], np.uint8), 8, used=5),
            "a pixel has color 7 of a palette of 5",
        ),
    ],
    ids=["masks", "2 bits", "cut", "beyond the palette"],
)
def test_unsupported_bitmaps_are_refused(tmp_path, contents, message):
    (tmp_path / "picture.bmp").write_bytes(contents)
    message = rf"picture.bmp: This BMP cannot be decoded: {message}.* Convert it to PNG\n"
    with pytest.raises(ValueError, match=message):
        tgs.data.image_folder(tmp_path, 1, size=4, on_error="skip")


@pytest.mark.parametrize("length", [2, 20, 50, 60])
def test_a_bitmap_that_ends_in_its_headers_is_damaged(tmp_path, length):
    (tmp_path / "picture.bmp").write_bytes(SOUND[:length])
    with pytest.raises(
        ValueError, match="1 of 1 pictures in (.|\n)*picture.bmp: This BMP (ends|cannot)"
    ):
        tgs.data.image_folder(tmp_path, 1, size=4, on_error="skip")


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_shows_the_colors_of_a_palette(tmp_path, channels):
    colors = RNG.integers(0, 256, [4, 3], dtype=np.uint8)
    indices = np.arange(36).reshape(6, 6) % 4
    (tmp_path / "picture.bmp").write_bytes(paletted(indices, colors, bits=8))
    batches = tgs.data.image_folder(tmp_path, 1, size=6, channels=channels)
    expected = colors[indices] @ (np.eye(3) if channels == 3 else [[0.299], [0.587], [0.114]])
    shown = next(batches.as_numpy_iterator())[0]
    np.testing.assert_allclose(shown, expected / 127.5 - 1, atol=1.1 / 127.5)
