"""Pictures in files: headers are read when a folder is opened, pixels whenever they are needed.

The header decides who decodes a file: TensorFlow what is 8-bit PNG or JPEG in gray or RGB, which it
does 2 to 4 times faster, and PNG with transparency or of 16 bits, where it is exact; Pillow the
rest. Both give the same pixels.
"""

import enum
import io
import os
import struct
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import PIL.Image
import tensorflow as tf

from tfgan_stab._utils.progress import with_progress
from tfgan_stab.data.streams import parallel_map, reason_of

_BATCH = 256
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
# What Pillow raises on files that are damaged, or of a kind that it does not read.
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    struct.error,
    PIL.Image.DecompressionBombError,
)
_FULL = 65535  # Of 16 bits.
# Tags of TIFF files, and of EXIF data, which are such a file.
_BITS, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_WHITE_IS_ZERO = 0
_PNG_BITS = 24  # Where a PNG file says how many bits; in the next byte, whether in color.
_UPRIGHT = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


class Decoder(enum.IntEnum):
    """Who decodes a file, and as what."""

    PLAIN = 0  # TensorFlow: 8 bits, gray or color.
    PNG_WITH_ALPHA = 1  # TensorFlow: 8 bits, color and alpha.
    PILLOW = 2  # 8 bits, with or without alpha.
    DEEP_PNG = 3  # TensorFlow: 16 bits.
    DEEP_TIFF = 4  # Pillow: 16 bits, gray.


class Header(NamedTuple):
    """What the first bytes of an image file say.

    Attributes:
        decoder: Who decodes it.
        orientation: How to turn what TensorFlow decodes, as EXIF counts it: 1 to 8, 1 is upright.
            Pillow turns what it decodes.
        color: Whether it has color.
        animated: Whether there are pictures behind the first.
    """

    decoder: Decoder
    orientation: int
    color: bool
    animated: bool

    @property
    def deep(self) -> bool:
        """Whether it has more than 8 bits."""
        return self.decoder >= Decoder.DEEP_PNG


def read_header(path: str) -> Header:
    """Reads what an image file says of itself; decodes nothing.

    Args:
        path: The file.

    Raises:
        ValueError: If it is damaged, or no picture that can be decoded.
    """
    try:
        # TensorFlow's own files, which may lie in a cloud, take 10 times as long to open.
        with tf.io.gfile.GFile(path, "rb") if "://" in path else open(path, "rb") as file:
            with PIL.Image.open(file, formats=_FORMATS) as picture:
                return _header_of(picture, file)
    except PIL.UnidentifiedImageError:
        raise ValueError("these are not the bytes of a picture") from None
    except (*_UNREADABLE, tf.errors.OpError) as error:
        raise ValueError(str(error) or repr(error)) from error


def _header_of(picture: Any, file: IO[bytes]) -> Header:
    color = picture.mode not in ("1", "L", "LA", "La") and not picture.mode.startswith("I")
    orientation = 1
    # Phones put a second picture, of another kind, behind some JPEGs.
    animated = picture.format != "MPO" and getattr(picture, "is_animated", False)
    if picture.format == "PNG":
        file.seek(_PNG_BITS)
        bits, kind = file.read(2)
        color = bool(kind & 2)
        orientation = _orientation_of(picture)
        alpha = Decoder.PNG_WITH_ALPHA if _has_alpha(picture) else Decoder.PLAIN
        decoder = Decoder.DEEP_PNG if bits == 16 else alpha
    elif picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB"):
        orientation = _orientation_of(picture)
        decoder = Decoder.PLAIN
    elif picture.format == "TIFF" and np.max(picture.tag_v2.get(_BITS, 1)) > 8:
        _check_deep_tiff(picture)
        decoder = Decoder.DEEP_TIFF
    else:
        decoder = Decoder.PILLOW
    return Header(decoder, orientation, color, bool(animated))


def _has_alpha(picture: Any) -> bool:
    return picture.mode.endswith(("A", "a")) or "transparency" in picture.info


def _orientation_of(picture: Any) -> int:
    try:
        # What PNG files have in its place decodes them, in search of what follows the pixels.
        orientation = PIL.Image.Image.getexif(picture).get(_ORIENTATION, 1)
    except _UNREADABLE:  # The picture may be sound all the same, and is shown as it is stored.
        return 1
    return int(orientation) if orientation in _UPRIGHT else 1


