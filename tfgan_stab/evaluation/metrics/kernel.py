"""The kernel distance between two sets of features, which is KID's number."""

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.inputs import checked_pair


def kernel_distance(real: ArrayLike, fake: ArrayLike, max_block_size: int = 1024) -> Estimate:
    """How far two sets of features are apart, without bias at any number of samples; 0 is best.

    Both sets are cut, in order, into the same number of blocks. With the kernel
    `k(x, y) = (x . y / features + 1)^3`, a block of m real x and n fake y gives the unbiased::

        sum_{i != j} k(x_i, x_j) / (m (m - 1)) + sum_{i != j} k(y_i, y_j) / (n (n - 1))
            - 2 mean_{i, j} k(x_i, y_j)

    and the distance is the mean over blocks. It may be a little below 0, since it has no bias.

    Args:
        real: Features of real images, finite real numbers `[samples, features]`, in random order.
        fake: Features of generated images, likewise; the number of samples may differ.
        max_block_size: Most samples of a block, an integer >= 2. The larger set decides how many
            blocks there are; of each set the last blocks may have one sample more. Time grows with
            it, memory with its square.

    Returns:
        The distance, a float that knows its `.parts` (one per block) and `.standard_error`. With
        one block the standard error is NaN: a smaller `max_block_size` makes more.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, the numbers of features differ, or
            there are fewer than 2 samples to a block.
        TypeError: If values are not real numbers.
        OverflowError: If the features are too large for their cubes in float64.

    Example:
        >>> features = np.random.RandomState(0).normal(size=(400, 3))
        >>> distance = kernel_distance(features, features + 1.0, max_block_size=100)
        >>> round(distance, 1), round(distance.standard_error, 1)
        (9.8, 1.4)

    Reference:
        Binkowski et al., "Demystifying MMD GANs", 2018, section 4; the block estimator of Zaremba
        et al., "B-tests", 2013. Equal to TF-GAN's
        `kernel_classifier_distance_and_std_from_activations`, whose "std" is the standard error.
        Departures: always in float64; blocks too small for an estimate are refused, where TF-GAN
        returns NaN or infinity.
    """
    real, fake = checked_pair(real, fake)
    largest = max(len(real), len(fake))
    count = -(-largest // validation.integer("max_block_size", max_block_size, least=2))
    if min(len(real), len(fake)) < 2 * count:
        raise ValueError(
            f"Each of the {count} blocks needs at least 2 real and 2 fake samples. "
            f"Received: {len(real)} real and {len(fake)} fake samples with "
            f"max_block_size={max_block_size}. Take numbers that differ less, or larger blocks."
        )
    pairs = zip(_blocks(real, count), _blocks(fake, count), strict=True)
    with np.errstate(over="ignore", invalid="ignore"):
        estimate = Estimate.mean_of([_unbiased(*pair) for pair in pairs])
    if not np.isfinite(estimate.parts).all():
        raise OverflowError(
            "The features are too large for their cubes in float64. "
            f"Received: values up to {max(np.abs(real).max(), np.abs(fake).max()):.1e}. "
            "Scale them down; values up to 1e40 are safe."
        )
    return estimate


def _blocks(features: np.ndarray, count: int) -> list[np.ndarray]:
    """Cuts features into blocks, the larger ones last, as TF-GAN does."""
    size, rest = divmod(len(features), count)
    sizes = [size] * (count - rest) + [size + 1] * rest
    return np.split(features, np.cumsum(sizes)[:-1])


def _unbiased(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the squared maximum mean discrepancy of two blocks."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    between = _kernel(real, fake).mean()
    return (
        _mean_off_diagonal(_kernel(real, real))
        + _mean_off_diagonal(_kernel(fake, fake))
        - (2.0 * between)
    )


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first @ second.T / first.shape[1] + 1.0) ** 3


def _mean_off_diagonal(kernel: np.ndarray) -> float:
    count = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
