"""Precision, recall, density and coverage: who lies among whose nearest neighbors.

No matrix of all distances is ever held: pieces of it come and go, in float64.
"""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.metrics.inputs import blocks, checked_pair

_ROWS = 1024  # Samples taken to float64 at a time.


class SampleQuality(NamedTuple):
    """How good and how various generated features are, each beside the real ones.

    Attributes:
        precision: Share of fake samples that lie in the ball of a real sample, in [0, 1].
        recall: Share of real samples that lie in the ball of a fake sample, in [0, 1].
        density: In how many balls of real samples a fake sample lies, on average, divided by the
            number of neighbors: 1 where fake is like real, and it can be more.
        coverage: Share of real samples whose ball holds a fake sample, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(
    real: ArrayLike, fake: ArrayLike, neighbors: int = 3, chunk: int = 1024
) -> SampleQuality:
    """How many fakes look real (precision, density), and how much of the real they show.

    The ball of a sample reaches to its k-th nearest neighbor within its own set, itself left out::

        precision = mean_j [some i: |fake_j - real_i| <= radius(real_i)]
        recall    = mean_i [some j: |real_i - fake_j| <= radius(fake_j)]
        density   = mean_j (number of i: |fake_j - real_i| <= radius(real_i)) / k
        coverage  = mean_i [some j: |fake_j - real_i| <= radius(real_i)]

    Args:
        real: Features of real images, finite real numbers `[samples, features]`.
        fake: Features of generated images, likewise; the number of samples may differ. Scores of
            different numbers of samples do not compare.
        neighbors: k, an integer >= 1 and less than the samples of either side.
        chunk: Samples of either side whose distances are held at a time, an integer >= 1: memory
            and speed, not result.

    Returns:
        The four shares by name.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, the numbers of features differ, or
            a side has no more samples than `neighbors`.
        TypeError: If values are not real numbers.

    Example:
        >>> features = np.random.RandomState(0).normal(size=(50, 4))
        >>> precision_recall(features, features + 100.0)
        SampleQuality(precision=0.0, recall=0.0, density=0.0, coverage=0.0)

    Reference:
        Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models",
        2019, equation 1 (precision, recall); Naeem et al., "Reliable Fidelity and Diversity Metrics
        for Generative Models", 2020, section 3 (density, coverage; they use k = 5).
        Departures: balls are closed in all four, so that a copy of a sample lies in its ball even
        at radius 0; the authors' code leaves the edge out of density and coverage (from memory),
        which counts only where a fake is at the very distance of a neighbor, as a copy is.
        Distances within rounding of a radius, about 1e-6 of the features' range for a radius of 0
        and far less for others, count as equal to it.
    """
    real, fake = checked_pair(real, fake)
    least = min(len(real), len(fake))
    if least <= validation.integer("neighbors", neighbors):
        raise ValueError(
            f"With neighbors={neighbors} each side needs at least {neighbors + 1} samples. "
            f"Received: {len(real)} real and {len(fake)} fake samples. Score more images."
        )
    validation.integer("chunk", chunk)
    frame = _frame(real, fake)
    return _shares(_Points(real, frame), _Points(fake, frame), neighbors, chunk)


class _Points:
    """Features seen from a common center in a common unit, in float64 a block at a time."""

    def __init__(self, features: np.ndarray, frame: tuple[np.ndarray, int]) -> None:
        self._features = features
        self._center, self._exponent = frame
        self.count = len(features)
        # Rounding of |x|^2 + |y|^2 - 2 x.y is below this share of |x|^2 + |y|^2.
        self._slack = (features.shape[1] + 8) * np.finfo(np.float64).eps
        self.squares = np.concatenate(
            [np.einsum("nd,nd->n", rows, rows) for rows in map(self.block, self.blocks(_ROWS))]
        )

    def blocks(self, size: int) -> list[slice]:
        return list(blocks(self.count, size))

    def block(self, rows: slice) -> np.ndarray:
        # By a power of two, so that equal distances stay equal.
        return np.ldexp(self._features[rows].astype(np.float64), -self._exponent) - self._center

    def distances(
        self, rows: slice, others: "_Points", columns: slice, rounding: int
    ) -> np.ndarray:
        """Returns squared distances `[rows, columns]`, rounded up (1) or down (-1) for certain."""
        squared = self.block(rows) @ others.block(columns).T
        squared *= -2.0
        stretch = 1.0 + rounding * self._slack
        squared += stretch * self.squares[rows, None]
        squared += stretch * others.squares[None, columns]
        return squared

    def radii(self, neighbors: int, chunk: int) -> np.ndarray:
        """Returns the squared distance of each point to its k-th neighbor, rounded up."""
        nearest = np.full((self.count, neighbors), np.inf)
        for rows, columns in itertools.combinations_with_replacement(self.blocks(chunk), 2):
            squared = self.distances(rows, self, columns, rounding=1)
            if rows == columns:
                np.fill_diagonal(squared, np.inf)  # Nobody is a neighbor of itself.
            else:
                _keep_least(nearest[columns], squared.T)
            _keep_least(nearest[rows], squared)
        return nearest.max(axis=1)


def _keep_least(least: np.ndarray, others: np.ndarray) -> None:
    """Replaces each row of `least` by as many of the least values of it and `others`."""
    count = least.shape[1]
    both = np.concatenate([least, others], axis=1)
    both.partition(count - 1, axis=1)
    least[:] = both[:, :count]


def _frame(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the center of the real features, and the power of two that all are divided by.

    In its unit squares neither overflow nor vanish; from the center they are small, and so is their
    rounding.
    """
    largest = max(
        float(np.abs(side[rows].astype(np.float64)).max())
        for side in (real, fake)
        for rows in _all(side)
    )
    exponent = int(np.frexp(largest)[1])
    total = sum(
        np.ldexp(real[rows].astype(np.float64), -exponent).sum(axis=0) for rows in _all(real)
    )
    return total / len(real), exponent


def _all(features: np.ndarray) -> list[slice]:
    return list(blocks(len(features), _ROWS))


def _shares(real: _Points, fake: _Points, neighbors: int, chunk: int) -> SampleQuality:
    real_radii, fake_radii = real.radii(neighbors, chunk), fake.radii(neighbors, chunk)
    precise = np.zeros(fake.count, bool)
    balls = np.zeros(real.count, bool)  # Of real samples, those whose ball holds a fake one.
    reached = np.zeros(real.count, bool)  # Of real samples, those in the ball of a fake one.
    inside = 0
    for rows, columns in itertools.product(fake.blocks(chunk), real.blocks(chunk)):
        squared = fake.distances(rows, real, columns, rounding=-1)
        within = squared <= real_radii[None, columns]
        precise[rows] |= within.any(axis=1)
        balls[columns] |= within.any(axis=0)
        reached[columns] |= (squared <= fake_radii[rows, None]).any(axis=0)
        inside += int(within.sum())
    return SampleQuality(
        precision=float(precise.mean()),
        recall=float(reached.mean()),
        density=inside / (neighbors * fake.count),
        coverage=float(balls.mean()),
    )