def _check_deep_tiff(picture: Any) -> None:
    """Refuses what Pillow would cut to 8 bits, show as a negative, or without a white."""
    bits = np.max(picture.tag_v2[_BITS])
    if not picture.mode.startswith("I;16"):
        kind = "numbers" if picture.mode in ("I", "F") else "colors"
        raise ValueError(
            f"a TIFF with {kind} of {bits} bits is not read. Expected gray of 16 bits, or of 8. "
            "Convert it to PNG of 16 bits, or give an array to `tgs.data.arrays`"
        )
    if picture.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise ValueError(
            f"a TIFF of {bits} bits whose white is 0 is not read. Expected one whose black is 0. "
            "Convert it to PNG of 16 bits"
        )


def read_headers(paths: Sequence[str]) -> tuple[dict[str, Header], dict[str, str]]:
    """Reads the headers of files; returns those of sound ones, and what is wrong with the others.

    Args:
        paths: Image files.
    """
    headers, damaged = {}, {}
    for path in with_progress(paths, len(paths), "reading headers", lambda _: 1):
        try:
            headers[path] = read_header(path)
        except ValueError as error:
            damaged[path] = str(error)
    return headers, damaged


def check_white(headers: Mapping[str, Header], white: int | None) -> bool:
    """Returns whether there are pictures of 16 bits, and refuses those whose white is not known.

    Args:
        headers: Image files and their headers.
        white: Which value is white in them.

    Raises:
        ValueError: If it is `None`, and there are such pictures.
    """
    deep = [path for path, header in headers.items() if header.deep]
    if deep and white is None:
        raise ValueError(
            "`white` must say which value is white in pictures of 16 bits. Received: white=None, "
            f"and {len(deep)} of {len(headers)} pictures of 16 bits, such as {deep[0]!r}. Write "
            "white=65535 for full 16 bits, white=4095 for 12 bits."
        )
    return bool(deep)


def decode(
    contents: tf.Tensor, decoder: Any, orientation: Any = 1, white: int | None = None
) -> tf.Tensor:
    """Decodes an image file; of several pictures in it, the first.

    Args:
        contents: The file's bytes, a string scalar.
        decoder: A `Decoder`, or an int32 scalar of its value.
        orientation: As in `Header`, an int or an int32 scalar.
        white: Which value is white in files of 16 bits; `None` if there are none.

    Returns:
        `[height, width, channels]` in 0..255: gray, color, or color and alpha. uint8, or float32 if
        there may be files of 16 bits.

    Raises:
        tf.errors.OpError: If the file is damaged, or brighter than white; in eager calls of
            Pillow's a ValueError.
    """
    decoder, orientation = tf.convert_to_tensor(decoder), tf.convert_to_tensor(orientation)
    if white is None:
        return _decode_bytes(contents, decoder, orientation)
    return tf.cond(
        decoder >= Decoder.DEEP_PNG,
        lambda: _decode_deep(contents, decoder, orientation, white),
        lambda: tf.cast(_decode_bytes(contents, decoder, orientation), tf.float32),
    )


