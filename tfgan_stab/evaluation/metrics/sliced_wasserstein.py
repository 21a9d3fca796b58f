"""The sliced Wasserstein distance: sets of features compared along random directions."""

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.metrics.inputs import blocks, checked_count, checked_pair

_ROWS = 4096  # Samples taken to float64 at a time.
_DIRECTIONS = 32  # Projections sorted at a time.


def sliced_wasserstein(
    real: ArrayLike, fake: ArrayLike, projections: int = 128, seed: int = 0
) -> float:
    """How far two sets of features are apart along random directions; 0 is best.

    The mean over random unit directions of the Wasserstein-1 distance between the projected sets.
    In one dimension that is the area between quantile functions; of equally many samples, the mean
    distance of sorted values::

        mean_direction mean_i |sorted(real . direction)_i - sorted(fake . direction)_i|

    Args:
        real: Features of real images, finite real numbers `[samples, features]`.
        fake: Features of generated images, likewise. The number of samples may differ: the area is
            then taken exactly, over all steps of both quantile functions.
        projections: Number of directions, an integer >= 1: more, less noise.
        seed: Of the directions, an integer in [0, 2^32). One seed gives one number.

    Returns:
        The distance in units of the features, >= 0. It grows as samples get fewer: compare equal
        numbers.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, or the numbers of features differ.
        TypeError: If values are not real numbers.
        OverflowError: If the features are too large for their projections in float64.

    Example:
        >>> sliced_wasserstein([[0.0], [1.0]], [[3.0], [2.0]])
        2.0

    Reference:
        Rabin et al., "Wasserstein Barycenter and Its Application to Texture Mixing", 2011; TF-GAN's
        `_sliced_wasserstein`, with which it agrees for the same directions. Departures: float64;
        sets of different sizes.
    """
    real, fake = checked_pair(real, fake)
    directions = unit_directions(real.shape[1], checked_count("projections", projections), seed)
    return distance_along(real, fake, directions)


def unit_directions(features: int, count: int, seed: int) -> np.ndarray:
    """Returns random unit vectors, evenly spread over all directions, float64 `[features, count]`.

    Example:
        >>> bool(np.allclose(np.linalg.norm(unit_directions(3, 5, seed=0), axis=0), 1.0))
        True
    """
    # RandomState's stream is frozen, Generator's may change with NumPy's version.
    directions = np.random.RandomState(seed).normal(size=(features, count))
    return directions / np.linalg.norm(directions, axis=0)


def distance_along(real: np.ndarray, fake: np.ndarray, directions: np.ndarray) -> float:
    """Returns the mean Wasserstein-1 distance of checked features along directions.

    Args:
        real: Real numbers `[samples, features]`.
        fake: Likewise.
        directions: float64 `[features, count]`.

    Raises:
        OverflowError: If a projection is not finite in float64.
    """
    total = 0.0
    for columns in blocks(directions.shape[1], _DIRECTIONS):
        some = directions[:, columns]
        with np.errstate(over="ignore", invalid="ignore"):
            total += _areas(_sorted(real, some), _sorted(fake, some)).sum()
    if not np.isfinite(total):
        raise OverflowError(
            "The features are too large for their projections in float64. Received: a distance of "
            f"{total}. Scale them down; values up to 1e300 are safe."
        )
    return float(total / directions.shape[1])


def _sorted(features: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Returns the projections, each direction's in order, float64 `[directions, samples]`."""
    projected = np.empty((directions.shape[1], len(features)))
    for rows in blocks(len(features), _ROWS):
        projected[:, rows] = directions.T @ features[rows].astype(np.float64).T
    projected.sort(axis=1)
    return projected


def _areas(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Returns the area between quantile functions, for each row of sorted values."""
    if real.shape == fake.shape:
        return np.abs(real - fake).mean(axis=1)
    count, other = real.shape[1], fake.shape[1]
    # Where either function steps, in units of 1 / (count * other), which whole numbers hold.
    steps = np.union1d(np.arange(1, count + 1) * other, np.arange(1, other + 1) * count)
    widths = np.diff(steps, prepend=0) / (count * other)
    gaps = np.abs(real[:, (steps - 1) // other] - fake[:, (steps - 1) // count])
    return gaps @ widths
