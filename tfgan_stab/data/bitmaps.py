"""BMP files, of which TensorFlow alone shows the numbers of a palette's colors as their pixels.

A file begins with two headers, whose numbers have their least significant byte first::

    byte  0  "BM"
         10  where the pixels begin, 4 bytes
         14  size of the second header: 40 or more; 12 in files older than Windows 3
         18  width, height (negative where rows run from the top), 4 bytes each
         28  bits per pixel, 2 bytes: up to 8 are indices of a palette, which follows the headers
         30  compression, 4 bytes: 0 for none, 3 for masks that say where each color's bits are
         54  those masks

Reference:
    Microsoft, "Bitmap Storage", Windows App Development documentation.
"""

from typing import NamedTuple

import tensorflow as tf

_FILE_HEADER = 14
_HEADERS = 66  # As far as the masks.
_USUAL_MASKS = (0xFF0000, 0xFF00, 0xFF)  # Red, green, blue.
_REMEDY = "Convert it to PNG"


class _Header(NamedTuple):
    start: tf.Tensor
    size: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    bits: tf.Tensor
    compression: tf.Tensor
    masks: tf.Tensor


def is_bitmap(contents: tf.Tensor) -> tf.Tensor:
    """Whether a file is a BMP.

    Args:
        contents: The file's bytes, a string scalar.

    Returns:
        A bool scalar.
    """
    return tf.equal(tf.strings.substr(contents, 0, 2), b"BM")


def decode(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP file, with 1, 2, 4 or 8 bits per pixel through its palette.

    Args:
        contents: The file's bytes, a string scalar.

    Returns:
        uint8 `[height, width, channels]`: 3, or 4 with transparency.

    Raises:
        tf.errors.InvalidArgumentError: If this is part of a BMP, or one with compression, 16 bits
            per pixel, masks out of the ordinary or the header of before Windows 3.
    """
    header = _header(contents)
    with tf.control_dependencies(_checks(header)):
        has_palette = header.bits <= 8
    return tf.cond(
        has_palette,
        lambda: _through_palette(contents, header),
        lambda: tf.io.decode_bmp(contents),
    )


def _header(contents: tf.Tensor) -> _Header:
    # A file that is shorter is told by what its headers say, or by the pixels it lacks.
    padded = tf.strings.substr(tf.strings.join([contents, bytes(_HEADERS)]), 0, _HEADERS)
    shorts = tf.cast(tf.io.decode_raw(padded, tf.uint16), tf.int64)

    def number(byte: int) -> tf.Tensor:
        return shorts[byte // 2] + shorts[byte // 2 + 1] * 2**16

    height = number(22)
    return _Header(
        start=number(10),
        size=number(14),
        width=number(18),
        height=tf.where(height < 2**31, height, height - 2**32),
        bits=shorts[14],
        compression=number(30),
        masks=tf.stack([number(54), number(58), number(62)]),
    )


def _checks(header: _Header) -> list[tf.Operation]:
    """What must hold for the pixels to be where they are looked for."""
    usual = tf.reduce_all(header.masks == _USUAL_MASKS)
    plain = (header.compression == 0) | ((header.compression == 3) & usual)
    known = tf.reduce_any(header.bits == [1, 2, 4, 8, 24, 32])
    return [
        _assert(header.size >= 40, "This BMP has the header of before Windows 3"),
        _assert(known, "This BMP has another number of bits per pixel than 1, 2, 4, 8, 24 or 32"),
        _assert(plain, "This BMP is compressed, or has its colors in another order"),
    ]


def _assert(condition: tf.Tensor, message: str) -> tf.Operation:
    return tf.debugging.assert_equal(condition, True, f"{message}. {_REMEDY}")


def _through_palette(contents: tf.Tensor, header: _Header) -> tf.Tensor:
    blue_green_red = tf.gather(_palette(contents, header), _indices(contents, header))[..., :3]
    return tf.reverse(blue_green_red, axis=[-1])


def _palette(contents: tf.Tensor, header: _Header) -> tf.Tensor:
    """Returns uint8 `[colors, 4]`: blue, green, red and a byte that is not used."""
    begin = _FILE_HEADER + header.size
    # A palette may hold fewer colors than the indices could name.
    length = tf.minimum(4 * 2**header.bits, (header.start - begin) // 4 * 4)
    colors = tf.io.decode_raw(tf.strings.substr(contents, begin, length), tf.uint8)
    return tf.reshape(colors, [-1, 4])


def _indices(contents: tf.Tensor, header: _Header) -> tf.Tensor:
    """Returns int32 `[height, width]`: which color of the palette each pixel has."""
    height = tf.abs(header.height)
    row_bytes = (header.width * header.bits + 31) // 32 * 4  # Rows are padded to 4 bytes.
    pixels = tf.strings.substr(contents, header.start, height * row_bytes)
    complete = tf.cast(tf.strings.length(pixels), tf.int64) == height * row_bytes
    with tf.control_dependencies([_assert(complete, "This BMP ends before its last pixel")]):
        rows = tf.reshape(tf.io.decode_raw(pixels, tf.uint8), [height, row_bytes, 1])
    # The leftmost pixel lies in the highest bits of a byte.
    bits = tf.cast(header.bits, tf.int32)
    shifts = tf.range(8 - bits, -1, -bits)
    indices = tf.bitwise.right_shift(tf.cast(rows, tf.int32), shifts) % 2**bits
    indices = tf.reshape(indices, [height, -1])[:, : header.width]
    return tf.cond(header.height > 0, lambda: indices[::-1], lambda: indices)
