"""What happens to every picture, whatever it comes from: channels, size, range."""

from typing import Any

import tensorflow as tf

from tfgan_stab.data import bitmaps

CHANNELS = (1, 3)


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


def decode(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG, JPEG, BMP or GIF file; of an animation, the first frame.

    Args:
        contents: The file's bytes, a string scalar.

    Returns:
        uint8 `[height, width, channels]` with the channels that the file has.

    Raises:
        tf.errors.InvalidArgumentError: If this is no picture, part of one, or a kind of BMP
            that is not supported.
    """
    image = tf.cond(
        bitmaps.is_bitmap(contents),
        lambda: bitmaps.decode(contents),
        lambda: tf.io.decode_image(contents, channels=0, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, None])


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
        channels: 1 or 3; `None` to leave pictures as they are.

    Raises:
        ValueError: If either is anything else.
    """
    if size is not None and (not _is_integer(size) or size < 1):
        raise ValueError(
            "`size` must be the height and width of the pictures in pixels, an integer >= 1. "
            f"Received: size={size!r}."
        )
    if channels is not None and (not _is_integer(channels) or channels not in CHANNELS):
        raise ValueError(
            f"`channels` must be 1 (gray) or 3 (color). Received: channels={channels!r}."
        )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
