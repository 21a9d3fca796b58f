"""Arrays of features as every statistic takes them, or what is wrong with them."""

import numpy as np
from numpy.typing import ArrayLike


def checked_features(features: ArrayLike) -> np.ndarray:
    """Returns features as an array, of the type they came in.

    Args:
        features: Finite real numbers `[samples, features]`, neither of them 0.

    Raises:
        TypeError: If the values are not real numbers.
        ValueError: If the shape is another, or a value is not finite.
    """
    array = np.asarray(features)
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        raise TypeError(f"Features must be real numbers. Received: dtype {array.dtype}.")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            "Features must have shape [samples, features], neither of them 0. "
            f"Received: shape {list(array.shape)}. Flatten or pool other axes first."
        )
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        raise ValueError(
            f"Features must be finite. Received: NaN or infinity in {bad.size} of {len(array)} "
            f"samples, the first at index {bad[0]}. Look for NaN weights in the generator."
        )
    return array
