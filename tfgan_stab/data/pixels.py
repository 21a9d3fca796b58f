"""The values of pictures: finite and in [-1, 1], as every network here expects; and as bytes."""

import warnings

import numpy as np


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


def _extremes(images: np.ndarray) -> tuple[float, float]:
    # NaN comes through both; some releases of NumPy say so in a warning.
    with np.errstate(invalid="ignore"):
        return float(images.min()), float(images.max())
