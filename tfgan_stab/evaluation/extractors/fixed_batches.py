"""Feeds networks batches of one size only, so that an image's features never depend on its batch.

The last batch is filled up and the surplus dropped: the network runs the same computation on each
image each time, and its graph is traced once.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf


def in_fixed_batches(
    forward: Callable[[tf.Tensor], Any], images: np.ndarray, batch_size: int
) -> np.ndarray:
    """Returns `forward`'s features of all images, calling it with full batches only.

    Args:
        forward: Takes a tensor `[batch_size, ...]`, returns numbers `[batch_size, features]`.
        images: `[samples, ...]`, at least one.
        batch_size: Images per call, an integer >= 1.

    Returns:
        Features `[samples, features]`, in single or double precision.

    Raises:
        ValueError: If `forward` does not return one number `[batch, features]` each.
        TypeError: If it returns anything but real numbers.

    Example:
        >>> in_fixed_batches(lambda x: 2 * x, np.ones([3, 2]), batch_size=2).tolist()
        [[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]
    """
    return outputs_in_fixed_batches(lambda batch: [forward(batch)], images, batch_size)[0]


def outputs_in_fixed_batches(
    forward: Callable[[tf.Tensor], Iterable[Any]], images: np.ndarray, batch_size: int
) -> list[np.ndarray]:
    """Returns each of `forward`'s outputs for all images, calling it with full batches only.

    Like `in_fixed_batches`, for a network of several outputs `[batch_size, features]`.
    """
    pieces = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        padding = [(0, batch_size - len(batch))] + [(0, 0)] * (images.ndim - 1)
        outputs = forward(tf.constant(np.pad(batch, padding)))
        pieces.append([_checked(output, batch_size)[: len(batch)] for output in outputs])
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _checked(output: Any, batch_size: int) -> np.ndarray:
    try:
        features = np.asarray(output)
    except ValueError:  # Several outputs of different sizes.
        features = np.empty(0, object)
    if features.ndim != 2 or len(features) != batch_size:
        received = f"shape {list(features.shape)}"
        if isinstance(output, (list, tuple, dict)):
            received = f"a {type(output).__name__} of {len(output)}"
        raise ValueError(
            f"An extractor must return features [{batch_size}, features] for {batch_size} "
            f"images. Received: {received}. Pool or flatten its output, choose one of several."
        )
    return _as_floats(features)


def _as_floats(features: np.ndarray) -> np.ndarray:
    if features.dtype in (np.float32, np.float64):
        return features
    if features.dtype.kind == "f" or features.dtype.name == "bfloat16":
        return features.astype(np.float32)
    if features.dtype.kind not in "iub":
        raise TypeError(
            f"Features must be real numbers. Received: dtype {features.dtype}. Return their "
            "parts, or their codes, as floats."
        )
    return features.astype(np.float64)
