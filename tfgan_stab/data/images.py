"""What happens to every picture, whatever it comes from."""

import tensorflow as tf


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
