"""What happens to every picture, whatever it comes from: channels, transparency, size, range.

Networks here expect floats in [-1, 1]; files and reports hold bytes.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation

WHITE = (255, 255, 255)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601.


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


def with_channels(
    image: tf.Tensor, channels: int, background: tuple[int, int, int] = WHITE
) -> tf.Tensor:
    """Makes a picture gray, colored, or colored with alpha.

    What is transparent shows the background, unless alpha is kept::

        alpha x + (1 - alpha) background

    Args:
        image: `[height, width, any]` in 0..255, uint8 or float32: gray, gray and alpha, color, or
            color and alpha.
        channels: 1 for gray (luma, as in ITU-R BT.601), 3 for color, 4 for color and alpha; what is
            hidden under alpha 0 becomes black then.
        background: Red, green and blue, each in 0..255.

    Returns:
        `[height, width, channels]` of the same dtype.
    """
    own = _channels_of(image)
    if channels == 4:
        return _with_alpha(image)
    image = _either(own % 2 == 0, lambda: _composited(image, background), lambda: image)
    colored = _channels_of(image) >= 3
    if channels == 1:
        return _either(colored, lambda: _luma(image[..., :3]), lambda: image[..., :1])
    return _either(
        colored, lambda: image[..., :3], lambda: tf.repeat(image[..., :1], repeats=3, axis=-1)
    )


def _channels_of(image: tf.Tensor) -> Any:
    """Returns a number where it is known, else a tensor."""
    return tf.shape(image)[-1] if image.shape[-1] is None else image.shape[-1]


def _either(condition: Any, yes: Callable[[], tf.Tensor], no: Callable[[], tf.Tensor]) -> tf.Tensor:
    """As `tf.cond`, which would also trace the branch for other shapes than are known."""
    if tf.is_tensor(condition):
        return tf.cond(condition, yes, no)
    return yes() if condition else no()


def _composited(image: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    """Lays a picture whose last channel is alpha over a background."""
    gray = len(set(background)) == 1
    levels = tf.cast(image, tf.float32)
    alpha = levels[..., -1:] / 255.0
    below = tf.constant(background[:1] if gray else background, tf.float32)
    mixed = alpha * levels[..., :-1] + (1.0 - alpha) * below
    return tf.cast(tf.round(mixed), tf.uint8) if image.dtype == tf.uint8 else mixed


def _luma(image: tf.Tensor) -> tf.Tensor:
    image = tf.ensure_shape(image, [None, None, 3])
    if image.dtype == tf.uint8:
        return tf.image.rgb_to_grayscale(image)
    # Whose weights add up to 0.9999, which bytes do not show.
    return tf.tensordot(image, LUMA, 1)[..., tf.newaxis]


def _with_alpha(image: tf.Tensor) -> tf.Tensor:
    own = _channels_of(image)
    color = with_channels(image[..., : own - 1 + own % 2], 3)
    opaque = tf.fill(tf.shape(image[..., :1]), tf.constant(255, image.dtype))
    alpha = _either(own % 2 == 0, lambda: image[..., -1:], lambda: opaque)
    color = tf.where(alpha > 0, color, tf.zeros([], image.dtype))
    return tf.ensure_shape(tf.concat([color, alpha], axis=-1), [None, None, 4])


def crop_and_resize(
    image: tf.Tensor, size: int, crop: int | None = None, method: str = "bicubic"
) -> tf.Tensor:
    """Cuts a square out of the middle and scales it, with anti-aliasing.

    Without anti-aliasing a picture that shrinks keeps single pixels and drops those between: false
    patterns, which a generator learns and FID sees. Of pictures with alpha each color counts as
    much as it is seen, so that what is hidden leaves no fringe.

    Args:
        image: uint8 or float32 in 0..255, `[height, width, channels]`; 4 channels are color and
            alpha.
        size: Height and width of the result in pixels, an integer >= 1.
        crop: Height and width of the square in pixels; `None` for the largest that there is.
        method: "bicubic", or "area" for means over areas.

    Returns:
        float32 in [-1, 1], `[size, size, channels]`.

    Reference:
        Parmar et al., "On Aliased Resizing and Surprising Subtleties in GAN Evaluation", CVPR 2022.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width) if crop is None else crop
    square = tf.image.crop_to_bounding_box(
        image, (height - side) // 2, (width - side) // 2, side, side
    )
    if square.shape[-1] == 4:
        return from_levels(_resized_with_alpha(tf.cast(square, tf.float32), size, method))
    return from_levels(_resized(square, size, method))


def from_levels(levels: tf.Tensor) -> tf.Tensor:
    """Scales levels to [-1, 1], and clips what is beyond.

    Args:
        levels: uint8, or float32 about 0..255, any shape.

    Returns:
        float32, same shape.
    """
    return tf.clip_by_value(tf.cast(levels, tf.float32) / 127.5 - 1.0, -1.0, 1.0)


def _resized(square: tf.Tensor, size: int, method: str) -> tf.Tensor:
    # The bicubic filter has negative lobes, which overshoot at edges.
    return tf.image.resize(square, [size, size], method=method, antialias=True)