def _decode_bytes(contents: tf.Tensor, decoder: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    image = tf.switch_case(
        decoder,
        {
            # Of PNG files too. By default it is faster, and up to 3 levels off what Pillow shows.
            Decoder.PLAIN: lambda: tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE"),
            Decoder.PNG_WITH_ALPHA: lambda: tf.io.decode_png(contents, channels=4),
            Decoder.PILLOW: lambda: tf.numpy_function(
                _decoded_by_pillow, [contents], tf.uint8, stateful=False
            ),
        },
    )
    return _upright(image, orientation)


def _decode_deep(
    contents: tf.Tensor, decoder: tf.Tensor, orientation: tf.Tensor, white: int
) -> tf.Tensor:
    image = tf.cond(
        tf.equal(decoder, Decoder.DEEP_PNG),
        lambda: tf.io.decode_png(contents, channels=4, dtype=tf.uint16),
        lambda: tf.numpy_function(_decoded_by_pillow, [contents], tf.uint16, stateful=False),
    )
    image = tf.cast(_upright(image, orientation), tf.float32)
    brightest = tf.reduce_max(image[..., :3])
    message = f"it has values above white={white}. Give the value that is white in it"
    with tf.control_dependencies(
        [tf.debugging.assert_less_equal(brightest, float(white), message=message)]
    ):
        # What is opaque is so by the full 16 bits. Products are below 2**24, and so exact.
        return image * 255.0 / tf.constant([white] * 3 + [_FULL], tf.float32)


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns a picture as EXIF's orientation says: first over the diagonal, then over the axes."""
    image = tf.ensure_shape(image, [None, None, None])
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    rows = tf.reduce_any(tf.equal(orientation, [3, 4, 7, 8]))
    columns = tf.reduce_any(tf.equal(orientation, [2, 3, 6, 7]))
    return tf.cond(
        tf.logical_or(rows, columns),
        lambda: tf.raw_ops.Reverse(tensor=image, dims=tf.stack([rows, columns, False])),
        lambda: image,
    )


def _decoded_by_pillow(contents: Any) -> np.ndarray:
    """Decodes a file: uint8 gray, color, or color and alpha; uint16 color and alpha if it is deep.

    Raises:
        ValueError: If it is damaged.
    """
    # Eager calls give an array of one entry, graphs the bytes.
    contents = contents if isinstance(contents, bytes) else contents.item()
    try:
        with PIL.Image.open(io.BytesIO(contents), formats=_FORMATS) as picture:
            if picture.format == "BMP" and picture.mode == "P":
                _check_palette(picture)
            picture.load()
            # TIFF files turn themselves when they are loaded.
            held = 1 if picture.format == "TIFF" else _orientation_of(picture)
            method = _UPRIGHT.get(held)
            turned = picture if method is None else picture.transpose(method)
            return _pixels_of(turned)
    except _UNREADABLE as error:
        raise ValueError(f"it cannot be decoded: {error or repr(error)}") from error


def _pixels_of(picture: Any) -> np.ndarray:
    if picture.mode.startswith("I;16"):
        gray = np.asarray(picture).astype(np.uint16)
        return np.stack([gray, gray, gray, np.full_like(gray, _FULL)], axis=-1)
    if _has_alpha(picture):
        return np.asarray(picture.convert("RGBA"))
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"))[..., np.newaxis]
    return np.asarray(picture.convert("RGB"))


def _check_palette(picture: Any) -> None:
    """Refuses pixels without a color, which Pillow would show as some gray."""
    colors = len(picture.palette.palette) // len(picture.palette.rawmode or "RGB")
    highest = np.asarray(picture).max()
    if highest >= colors:
        raise ValueError(f"a pixel has color {highest} of a palette of {colors}")


def shapes_of(
    headers: Mapping[str, Header], white: int | None = None, show: bool = False
) -> dict[str, tuple[int, ...]]:
    """Decodes every file; returns the shapes, `(height, width, channels)`, of those that can be.

    Args:
        headers: Image files and their headers.
        white: Which value is white in files of 16 bits.
        show: Whether to show a progress bar.
    """
    paths = list(headers)
    decoded = parallel_map(
        tf.data.Dataset.from_tensor_slices(as_tensors(headers)).enumerate(),
        lambda index, file: (index, tf.shape(read(file, white))),
    )
    batches = decoded.ignore_errors().batch(_BATCH).as_numpy_iterator()
    each = with_progress(batches, len(paths), "checking", lambda batch: len(batch[0]), show)
    return {
        paths[index]: tuple(shape)
        for indices, shapes in each
        for index, shape in zip(indices.tolist(), shapes.tolist(), strict=True)
    }


def damage_of(path: str, white: int | None = None) -> str:
    """Returns why a file that could not be decoded cannot be.

    Args:
        path: The file.
        white: Which value is white in files of 16 bits.
    """
    try:
        header = read_header(path)
        decode(tf.io.read_file(path), header.decoder, header.orientation, white)
    except (tf.errors.OpError, ValueError) as error:
        return reason_of(error)
    return "could not be read at first, and could later"


def as_tensors(headers: Mapping[str, Header]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns files as `read` takes them, one row each: paths, decoders and orientations.

    Args:
        headers: Image files and their headers.
    """
    each = headers.values()
    with tf.device("CPU:0"):
        return (
            tf.constant([os.fsencode(path) for path in headers], tf.string),
            tf.constant([header.decoder for header in each], tf.int32),
            tf.constant([header.orientation for header in each], tf.int32),
        )


def read(file: tuple[tf.Tensor, ...], white: int | None = None) -> tf.Tensor:
    """Reads and decodes a file; see `decode`.

    Args:
        file: One row of `as_tensors`.
        white: Which value is white in files of 16 bits; `None` if there are none.
    """
    path, decoder, orientation = file
    return decode(tf.io.read_file(path), decoder, orientation, white)
