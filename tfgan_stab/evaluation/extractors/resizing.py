"""Brings images to the size a network wants, in the two ways that published scores use.

Scores depend on it: the same images, resized in the other way, score otherwise.
"""

from typing import Any

import tensorflow as tf

from tfgan_stab._utils import validation

MODES = ("tf1", "clean")


def resized(images: Any, size: int, mode: str) -> tf.Tensor:
    """Returns images of `size` x `size` pixels; the aspect ratio is not kept.

    "tf1" is the bilinear interpolation of TensorFlow 1, which most published scores in TensorFlow
    were taken with. Output pixel i lies at input `i * old / new`, between two neighbours; where
    images become smaller, the pixels in between count for nothing (aliasing).

    "clean" is the bicubic interpolation of the Pillow library on single channels of floats, as
    clean-fid uses it: output pixel i lies at input `(i + 1/2) * old / new - 1/2`, the kernel
    (a = -1/2) is as wide as an output pixel where images become smaller (anti-aliasing). It
    overshoots at edges; what leaves [-1, 1] is clipped, as clean-fid clips to [0, 255].

    A graph, traced once for each shape of images.

    Args:
        images: Floats `[batch, height, width, channels]` in [-1, 1]; computed in float32.
        size: Height and width of the result in pixels, an integer >= 1.
        mode: "tf1" or "clean".

    Returns:
        float32 `[batch, size, size, channels]`.

    Raises:
        TypeError: If the images are no floats.
        ValueError: If `mode` is unknown, `size` is no integer or out of range, or the images have
            another shape.

    Example:
        >>> resized([[[[-1.0], [1.0]]]], 4, "tf1")[0, 0, :, 0].numpy().tolist()
        [-1.0, 0.0, 1.0, 1.0]

    Reference:
        Parmar, Zhang and Zhu, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation",
        2022. Departures: "clean" agrees with Pillow to about 1e-4, by TensorFlow's anti-aliasing.
    """
    if mode not in MODES:
        raise ValueError(f"`mode` must be 'tf1' or 'clean'. Received: {mode!r}.")
    validation.integer("size", size)
    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating:
        raise TypeError(
            f"Images must be floats in [-1, 1]. Received: dtype {images.dtype.name}. "
            "Scale bytes as x / 127.5 - 1."
        )
    if images.shape.rank != 4:
        raise ValueError(
            "Images must have shape [batch, height, width, channels]. "
            f"Received: shape {images.shape}."
        )
    return _resized(tf.cast(images, tf.float32), size, mode)


@tf.function(autograph=False)
def _resized(images: tf.Tensor, size: int, mode: str) -> tf.Tensor:
    if mode == "tf1":
        # What tf.compat.v1.image.resize_bilinear calls, without its warning of its own age.
        return tf.raw_ops.ResizeBilinear(
            images=images, size=[size, size], align_corners=False, half_pixel_centers=False
        )
    wide = tf.image.resize(images, [size, size], method="bicubic", antialias=True)
    return tf.clip_by_value(wide, -1.0, 1.0)
