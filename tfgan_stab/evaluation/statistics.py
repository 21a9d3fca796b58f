"""Features -> statistics: mean and covariance that can be gathered in pieces.

Scores see the features of a batch once and keep only `Moments`, which merge: over batches, over
halves of a data set, over replicas.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """How many features were seen, their mean and their scatter about it, in float64.

    Two sets of features merge without being seen again::

        delta = mean_b - mean_a
        mean  = mean_a + delta n_b / (n_a + n_b)
        M2    = M2_a + M2_b + delta delta^T n_a n_b / (n_a + n_b)

    Nothing is subtracted that is not small, so that an offset of 1e6 costs no digits.

    Args:
        count: Number of samples, an integer >= 1.
        mean: float64 `[features]`.
        scatter: float64 `[features, features]`, the sum of outer products of deviations from the
            mean. The source's M2.

    Example:
        >>> moments = Moments.of([[0.0, 1.0]]) + Moments.of([[2.0, 1.0], [4.0, 1.0]])
        >>> moments.count, moments.mean.tolist(), moments.covariance.tolist()
        (3, [2.0, 1.0], [[4.0, 0.0], [0.0, 0.0]])

    Reference:
        Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
        Variances", 1979, equations 2.1; here for vectors. Departures: none.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, features: ArrayLike) -> "Moments":
        """Returns the moments of finite real features `[samples, features]`, at least one sample.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
            TypeError: If the values are not real numbers.
        """
        features = _checked(features)
        # Deviations from any one sample lose no digits to a common offset.
        deviations = features - features[0]
        shift = deviations.mean(axis=0)
        deviations -= shift
        return cls(len(features), features[0] + shift, deviations.T @ deviations)

    def merge(self, other: "Moments") -> "Moments":
        """Returns the moments of both sets of features together.

        Raises:
            ValueError: If the numbers of features differ.
        """
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                "Moments merge only when taken from the same features. "
                f"Received: {self.mean.size} and {other.mean.size} features per sample."
            )
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        between = np.outer(delta, delta) * (self.count * (other.count / count))
        return Moments(count, mean, self.scatter + other.scatter + between)

    __add__ = merge

    @property
    def covariance(self) -> np.ndarray:
        """The unbiased covariance (divided by count - 1), float64 `[features, features]`.

        Raises:
            ValueError: If there is only one sample.
        """
        if self.count < 2:
            raise ValueError(
                f"A covariance needs at least 2 samples. Received: {self.count}. Score more images."
            )
        return self.scatter / (self.count - 1)


def _checked(features: ArrayLike) -> np.ndarray:
    """Returns features as float64, or says what is wrong with them."""
    array = np.asarray(features)
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        raise TypeError(f"Features must be real numbers. Received: dtype {array.dtype}.")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            "Features must have shape [samples, features], neither of them 0. "
            f"Received: shape {list(array.shape)}. Flatten or pool other axes first."
        )
    array = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        raise ValueError(
            f"Features must be finite. Received: NaN or infinity in {bad.size} of {len(array)} "
            f"samples, the first at index {bad[0]}. Look for NaN weights in the generator."
        )
    return array
