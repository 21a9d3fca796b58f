"""Statistics -> distance: the Frechet distance between two Gaussians, which is FID's number.

The trace of the matrix root is TF-GAN's, in float64; what surrounds it (checks, scale, clipping) is
here.
"""

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation import tfgan
from tfgan_stab.evaluation.statistics import Moments

# TF-GAN takes no root of eigenvalues below an absolute 1e-10. At a mean variance of 1e4 that is
# 1e-14 of the mean variance: what float64 rounding leaves of a zero.
_MEAN_VARIANCE = 1e4


def frechet_distance(real: ArrayLike, fake: ArrayLike) -> float:
    """How far two sets of features are apart, each taken as a Gaussian; 0 is best.

    With mean m and unbiased covariance C of each set::

        |m_real - m_fake|^2 + Tr(C_real + C_fake - 2 (C_real C_fake)^1/2)

    Args:
        real: Features of real images, real numbers `[samples, features]`, at least 2 samples.
        fake: Features of generated images, the same number of features; samples may differ.

    Returns:
        The distance in squared units of the features, never negative.

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


def frechet_distance_from_moments(real: Moments, fake: Moments) -> float:
    """`frechet_distance` of features of which only the moments were kept.

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
    # Round-off may leave a tiny negative number where both sides agree.
    return float(max(shift + spread - 2.0 * _root_trace(real.covariance, fake.covariance), 0.0))


def _root_trace(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Tr (C1 C2)^1/2; the root is homogeneous, so that each side may have its own unit."""
    units = [
        np.trace(covariance) / len(covariance) / _MEAN_VARIANCE for covariance in (first, second)
    ]
    if min(units) == 0.0:
        return 0.0
    root = tfgan.evaluation().classifier_metrics.trace_sqrt_product
    return float(root(first / units[0], second / units[1])) * float(np.sqrt(units[0] * units[1]))
