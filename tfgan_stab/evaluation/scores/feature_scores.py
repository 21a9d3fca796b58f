"""Scores that keep all features or logits: KID, precision and recall, the Inception score."""

from typing import Any

import numpy as np

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.accumulators import Batch
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.inception_score import inception_score
from tfgan_stab.evaluation.metrics.kernel import kernel_distance
from tfgan_stab.evaluation.metrics.precision_recall import precision_recall
from tfgan_stab.evaluation.score import Score

# Images of a side below which KID, precision and recall are warned of: a share of 100 images is
# known to 5 points.
ENOUGH = 100


class FeatureScore(Score):
    """A score that compares features of both sides; keeps all of them."""

    @property
    def enough_images(self) -> int:
        """Enough that chance does not decide the numbers."""
        return ENOUGH

    def few_images(self, images: str) -> str:
        """Says what comes of fewer images."""
        numbers = " and ".join(self.number_names[:2])
        return f"{numbers} from {images}, fewer than {ENOUGH}: chance decides much of that."

    @property
    def layer(self) -> str:
        """The extractor's layer, or how many features it gives."""
        return super().layer or f"features-{self.num_features}"

    @property
    def num_features(self) -> int:
        """How many features the extractor gives."""
        return int(self.statistics.shape[1])


class KID(FeatureScore):
    """Kernel inception distance, which has no bias at any sample size; 0 is best.

    Its standard error tells which differences mean something. All features are kept: 8 kB an image
    of 2,048.

    Args:
        extractor: As in `tgs.FID`.
        real: As in `tgs.FID`.
        samples: How many generated images a score takes, an integer >= 2.
        seed: As in `tgs.FID`; draws which images share a block, too.
        real_samples: How many real images at most, an integer >= 2; as many as generated ones
            unless given, `None` for all there are.
        quantize: As in `tgs.FID`.
        max_block_size: Images in a block at most, an integer >= 2.

    Raises:
        TypeError: If `extractor` cannot be called.
        ValueError: If a number is no integer or out of range, or the data set is endless.

    Example:
        >>> real = np.random.RandomState(0).uniform(-1, 1, [500, 8, 8, 1]).astype("float32")
        >>> result = KID("digits", real, samples=200, max_block_size=50)([real])
        >>> result.name, abs(result.value) < 5 * result.standard_error
        ('kid', True)

    Reference:
        Binkowski et al., "Demystifying MMD GANs", 2018, section 4; see
        `tgs.evaluation.kernel_distance`. Departures: images are shuffled before they are cut into
        blocks, so that data in the order of their classes give no blocks of one class.
    """

    name = "kid"

    def __init__(
        self,
        extractor: Any,
        real: Any,
        samples: int = 10_000,
        seed: int = 0,
        real_samples: int | str | None = "samples",
        quantize: bool = False,
        max_block_size: int = 1024,
    ) -> None:
        self._max_block_size = validation.integer("max_block_size", max_block_size, least=2)
        limit = _limit(real_samples, samples)
        super().__init__(real, samples, seed, extractor, limit, quantize)

    def compute(self, real: np.ndarray, fake: np.ndarray) -> Estimate:
        """Returns the distance with its standard error."""
        real, fake = permuted(real, self.seed), permuted(fake, self.seed + 1)
        return kernel_distance(real, fake, self._max_block_size)

    @property
    def settings(self) -> list[str]:
        """The size of a block."""
        return [f"block={self._max_block_size}"]


