"""FID: the Frechet distance of real and generated images' features."""

import warnings
from typing import Any

from tfgan_stab.evaluation.accumulators import Accumulator, MomentsAccumulator
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.frechet import frechet_distance_from_moments
from tfgan_stab.evaluation.metrics.moments import Moments
from tfgan_stab.evaluation.results import INFERENCE, ScoreResult
from tfgan_stab.evaluation.scores.feature_scores import FeatureScore

# What protocols say where there are too few images for a covariance.
SINGULAR = "singular-covariance"


class MomentsScore(FeatureScore):
    """A score that keeps the moments of the real images' features."""

    @property
    def num_features(self) -> int:
        """How many features the extractor gives."""
        return int(self.statistics.mean.size)

    def flaws(self, real: int | None, fake: int) -> list[str]:
        """Says where either covariance must be singular."""
        return [SINGULAR] if min(real or fake, fake) <= self.num_features else []


class FID(MomentsScore):
    """Frechet inception distance between real and generated images, by any extractor; 0 is best.

    Args:
        extractor: "digits", "random", "inception", a Keras model, a function of images, or an
            `Extractor`.
        real: The real images: a data set of `tgs.data` (its `examples()`), a finite
            `tf.data.Dataset` of image batches, or an array `[samples, height, width, channels]`;
            floats in [-1, 1].
        samples: How many generated images a score takes, an integer >= 2. FID falls with the number
            of samples, so that only scores of equal `samples` compare.
        seed: Draws the latents, and the real images that are held out for `baseline()`.
        real_samples: How many real images at most, an integer >= 2; `None` for all there are.
        quantize: Whether images are rounded to the 256 levels of a picture file first.

    Raises:
        TypeError: If `extractor` cannot be called.
        ValueError: If a number is no integer or out of range, or the data set is endless.

    Example:
        >>> import numpy as np
        >>> real = np.random.RandomState(0).uniform(-1, 1, [500, 8, 8, 1]).astype("float32")
        >>> fid = FID("digits", real, samples=500)
        >>> result = fid([real[:200], real[200:]])
        >>> result.name, round(result.value, 6)
        ('fid', 0.0)

    Reference:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium", 2017, equation 6; see `tgs.evaluation.frechet_distance`.
        Departures: any extractor; images that are fewer than features are scored, with a warning.
    """

    name = "fid"

    def __init__(
        self,
        extractor: Any,
        real: Any,
        samples: int = 10_000,
        seed: int = 0,
        real_samples: int | None = None,
        quantize: bool = False,
    ) -> None:
        super().__init__(real, samples, seed, extractor, real_samples, quantize)

    def accumulator(self) -> Accumulator:
        """Returns an empty accumulator of the features' moments."""
        return MomentsAccumulator(self.extractor)

    def compute(self, real: Moments, fake: Moments) -> Estimate:
        """Returns the distance."""
        return frechet_distance_from_moments(real, fake)

    def results(self, fake: Moments, note: str = INFERENCE) -> list[ScoreResult]:
        """Returns the distance, and warns if the samples are too few for it."""
        warn_of_few_samples(fake)
        return super().results(fake, note)


def warn_of_few_samples(fake: Moments) -> None:
    """Warns where a covariance of generated images must be singular."""
    if fake.count <= fake.mean.size:
        warnings.warn(
            f"FID from {fake.count} samples of {fake.mean.size} features: the covariance is "
            "singular and the score far too high. Raise `samples`.",
            stacklevel=3,
        )
