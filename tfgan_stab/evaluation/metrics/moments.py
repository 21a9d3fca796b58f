"""Features -> statistics: mean and covariance that can be taken in pieces.

Scores see the features of a batch once and keep only `Moments`, which merge: over batches, over
halves of a data set, over replicas.
"""

import dataclasses
import functools

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.metrics.inputs import checked_array

# Rows per product of matrices: enough for full speed, 16 MB at 2,048 features.
_BLOCK = 1024


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
        return RunningMoments().add(features).moments

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

    @functools.cached_property
    def root(self) -> np.ndarray:
        """A factor A with `covariance = A A^T`, float64 `[features, rank]`; computed once.

        Directions whose variance is rounding, below `features * 2**-52` of the largest, are left
        out.

        Raises:
            ValueError: If there is only one sample.
        """
        variances, directions = np.linalg.eigh(self.covariance)
        kept = variances > len(variances) * np.finfo(np.float64).eps * max(variances[-1], 0.0)
        return directions[:, kept] * np.sqrt(variances[kept])


class RunningMoments:
    """Takes `Moments` of features that come in pieces of any size, in bounded memory.

    Rows wait until a block of 1,024 is full, whatever the pieces, and each block is added in place.
    At 2,048 features that takes about 85 MB, however many samples come.

    Example:
        >>> running = RunningMoments()
        >>> for piece in ([[0.0], [2.0]], [[4.0]]):
        ...     _ = running.add(piece)
        >>> running.moments.count, running.moments.covariance.tolist()
        (3, [[4.0]])
    """

    def __init__(self) -> None:
        self._block: np.ndarray | None = None
        self._waiting = 0
        self._count = 0

    @property
    def count(self) -> int:
        """Samples that have come."""
        return self._count + self._waiting

    def add(self, features: ArrayLike) -> "RunningMoments":
        """Takes more features `[samples, features]` in, and returns itself.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
            TypeError: If the values are not real numbers.
        """
        features = checked_array(features)
        size = features.shape[1]
        if self._block is None:
            self._block = np.empty([_BLOCK, size])
            self._mean = np.zeros(size)
            self._scatter, self._product = np.zeros([size, size]), np.empty([size, size])
        if size != len(self._mean):
            raise ValueError(
                "Moments merge only when taken from the same features. "
                f"Received: {len(self._mean)} and {size} features per sample."
            )
        taken = 0
        while taken < len(features):
            rows = features[taken : taken + _BLOCK - self._waiting]
            self._block[self._waiting : self._waiting + len(rows)] = rows
            self._waiting += len(rows)
            taken += len(rows)
            if self._waiting == _BLOCK:
                self._fold()
        return self

    @property
    def moments(self) -> Moments:
        """The moments of all that has come.

        Raises:
            ValueError: If nothing has.
        """
        self._fold()
        if not self._count:
            raise ValueError("Moments need at least 1 sample. Received: none. Score some images.")
        return Moments(self._count, self._mean.copy(), self._scatter.copy())

    def _fold(self) -> None:
        """Adds the waiting rows to mean and scatter."""
        if self._block is None or not self._waiting:
            return
        rows = self._block[: self._waiting]
        self._waiting = 0
        # Deviations from any one sample lose no digits to a common offset.
        first = rows[0].copy()
        rows -= first
        shift = rows.mean(axis=0)
        rows -= shift
        count = self._count + len(rows)
        delta = first + shift - self._mean
        self._scatter += np.matmul(rows.T, rows, out=self._product)
        between = delta * np.sqrt(self._count * (len(rows) / count))
        self._scatter += np.outer(between, between, out=self._product)
        # Exactly the first mean where there is none before.
        self._mean = self._mean + delta * (len(rows) / count)
        self._count = count
