"""What happens to every picture, whatever it comes from: decoding, channels, size, range.

Networks here expect floats in [-1, 1]; files and reports hold bytes.
"""

import io
import os
import warnings
from typing import Any

import numpy as np
import PIL.Image
import tensorflow as tf

from tfgan_stab._utils import validation


def to_float(images: tf.Tensor) -> tf.Tensor:
    """Scales bytes to [-1, 1]; leaves floats, which are there already, alone.

    ::

        0..255  ->  x / 127.5 - 1

    Args:
        images: uint8 in 0..255 or float32 in [-1, 1], any shape.

    Returns:
        float32 in [-1, 1], same shape.

    Example:
        >>> to_float(tf.constant([0, 255], tf.uint8)).numpy().tolist()
        [-1.0, 1.0]
    """
    if images.dtype != tf.uint8:
        return images
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Turns pictures into what an image file stores; what is beyond black and white is clipped.

    ::

        x in [-1, 1]  ->  round(127.5 (x + 1)) in 0..255

    so that bytes that were scaled to [-1, 1] come back as they were.

    Args:
        images: Finite floats, any shape.

    Returns:
        uint8, the same shape.

    Example:
        >>> to_bytes(np.array([-1.0, 0.1, 1.5])).tolist()
        [0, 140, 255]
    """
    return np.round((np.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def decode(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG, JPEG, BMP or GIF file; of an animation, the first frame.

    Args:
        contents: The file's bytes, a string scalar.

    Returns:
        uint8 `[height, width, channels]` with the channels that the file has; a BMP is in color.

    Raises:
        tf.errors.OpError: If this is no picture, part of one, or a kind of BMP that Pillow does not
            read; in eager calls on a BMP a ValueError.
    """
    # TensorFlow is 2 to 4 times faster, but shows the numbers of a BMP's palette as its pixels.
    image = tf.cond(
        tf.equal(tf.strings.substr(contents, 0, 2), b"BM"),
        lambda: tf.ensure_shape(
            tf.numpy_function(_decode_bitmap, [contents], tf.uint8, stateful=False),
            [None, None, None],
        ),
        lambda: tf.io.decode_image(contents, channels=0, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, None])


def damage_of_header(path: str) -> str | None:
    """Returns what is wrong with the first bytes of an image file; `None` if they are sound.

    Args:
        path: The file.
    """
    try:
        # TensorFlow's own files, which may lie in a cloud, take 10 times as long to open.
        opened = path if os.path.exists(path) else tf.io.gfile.GFile(path, "rb")
        with PIL.Image.open(opened):
            return None
    except PIL.UnidentifiedImageError:
        return "these are not the bytes of a picture"
    except (OSError, ValueError, tf.errors.OpError) as error:
        return str(error)


def _decode_bitmap(contents: Any) -> np.ndarray:
    """Decodes a BMP file; what is transparent keeps its color."""
    # Eager calls give an array of one entry, graphs the bytes.
    contents = contents if isinstance(contents, bytes) else contents.item()
    try:
        with PIL.Image.open(io.BytesIO(contents), formats=["BMP"]) as picture:
            if picture.mode == "P" and picture.palette is not None:
                colors = len(picture.palette.palette) // len(picture.palette.rawmode or "RGB")
                _check_palette(np.asarray(picture), colors)
            return np.asarray(picture.convert("RGB"))
    except PIL.UnidentifiedImageError as error:
        raise ValueError("This BMP ends in its header, or is none") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"This BMP cannot be decoded: {error}. Convert it to PNG") from error


def _check_palette(indices: np.ndarray, colors: int) -> None:
    """Refuses pixels without a color, which Pillow would show as some gray."""
    if indices.max() >= colors:
        raise ValueError(f"a pixel has color {indices.max()} of a palette of {colors}")


