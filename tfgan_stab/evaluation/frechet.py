"""Statistics -> distance: the Frechet distance between two Gaussians, which is FID's number.

One symmetric eigendecomposition on the real side, kept, and the eigenvalues of one symmetric matrix
for each score: nothing can turn out imaginary.
"""

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.statistics import Moments


class FrechetDistance(float):
    """A distance, never negative, that knows what rounding took from it.

    Attributes:
        clipped: How far below 0 rounding had put it, in squared units of the features; 0 where it
            was not.
    """

    clipped: float

    def __new__(cls, value: float) -> "FrechetDistance":
        """Returns `value`, or 0 where it is below."""
        distance = super().__new__(cls, max(value, 0.0))
        distance.clipped = max(-value, 0.0)
        return distance


def frechet_distance(real: ArrayLike, fake: ArrayLike) -> FrechetDistance:
    """How far two sets of features are apart, each taken as a Gaussian; 0 is best.

    With mean m and unbiased covariance C of each set::

        |m_real - m_fake|^2 + Tr(C_real + C_fake - 2 (C_real C_fake)^1/2)

    Args:
        real: Features of real images, real numbers `[samples, features]`, at least 2 samples.
        fake: Features of generated images, the same number of features; samples may differ.

    Returns:
        The distance in squared units of the features, a float that is never negative; its `clipped`
        is what rounding had put it below 0.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, or the numbers of features differ.
        TypeError: If values are not real numbers.

    Example:
        >>> import numpy as np
        >>> features = np.random.default_rng(0).normal(size=(500, 3))
        >>> round(frechet_distance(features, features + 1.0), 6)
        3.0

    Reference:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium", 2017, equation 6; equal to TF-GAN's
        `frechet_classifier_distance_from_activations`.
        Departures: computed in units in which the root is safe, so that features of any scale give
        the right number; round-off below 0 is 0.
    """
    return frechet_distance_from_moments(Moments.of(real), Moments.of(fake))


def frechet_distance_from_moments(real: Moments, fake: Moments) -> FrechetDistance:
    """`frechet_distance` of features of which only the moments were kept.

    The root of the real covariance is kept with the moments: every further distance from the same
    `real` saves about half of the time.

    Raises:
        ValueError: If the numbers of features differ, or a side has fewer than 2 samples.
        OverflowError: If the features are too large for a covariance in float64.

    Example:
        >>> from tfgan_stab.evaluation.statistics import Moments
        >>> real, fake = Moments.of([[0.0], [2.0]]), Moments.of([[4.0], [6.0]])
        >>> round(frechet_distance_from_moments(real, fake), 6)
        16.0
    """
    if real.mean.shape != fake.mean.shape:
        raise ValueError(
            "Real and fake features must come from the same extractor. "
            f"Received: {real.mean.size} and {fake.mean.size} features per sample."
        )
    spread = np.trace(real.covariance) + np.trace(fake.covariance)
    shift = np.sum((real.mean - fake.mean) ** 2)
    if not np.isfinite(spread + shift):
        raise OverflowError(
            "The features are too large for a covariance in float64. Scale them down; values up to "
            "1e100 are safe."
        )
    return FrechetDistance(float(shift + spread - 2.0 * _root_trace(real, fake)))


def _root_trace(real: Moments, fake: Moments) -> float:
    """Returns Tr (C1 C2)^1/2 = sum of the roots of the eigenvalues of A^T C2 A, where C1 = A A^T.

    The product may leave the range of float64 where its root does not: each side has its own unit.
    """
    units = [np.trace(moments.covariance) for moments in (real, fake)]
    if min(units) == 0.0:
        return 0.0
    root = real.root / np.sqrt(units[0])
    squares = np.linalg.eigvalsh(root.T @ (fake.covariance / units[1]) @ root)
    # Eigenvalues that are 0 come out as rounding, whose roots would not be small.
    least = len(squares) * np.finfo(np.float64).eps * squares[-1]
    roots = np.sqrt(squares[squares > max(least, 0.0)])
    return float(np.sum(roots) * np.sqrt(units[0]) * np.sqrt(units[1]))
