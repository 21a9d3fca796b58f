"""How alike generated images are to each other: MS-SSIM over pairs, low where they are various."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.inputs import blocks, checked_images

# Of the five scales, finest first, and the filter's size in pixels; both from Wang et al. 2003.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_FILTER = 11
_VALUES = 2**20  # Numbers in the images that are compared at a time.


class SimilarityScales(NamedTuple):
    """At which scales images of one size are compared.

    Attributes:
        levels: Number of scales, each half as fine as the one before, 1 to 5.
        filter_size: Side of the Gaussian filter in pixels, odd, 3 to 11.
    """

    levels: int
    filter_size: int

    @property
    def weights(self) -> tuple[float, ...]:
        """Exponents of the scales, finest first; they add up to 1."""
        used = _WEIGHTS[: self.levels]
        return tuple(weight / sum(used) for weight in used)


class PairSimilarity(NamedTuple):
    """How alike generated images are.

    Attributes:
        value: Mean MS-SSIM over pairs, in [0, 1], with its `.parts` and `.standard_error`.
        scales: What images of this size are compared at; numbers of other scales do not compare.
    """

    value: Estimate
    scales: SimilarityScales


def ms_ssim(images: ArrayLike, pairs: int | None = None, seed: int = 0) -> PairSimilarity:
    """How alike generated images are to each other: lower is more various, 1 is all the same.

    The mean multi-scale structural similarity over random pairs, no image in two of them. Real
    images tell what to expect: more than theirs is a sign of collapse. Meant for images of one
    class.

    Args:
        images: Generated images, floats `[samples, height, width, channels]` in [-1, 1], at least 2
            of at least 3 pixels a side.
        pairs: How many pairs, an integer from 1 to half of the samples; by default that half.
        seed: Of the pairs, an integer in [0, 2^32). One seed gives one number.

    Returns:
        The mean over pairs, and the scales: five with a filter of 11 pixels from 176 pixels on,
        fewer below (their weights scaled to add up to 1), and below 11 pixels one scale with the
        largest odd filter that fits.

    Raises:
        ValueError: If images are no such floats, are too small, or too few for the pairs, or
            `pairs` is no integer or out of range.
        TypeError: If the images are not floats.

    Example:
        >>> images = np.random.RandomState(0).uniform(-1, 1, [4, 1, 1, 3]) * np.ones([4, 32, 32, 3])
        >>> value, scales = ms_ssim(images)
        >>> bool(value < 1.0), ms_ssim(images[[0, 0]]).value, scales
        (True, 1.0, SimilarityScales(levels=2, filter_size=11))

    Reference:
        Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017,
        section 4.2 (100 pairs of each class; from memory); Wang, Simoncelli and Bovik, "Multi-scale
        Structural Similarity for Image Quality Assessment", 2003, as `tf.image.ssim_multiscale`.
        Departures: fewer scales for small images. As in TensorFlow, channels are compared alone and
        averaged, a negative similarity counts as 0, and single precision gives about 4 digits.
    """
    array = checked_images(images)
    if array.ndim != 4 or len(array) < 2:
        raise ValueError(
            "MS-SSIM needs at least 2 images [samples, height, width, channels]. "
            f"Received: shape {list(array.shape)}."
        )
    scales = similarity_scales(*array.shape[1:3])
    count = len(array) // 2 if pairs is None else validation.integer("pairs", pairs)
    if 2 * count > len(array):
        raise ValueError(
            f"{count} pairs without an image in two of them need {2 * count} images. "
            f"Received: {len(array)}. Generate more, or take at most {len(array) // 2} pairs."
        )
    # RandomState's stream is frozen, Generator's may change with NumPy's version.
    order = np.random.RandomState(seed).permutation(len(array))[: 2 * count]
    similarities = [
        _similarities(array[order[0::2][some]], array[order[1::2][some]], scales)
        for some in blocks(count, max(1, _VALUES // array[0].size))
    ]
    return PairSimilarity(Estimate.mean_of(np.concatenate(similarities)), scales)


def similarity_scales(height: int, width: int) -> SimilarityScales:
    """Returns the scales that images of a size are compared at.

    Raises:
        ValueError: If a side is below 3 pixels.

    Example:
        >>> similarity_scales(176, 200), similarity_scales(8, 8)
        (SimilarityScales(levels=5, filter_size=11), SimilarityScales(levels=1, filter_size=7))
    """
    side = min(height, width)
    if side < 3:
        raise ValueError(
            "MS-SSIM compares structure, which takes images of at least 3 pixels a side. "
            f"Received: {height} x {width}. Score features of such images instead."
        )
    # The coarsest level must still hold the filter.
    levels = max(1, min(len(_WEIGHTS), (side // _FILTER).bit_length()))
    return SimilarityScales(levels, min(_FILTER, side - 1 + side % 2))


def _similarities(first: np.ndarray, second: np.ndarray, scales: SimilarityScales) -> np.ndarray:
    """Returns the MS-SSIM of each pair, float32 `[pairs]`."""
    # TensorFlow's means multiply: pixels are to be positive.
    return tf.image.ssim_multiscale(
        (tf.constant(first) + 1.0) / 2.0,
        (tf.constant(second) + 1.0) / 2.0,
        max_val=1.0,
        power_factors=scales.weights,
        filter_size=scales.filter_size,
    ).numpy()