class PrecisionRecall(FeatureScore):
    """Precision, recall, density and coverage: whether images look real, and show all of the real.

    A generator that shows one mode perfectly has a precision of 1 and a recall near 0, where FID
    says only that something is wrong. All four are larger for better generators.

    Args:
        extractor: As in `tgs.FID`.
        real: As in `tgs.FID`.
        samples: How many generated images a score takes, an integer > `neighbors`.
        neighbors: Whose distance is a ball's radius, an integer >= 1. The paper's k.
        seed: As in `tgs.FID`.
        real_samples: How many real images at most, an integer >= 2; as many as generated ones
            unless given, as the papers do; `None` for all there are.
        quantize: As in `tgs.FID`.

    Raises:
        TypeError: If `extractor` cannot be called.
        ValueError: If a number is no integer or out of range, or the data set is endless.

    Example:
        >>> real = np.random.RandomState(0).uniform(-1, 1, [500, 8, 8, 1]).astype("float32")
        >>> [r.name for r in PrecisionRecall("digits", real, samples=200)([real])]
        ['precision', 'recall', 'density', 'coverage']

    Reference:
        Kynkaanniemi et al., 2019; Naeem et al., 2020; see `tgs.evaluation.precision_recall`.
    """

    name = "precision_recall"
    larger_is_better = True

    def __init__(
        self,
        extractor: Any,
        real: Any,
        samples: int = 10_000,
        neighbors: int = 3,
        seed: int = 0,
        real_samples: int | str | None = "samples",
        quantize: bool = False,
    ) -> None:
        self.neighbors = validation.integer("neighbors", neighbors)
        self.min_samples = neighbors + 1
        limit = _limit(real_samples, samples)
        super().__init__(real, samples, seed, extractor, limit, quantize)

    def compute(self, real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
        """Returns all four."""
        return precision_recall(real, fake, self.neighbors)._asdict()

    @property
    def number_names(self) -> list[str]:
        """The names of the four."""
        return ["precision", "recall", "density", "coverage"]

    @property
    def settings(self) -> list[str]:
        """The number of neighbors."""
        return [f"neighbors={self.neighbors}"]


class InceptionScore(Score):
    """Inception score: whether a classifier is sure of each image, and finds all classes.

    Real images are not looked at, so that their own score, the baseline, is worth knowing. It says
    little of data other than what the classifier has learnt.

    Args:
        extractor: "digits", "inception", or an `Extractor` whose `outputs` have logits.
        samples: How many generated images a score takes, an integer >= `splits`.
        splits: How many splits the score is the mean of, an integer >= 1.
        seed: Draws the latents, and which images share a split.
        real: The real images, for `baseline()`; as in `tgs.FID`.
        quantize: As in `tgs.FID`.

    Raises:
        TypeError: If `extractor` gives no logits.
        ValueError: If a number is no integer or out of range, or the data set is endless.

    Example:
        >>> images = np.random.RandomState(0).uniform(-1, 1, [500, 8, 8, 1]).astype("float32")
        >>> InceptionScore("digits", samples=200)([images]).name
        'inception_score'

    Reference:
        Salimans et al., "Improved Techniques for Training GANs", 2016, section 4; see
        `tgs.evaluation.inception_score`. Departures: images are shuffled before they are split, so
        that images in the order of their classes give no splits of few classes.
    """

    name = "inception_score"
    larger_is_better = True
    compares = False

    def __init__(
        self,
        extractor: Any,
        real: Any = None,
        samples: int = 10_000,
        splits: int = 10,
        seed: int = 0,
        quantize: bool = False,
    ) -> None:
        self.splits = validation.integer("splits", splits)
        self.min_samples = max(splits, 2)
        super().__init__(real, samples, seed, extractor, None, quantize)

    def keep(self, batch: Batch) -> np.ndarray:
        """Returns the logits."""
        logits = batch.outputs(self.extractor).logits
        if logits is None:
            raise TypeError(
                "The Inception score needs a classifier's logits. Received: the extractor "
                f"{self.extractor.name!r}, which gives none. Use 'digits', 'inception', or an "
                "extractor whose outputs(images) returns tgs.evaluation.Outputs(features, logits)."
            )
        return logits

    def compute(self, real: Any, fake: np.ndarray) -> Estimate:
        """Returns the score with its standard error over splits."""
        return inception_score(permuted(fake, self.seed), self.splits)

    @property
    def settings(self) -> list[str]:
        """The number of splits."""
        return [f"splits={self.splits}"]

    @property
    def layer(self) -> str:
        """The classifier's output."""
        return "logits"


def permuted(array: np.ndarray, seed: int) -> np.ndarray:
    """Returns the rows in an order that the seed decides."""
    # RandomState's stream is frozen, Generator's may change with NumPy's version.
    return array[np.random.RandomState(seed % 2**32).permutation(len(array))]


def _limit(real_samples: int | str | None, samples: int) -> int | None:
    if isinstance(real_samples, str):
        if real_samples != "samples":
            raise ValueError(
                '`real_samples` must be a number, None for all, or "samples" for as many as '
                f"generated ones. Received: {real_samples!r}."
            )
        return samples
    return real_samples
