"""What extractors take for images, and what they say of anything else."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Generators end in tanh; resizing and half precision may overshoot its range by a rounding error.
_RANGE_SLACK = 1e-3


def checked_images(images: ArrayLike) -> np.ndarray:
    """Returns a batch of images as float32, or says what is wrong with it.

    Args:
        images: Floats `[batch, height, width, channels]` in [-1, 1], or points `[batch, size]`; an
            array, a tensor or nested lists, of half, single or double precision.

    Raises:
        TypeError: If the values are not floats, or not known yet.
        ValueError: If the shape is another, a value is not finite, or an image leaves [-1, 1].

    Example:
        >>> checked_images([[0.5, -3.0]]).dtype
        dtype('float32')
    """
    array = _as_array(images)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise TypeError(
            f"Images must be floats in [-1, 1]. Received: dtype {array.dtype}. "
            "Scale bytes as x / 127.5 - 1."
        )
    if array.ndim not in (2, 4) or 0 in array.shape:
        raise ValueError(
            "Images must have shape [batch, height, width, channels] (points: [batch, size]), "
            f"without an empty axis. Received: shape {list(array.shape)}."
        )
    _check_finite(array)
    if array.ndim == 4 and np.abs(array).max() > 1.0 + _RANGE_SLACK:
        raise ValueError(
            f"Images must lie in [-1, 1]. Received: values in [{float(array.min()):.4g}, "
            f"{float(array.max()):.4g}]. Scale them, or end the generator with tanh."
        )
    with np.errstate(over="ignore"):  # Points too far out become infinite, and are refused.
        array = array.astype(np.float32)
    _check_finite(array)
    return array


def checked_color_images(images: ArrayLike) -> np.ndarray:
    """Returns images as float32 with three channels, one channel being repeated.

    Args:
        images: Floats `[batch, height, width, 1 or 3]` in [-1, 1].

    Raises:
        TypeError: If the values are not floats.
        ValueError: As for `checked_images`, and for other numbers of channels, and for points.

    Example:
        >>> checked_color_images([[[[0.25]]]]).tolist()
        [[[[0.25, 0.25, 0.25]]]]
    """
    array = checked_images(images)
    if array.ndim != 4 or array.shape[3] not in (1, 3):
        raise ValueError(
            "This extractor takes images [batch, height, width, channels] of 1 or 3 channels. "
            f"Received: shape {list(array.shape)}. Choose the channels to score, or use an "
            "extractor of your own."
        )
    return np.repeat(array, 3, axis=3) if array.shape[3] == 1 else array


def _as_array(images: Any) -> np.ndarray:
    try:
        return np.asarray(images)
    except NotImplementedError as error:  # What a tensor of a graph under construction raises.
        raise TypeError(
            f"Images must be values. Received: {images!r}, which has none yet. Call the extractor "
            "outside tf.function."
        ) from error
    except ValueError as error:
        raise ValueError(
            "Images must form one array, all of one height, width and number of channels. "
            f"Received: {type(images).__name__} of different sizes. Resize or crop them."
        ) from error


def _check_finite(array: np.ndarray) -> None:
    finite = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"Images must be finite. Received: NaN or infinity in {np.count_nonzero(~finite)} of "
            f"{len(array)} images. If a generator made them, its weights have diverged."
        )