def with_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Makes a picture gray or colored; transparency is left out.

    Args:
        image: uint8 `[height, width, any]`: gray, gray and alpha, color, or color and alpha.
        channels: 1 for gray (luma, as in ITU-R BT.601) or 3 for color.

    Returns:
        uint8 `[height, width, channels]`.
    """
    colored = tf.shape(image)[-1] >= 3
    if channels == 1:
        return tf.cond(
            colored,
            lambda: tf.image.rgb_to_grayscale(tf.ensure_shape(image[..., :3], [None, None, 3])),
            lambda: image[..., :1],
        )
    return tf.cond(
        colored, lambda: image[..., :3], lambda: tf.repeat(image[..., :1], repeats=3, axis=-1)
    )


def crop_and_resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts the largest square out of the middle and scales it, with anti-aliasing.

    Without anti-aliasing a picture that shrinks keeps single pixels and drops those between: false
    patterns, which a generator learns and FID sees.

    Args:
        image: uint8 in 0..255, `[height, width, channels]`.
        size: Height and width of the result in pixels, an integer >= 1.

    Returns:
        float32 in [-1, 1], `[size, size, channels]`.

    Reference:
        Parmar et al., "On Aliased Resizing and Surprising Subtleties in GAN Evaluation", CVPR 2022.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width)
    square = tf.image.crop_to_bounding_box(
        image, (height - side) // 2, (width - side) // 2, side, side
    )
    resized = tf.image.resize(square, [size, size], method="bicubic", antialias=True)
    # The bicubic filter has negative lobes, which overshoot at edges.
    return tf.clip_by_value(resized / 127.5 - 1.0, -1.0, 1.0)


def check_size_and_channels(size: int | None, channels: int | None) -> None:
    """Refuses a size or a number of channels that no picture can have.

    Args:
        size: Height and width in pixels, an integer >= 1; `None` to leave pictures as they are.
        channels: 1 for gray or 3 for color; `None` to leave pictures as they are.

    Raises:
        ValueError: If either is anything else.
    """
    if size is not None:
        validation.integer("size", size, unit="pixels", fix="It is both height and width.")
    if channels is not None:
        validation.choice("channels", channels, (1, 3), fix="Use 1 for gray, 3 for color.")


def check_array(name: str, shape: tuple[int, ...], dtype: np.dtype, points: bool = False) -> None:
    """Refuses arrays that hold no pictures, going by their shape and dtype alone.

    Args:
        name: What the array is called in the message: a file, or an argument.
        shape: The array's.
        dtype: The array's.
        points: Whether points, `[examples, dimensions]`, will do too.

    Raises:
        TypeError: If the dtype is another than uint8 or floats.
        ValueError: If the shape is not that of pictures with their channels last.
    """
    size = list(shape)
    if len(size) not in ((2, 3, 4) if points else (3, 4)) or 0 in size:
        or_points = ", or points [examples, dimensions]" if points else ""
        raise ValueError(
            f"{name!r} must hold pictures, [examples, height, width, channels] or [examples, "
            f"height, width]{or_points}, at least one. Received: shape {size}."
        )
    if len(size) == 4 and size[1] in (1, 3) and size[3] > 4:
        raise ValueError(
            f"{name!r} must have its channels last. Received: shape {size}, which has them first. "
            "Use `numpy.transpose(images, (0, 2, 3, 1))`."
        )
    if dtype != np.uint8 and not np.issubdtype(dtype, np.floating):
        raise TypeError(
            f"{name!r} must hold uint8 in 0..255 or floats in [-1, 1]. Received: dtype {dtype}. If "
            "the values are 0..255, use `numpy.asarray(images, numpy.uint8)`."
        )


def check_range(name: str, images: np.ndarray) -> None:
    """Refuses pictures that are not in [-1, 1].

    Args:
        name: What the pictures are called in the message: a file, or an argument.
        images: Pictures, or points: `[examples, ...]`. Those of integers are held against the same
            range.

    Raises:
        ValueError: If a value is NaN or infinite, or outside [-1, 1].

    Example:
        >>> pictures = np.array([[0, 128], [255, 3]], np.uint8)
        >>> check_range("pictures", pictures / 127.5 - 1)
    """
    if images.size == 0:
        return
    low, high = _extremes(images)
    if not np.isfinite([low, high]).all():
        bad = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))
        raise ValueError(
            f"{name!r} must hold finite numbers. Received: NaN or infinity in {len(bad)} of "
            f"{len(images)} pictures, the first at index {bad[0]}. Leave those out."
        )
    if low < -1 or high > 1:
        raise ValueError(
            f"{name!r} must hold floats in [-1, 1]. Received: values from {low:g} to {high:g}. If "
            "black is 0 and white is 255, use `images / 127.5 - 1`."
        )


def warn_of_half_range(name: str, images: np.ndarray, stacklevel: int = 2) -> None:
    """Warns if no value is below 0, as in pictures that were scaled to [0, 1].

    Args:
        name: What the pictures are called in the message: a file, or an argument.
        images: Floats in [-1, 1], any shape with at least one entry.
        stacklevel: Whose line the warning points at: 1 is this function, 2 its caller, and so on.
    """
    low, high = _extremes(images)
    if low >= 0:
        warnings.warn(
            f"{name!r} has values from {low:g} to {high:g} only, where black is -1 and white is 1. "
            "If they were scaled to [0, 1], use `2 * images - 1`.",
            UserWarning,
            stacklevel=stacklevel,
        )


def _extremes(images: np.ndarray) -> tuple[float, float]:
    # NaN comes through both; some releases of NumPy say so in a warning.
    with np.errstate(invalid="ignore"):
        return float(images.min()), float(images.max())
