"""The Inception score from a classifier's logits, whole or in pieces."""

import dataclasses
import functools

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.inputs import blocks, checked_array

_ROWS = 1024  # Logits taken to float64 at a time.


@dataclasses.dataclass(frozen=True, eq=False)
class ClassPredictions:
    """What an Inception score needs of predictions p(y|x), summed in pieces in float64.

    Args:
        count: Number of samples, an integer >= 1.
        probabilities: float64 `[classes]`, the sum of p(y|x) over samples.
        negative_entropy: The sum of `sum_y p(y|x) ln p(y|x)` over samples, in nats, <= 0.

    Example:
        >>> certain = [[0.0, 100.0], [100.0, 0.0]]
        >>> round((ClassPredictions.of(certain) + ClassPredictions.of(certain)).score, 6)
        2.0
    """

    count: int
    probabilities: np.ndarray
    negative_entropy: float

    @classmethod
    def of(cls, logits: ArrayLike) -> "ClassPredictions":
        """Returns what is kept of finite logits `[samples, classes]`, at least one sample.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
            TypeError: If the values are not real numbers.
        """
        array = checked_array(logits, "Logits")
        total = np.zeros(array.shape[1])
        negative_entropy = 0.0
        for rows in blocks(len(array), _ROWS):
            logarithms = _log_softmax(array[rows].astype(np.float64))
            probabilities = np.exp(logarithms)
            total += probabilities.sum(axis=0)
            negative_entropy += float(_times_logarithm(probabilities, logarithms).sum())
        return cls(len(array), total, negative_entropy)

    def merge(self, other: "ClassPredictions") -> "ClassPredictions":
        """Returns what is kept of both sets of samples together.

        Raises:
            ValueError: If the numbers of classes differ.
        """
        if self.probabilities.shape != other.probabilities.shape:
            raise ValueError(
                "Predictions merge only when they come from the same classifier. "
                f"Received: {self.probabilities.size} and {other.probabilities.size} classes."
            )
        return ClassPredictions(
            self.count + other.count,
            self.probabilities + other.probabilities,
            self.negative_entropy + other.negative_entropy,
        )

    __add__ = merge

    @property
    def score(self) -> float:
        """The Inception score of all samples as one split, in [1, classes]."""
        marginal = self.probabilities / self.count
        with np.errstate(divide="ignore"):  # A class that never occurs; it counts for nothing.
            marginal_entropy = -float(_times_logarithm(marginal, np.log(marginal)).sum())
        divergence = self.negative_entropy / self.count + marginal_entropy
        # Rounding may leave a tiny negative number where all predictions agree.
        return float(np.exp(max(divergence, 0.0)))


def inception_score(logits: ArrayLike, splits: int = 10) -> Estimate:
    """How sure a classifier is of each image, and how different the images are; 1 is worst.

    For each split, with the mean over its samples as p(y)::

        exp(mean_x KL(p(y|x) || p(y))),  p(y|x) = softmax(logits)

    and the score is the mean over splits.

    Args:
        logits: Finite real numbers `[samples, classes]`, of generated images in random order.
        splits: How many splits the samples are cut into, in order, an integer >= 1. Their sizes
            differ by one at most, the first being the larger ones (as `np.array_split`). Fewer
            samples to a split give a lower score.

    Returns:
        The score, between 1 and the number of classes, a float that knows its `.parts` (one per
        split), `.standard_deviation` (what papers report behind "+-") and `.standard_error`.

    Raises:
        ValueError: If the shape is wrong, a value is not finite, or there are fewer samples than
            splits.
        TypeError: If values are not real numbers.

    Example:
        >>> round(inception_score(100.0 * np.eye(4), splits=1), 6)
        4.0

    Reference:
        Salimans et al., "Improved Techniques for Training GANs", 2016, section 4. Each split is
        equal to TF-GAN's `classifier_score_from_logits`. Departures: none where that is finite;
        classes of probability 0, which make it NaN, count for nothing here.
    """
    array = checked_array(logits, "Logits")
    validation.integer("splits", splits)
    if len(array) < splits:
        raise ValueError(
            f"The Inception score needs at least one sample for each of its {splits} splits. "
            f"Received: {len(array)} samples. Score more images, or use fewer splits."
        )
    size, rest = divmod(len(array), splits)
    ends = np.cumsum([size + 1] * rest + [size] * (splits - rest))
    return Estimate.mean_of(
        [_of_split(array, end - size - (split < rest), end) for split, end in enumerate(ends)]
    )


def _of_split(array: np.ndarray, start: int, end: int) -> float:
    """Returns the score of the logits from `start` to `end`."""
    pieces = [
        ClassPredictions.of(array[max(rows.start, start) : min(rows.stop, end)])
        for rows in blocks(len(array), _ROWS)
        if rows.start < end and start < rows.stop
    ]
    return functools.reduce(ClassPredictions.merge, pieces).score


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # Minus infinity is a probability of 0.
        shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _times_logarithm(probabilities: np.ndarray, logarithms: np.ndarray) -> np.ndarray:
    """Returns p ln p, which is 0 where p is."""
    return np.multiply(
        probabilities, logarithms, where=probabilities > 0, out=np.zeros_like(probabilities)
    )
