"""Statistics -> distance: the Frechet distance between two Gaussians, which is FID's number.

Both covariances are taken apart into factors, the real one by a symmetric eigendecomposition that
is kept, and what is needed of the root of their product are singular values: nothing can turn out
imaginary, and nothing is squared.
"""

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.moments import Moments


def frechet_distance(real: ArrayLike, fake: ArrayLike) -> Estimate:
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
        Departures: directions without variance, which TF-GAN tells by an absolute 1e-10, are told
        by the largest variance, so that features of any scale give the right number; round-off
        below 0 is 0.
    """
    return frechet_distance_from_moments(Moments.of(real), Moments.of(fake))


def frechet_distance_from_moments(real: Moments, fake: Moments) -> Estimate:
    """`frechet_distance` of features of which only the moments were kept.

    The root of the real covariance is kept with the moments: every further distance from the same
    `real` saves taking it, and the moments.

    Raises:
        ValueError: If the numbers of features differ, or a side has fewer than 2 samples.
        OverflowError: If the features are too large for a covariance in float64.

    Example:
        >>> from tfgan_stab.evaluation.metrics.moments import Moments
        >>> real, fake = Moments.of([[0.0], [2.0]]), Moments.of([[4.0], [6.0]])
        >>> round(frechet_distance_from_moments(real, fake), 6)
        16.0
    """
    if real.mean.shape != fake.mean.shape:
        raise ValueError(
            "Real and fake features must come from the same extractor. "
            f"Received: {real.mean.size} and {fake.mean.size} features per sample."
        )
    variance = np.trace(real.covariance) + np.trace(fake.covariance)
    shift = np.sum((real.mean - fake.mean) ** 2)
    if not np.isfinite(variance + shift):
        raise OverflowError(
            "The features are too large for a covariance in float64. Scale them down; values up to "
            "1e100 are safe."
        )
    return Estimate.clipped_at_zero(float(shift + variance - 2.0 * _root_trace(real, fake)))


def _root_trace(real: Moments, fake: Moments) -> float:
    """Returns Tr (C1 C2)^1/2 as the sum of the singular values of A^T B, C1 = A A^T, C2 = B B^T.

    The eigenvalues of A^T C2 A, whose roots these are, would be quicker to have; but they are
    squares, and the small ones among them would be lost in the rounding of the largest.
    """
    if not (np.trace(real.covariance) and np.trace(fake.covariance)):
        return 0.0
    return float(np.linalg.svd(real.root.T @ _factor(fake), compute_uv=False).sum())


def _factor(moments: Moments) -> np.ndarray:
    """Returns B with `covariance = B B^T`: by Cholesky, which is quick, unless it is singular."""
    covariance = moments.covariance
    try:
        lower = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return moments.root
    rounding = len(covariance) * np.finfo(np.float64).eps * np.max(np.diag(covariance))
    return lower if np.min(np.diag(lower)) ** 2 > rounding else moments.root
