"""What metrics take for features, and what extractors take for images; anything else is refused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_ROWS = 4096  # Checked at a time, so that a check costs no copy of everything.
# Generators end in tanh; resizing and half precision may overshoot its range by a rounding error.
_RANGE_SLACK = 1e-3


def checked_features(features: ArrayLike, name: str = "Features") -> np.ndarray:
    """Returns features as float64, or says what is wrong with them.

    Args:
        features: Finite real numbers `[samples, features]`, neither of them 0.
        name: What messages call them.

    Raises:
        ValueError: If the shape is another, or a value is not finite.
        TypeError: If the values are not real numbers.

    Example:
        >>> checked_features([[1, 2]]).dtype.name
        'float64'
    """
    return checked_array(features, name).astype(np.float64, copy=False)


def checked_pair(real: ArrayLike, fake: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns real and fake features of one extractor, each in the precision it came in.

    Nothing is converted: metrics take float64 of a block at a time, so that large float32 features
    are never held twice.

    Args:
        real: Finite real numbers `[samples, features]`.
        fake: The same number of features; samples may differ.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, or the numbers of features differ.
        TypeError: If values are not real numbers.

    Example:
        >>> real, fake = checked_pair([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]])
        >>> len(real), len(fake)
        (1, 2)
    """
    real, fake = checked_array(real, "Real features"), checked_array(fake, "Fake features")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            "Real and fake features must come from the same extractor. "
            f"Received: {real.shape[1]} and {fake.shape[1]} features per sample."
        )
    return real, fake


def checked_array(features: ArrayLike, name: str = "Features") -> np.ndarray:
    """Returns features in the precision they came in, or says what is wrong with them.

    Raises:
        ValueError: If the shape is not `[samples, features]`, or a value is not finite.
        TypeError: If the values are not real numbers.
    """
    array = np.asarray(features)
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        raise TypeError(
            f"{name} must be real numbers. Received: dtype {array.dtype}. Convert them to float32."
        )
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"{name} must have shape [samples, features], neither of them 0. "
            f"Received: shape {list(array.shape)}. Flatten or pool other axes first."
        )
    bad = _rows_not_finite(array)
    if bad.size:
        raise ValueError(
            f"{name} must be finite. Received: NaN or infinity in {bad.size} of {len(array)} "
            f"samples, the first at index {bad[0]}. Look for NaN weights in the generator."
        )
    return array


def blocks(samples: int, size: int) -> Iterator[slice]:
    """Yields slices that cover `samples` rows in order, `size` rows each, the last maybe fewer.

    Example:
        >>> list(blocks(5, 3))
        [slice(0, 3, None), slice(3, 5, None)]
    """
    for start in range(0, samples, size):
        yield slice(start, min(start + size, samples))


def _rows_not_finite(array: np.ndarray) -> np.ndarray:
    """Returns the indices of rows that float64 cannot hold as finite numbers."""
    if array.dtype.kind in "iu":
        return np.empty(0, np.intp)
    with np.errstate(over="ignore"):  # Of long doubles; the infinity they become is what is asked.
        finite = [
            np.isfinite(array[rows].astype(np.float64)).all(axis=1)
            for rows in blocks(len(array), _ROWS)
        ]
    return np.flatnonzero(~np.concatenate(finite))


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
        fix = "Choose the channels to score, or use an extractor of your own."
        if array.ndim == 4 and array.shape[3] == 4:
            fix = (
                "If the last is alpha, write the images to PNG files with scripts/sample.py and "
                "score that folder, which is read on white; load real pictures with channels=3."
            )
        raise ValueError(
            "This extractor takes images [batch, height, width, channels] of 1 or 3 channels. "
            f"Received: shape {list(array.shape)}. {fix}"
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
