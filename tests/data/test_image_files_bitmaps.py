"""BMP files, by the letter of the format, are decoded or refused."""

import struct

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.data import image_files
from tfgan_stab.data.image_files import Decoder

RNG = np.random.default_rng(0)


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
    return image_files.decode(tf.constant(contents), Decoder.PILLOW).numpy()


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
    in_graph = tf.data.Dataset.from_tensors(contents).map(
        lambda contents: image_files.decode(contents, Decoder.PILLOW)
    )
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
    message = rf"1 of 1 pictures in (.|\n)*picture.bmp: .*{message}"
    with pytest.raises(ValueError, match=message):
        tgs.data.image_folder(tmp_path, 1, size=4, on_error="skip")


@pytest.mark.parametrize("length", [2, 20, 50, 60])
def test_a_bitmap_that_ends_in_its_headers_is_damaged(tmp_path, length):
    (tmp_path / "picture.bmp").write_bytes(SOUND[:length])
    with pytest.raises(ValueError, match="1 of 1 pictures in (.|\n)*picture.bmp: "):
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