def _resized_with_alpha(square: tf.Tensor, size: int, method: str) -> tf.Tensor:
    """Resizes colors weighted by alpha, then divides by it; what rounds to alpha 0 is black."""
    alpha = square[..., 3:]
    weighted = _resized(tf.concat([square[..., :3] * alpha / 255.0, alpha], axis=-1), size, method)
    # Not clipped yet: where alpha overshoots, so do the weighted colors.
    alpha = weighted[..., 3:]
    color = tf.where(alpha >= 0.5, tf.math.divide_no_nan(weighted[..., :3] * 255.0, alpha), 0.0)
    return tf.concat([color, alpha], axis=-1)


def check_size_and_channels(size: int | None, channels: int | None) -> None:
    """Refuses a size or a number of channels that no picture can have.

    Args:
        size: Height and width in pixels, an integer >= 1; `None` to leave pictures as they are.
        channels: 1 for gray, 3 for color, 4 for color and alpha; `None` to leave pictures as they
            are.

    Raises:
        ValueError: If either is anything else.
    """
    if size is not None:
        validation.integer("size", size, unit="pixels", fix="It is both height and width.")
    if channels is not None:
        fix = "Use 1 for gray, 3 for color, 4 for color and alpha."
        validation.choice("channels", channels, (1, 3, 4), fix=fix)


def checked_background(background: int | Sequence[int] | None) -> tuple[int, int, int]:
    """Returns a background's red, green and blue; white unless one is given.

    Args:
        background: A gray level or three, each an integer in 0..255; or `None`.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> checked_background(None), checked_background(0)
        ((255, 255, 255), (0, 0, 0))
    """
    if background is None:
        return WHITE
    levels = list(background) if isinstance(background, Sequence) else [background] * 3
    whole = [isinstance(x, (int, np.integer)) and not isinstance(x, bool) for x in levels]
    if len(levels) != 3 or not all(whole) or min(levels) < 0 or max(levels) > 255:
        raise ValueError(
            "`background` must be a gray level or red, green and blue, integers from 0 to 255. "
            f"Received: {background!r}. Use 255 for white, (255, 0, 0) for red."
        )
    red, green, blue = map(int, levels)
    return red, green, blue


def is_scaled(dtype: np.dtype) -> bool:
    """Returns whether black and white are known of such numbers: uint8 and floats."""
    return dtype == np.uint8 or np.issubdtype(dtype, np.floating)


def check_array(
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    points: bool = False,
    white: int | None = None,
) -> None:
    """Refuses arrays that hold no pictures, going by their shape and dtype alone.

    Args:
        name: What the array is called in the message: a file, or an argument.
        shape: The array's.
        dtype: The array's.
        points: Whether points, `[examples, dimensions]`, will do too.
        white: Which value is white in an array of other integers than uint8.

    Raises:
        TypeError: If the dtype is another than uint8 or floats, or needs a `white`.
        ValueError: If the shape is not that of pictures with their channels last, or `white` would
            do nothing.
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
    scaled = is_scaled(dtype)
    if white is not None and scaled:
        raise ValueError(
            "`white` is for arrays of more than 8 bits. Received: "
            f"white={white}, and dtype {dtype} in {name!r}. Leave it out: white is 255 in uint8 "
            "and 1 in floats."
        )
    if not scaled and (white is None or not np.issubdtype(dtype, np.integer)):
        raise TypeError(
            f"{name!r} must hold uint8 in 0..255 or floats in [-1, 1]. Received: dtype {dtype}. If "
            "the values are 0..255, use `numpy.asarray(images, numpy.uint8)`; if they have more "
            "bits, give the value of white: white=65535 for full 16 bits, white=4095 for 12 bits."
        )


def scaled_by_white(name: str, images: np.ndarray, white: int) -> np.ndarray:
    """Scales integers to [-1, 1].

    ::

        0..white  ->  2 x / white - 1

    Args:
        name: What the pictures are called in the message: a file, or an argument.
        images: Integers, any shape with at least one entry.
        white: Which value is white, an integer >= 1.

    Returns:
        float32, same shape.

    Raises:
        ValueError: If a value is negative, or above white.

    Example:
        >>> scaled_by_white("scans", np.array([0, 4095], np.uint16), 4095).tolist()
        [-1.0, 1.0]
    """
    low, high = images.min(), images.max()
    if low < 0 or high > white:
        raise ValueError(
            f"{name!r} must hold values from 0 to white={white}. Received: values from {low} to "
            f"{high}. Give the value that is white, such as white=65535 for full 16 bits."
        )
    return images.astype(np.float32) / np.float32(white) * np.float32(2) - np.float32(1)


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
    low, high = extremes(images)
    if not np.isfinite([low, high]).all():
        bad = not_finite(images)
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
    low, high = extremes(images)
    if low >= 0:
        warnings.warn(
            f"{name!r} has values from {low:g} to {high:g} only, where black is -1 and white is 1. "
            "If they were scaled to [0, 1], use `2 * images - 1`.",
            UserWarning,
            stacklevel=stacklevel,
        )


def extremes(images: np.ndarray) -> tuple[float, float]:
    """Returns the smallest and the largest value; NaN for both where there is one."""
    # Some releases of NumPy warn of NaN.
    with np.errstate(invalid="ignore"):
        return float(images.min()), float(images.max())


def not_finite(examples: np.ndarray) -> np.ndarray:
    """Returns the indices of the examples that hold NaN or infinity.

    Example:
        >>> not_finite(np.array([[0.0, 1.0], [np.nan, 0.0]])).tolist()
        [1]
    """
    return np.flatnonzero(~np.isfinite(examples).reshape(len(examples), -1).all(axis=1))
