"""FID: the Frechet distance of real and generated images' features."""

import dataclasses
import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.accumulators import Accumulator, Batch, MomentsAccumulator
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.frechet import frechet_distance_from_moments
from tfgan_stab.evaluation.metrics.moments import Moments, RunningMoments
from tfgan_stab.evaluation.real_images import FeatureStatistics, RealImages, write_statistics
from tfgan_stab.evaluation.results import Protocol
from tfgan_stab.evaluation.scores.feature_scores import FeatureScore

# What protocols say where there are too few images for a covariance.
SINGULAR = "singular-covariance"


class MomentsScore(FeatureScore):
    """A score that keeps the moments of the real images' features, or reads them from a file."""

    def keep(self, batch: Batch) -> np.ndarray:
        """Returns the features; refuses those of which the real side has no statistics."""
        features = super().keep(batch)
        if isinstance(self.real_images, FeatureStatistics):
            self.real_images.check_size(features.shape[1])
        return features

    def save_statistics(self, path: str | os.PathLike[str]) -> None:
        """Writes mean and covariance of the real images' features, `mu` and `sigma`, to a `.npz`.

        Of all real images that generated ones are compared with. pytorch-fid reads such files, and
        so does this score in the place of real images.

        Args:
            path: The file, whose name ends in `.npz`; one that is there is replaced.

        Raises:
            ValueError: If the name ends otherwise, or there are too few real images.
            OSError: If the file cannot be written.
        """
        write_statistics(path, self.statistics, self._images("").real_samples, self.extractor)

    @property
    def num_features(self) -> int:
        """How many features the extractor gives."""
        return int(self.statistics.mean.size)

    @property
    def enough_images(self) -> int:
        """More than features, since a covariance of fewer is singular."""
        return self.num_features + 1

    def few_images(self, images: str) -> str:
        """Says what comes of fewer images."""
        return (
            f"FID from {images}, for {self.num_features} features: the covariance is singular and "
            "the score far too high."
        )

    def flaws(self, real: int | None, fake: int) -> list[str]:
        """Says where either covariance must be singular."""
        return [SINGULAR] if min(real or fake, fake) < self.enough_images else []

    def _real_side(self, real: Any) -> RealImages | FeatureStatistics:
        """Returns real images, or the statistics in a file."""
        if isinstance(real, (str, os.PathLike)) and os.fspath(real).endswith(".npz"):
            real = FeatureStatistics(real)
        if not isinstance(real, FeatureStatistics):
            return super()._real_side(real)
        if self._real_samples is not None:
            raise ValueError(
                "`real_samples` chooses among real images. Received: "
                f"real_samples={self._real_samples} and the statistics in {real.path}. Leave it "
                "out."
            )
        return real


class FID(MomentsScore):
    """Frechet inception distance between real and generated images, by any extractor; 0 is best.

    Args:
        extractor: "digits", "random", "inception", a Keras model, a function of images, or an
            `Extractor`.
        real: The real images: a data set of `tgs.data` (its `examples()`), a finite
            `tf.data.Dataset` of image batches, or an array `[samples, height, width, channels]`;
            floats in [-1, 1]. Or a `.npz` file of their features' mean `mu` and covariance `sigma`,
            taken with the same extractor; there is no baseline then.
        samples: How many generated images a score takes, an integer >= 2. FID falls with the number
            of samples, so that only scores of equal `samples` compare.
        seed: Draws the latents, and the real images that are held out for `baseline()`.
        real_samples: How many real images at most, an integer >= 2; `None` for all there are.
        quantize: Whether images are rounded to the 256 levels of a picture file first.

    Raises:
        TypeError: If `extractor` cannot be called.
        ValueError: If a number is no integer or out of range, the data set is endless, or a file
            holds no statistics.

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
        return MomentsAccumulator(self.keep)

    def compute(self, real: Moments, fake: Moments) -> Estimate:
        """Returns the distance."""
        return frechet_distance_from_moments(real, fake)


_SIZES = 5
_INFINITY = "fid_infinity"


def extrapolated(sizes: Sequence[int], values: Sequence[float]) -> Estimate:
    """Returns the value at 1/n = 0 of the straight line through values over 1/n.

    ::

        value(n) ~ value(infinity) + slope / n

    Args:
        sizes: Numbers of samples n, at least two different ones.
        values: The value at each.

    Returns:
        The value, a float that knows its `.standard_error`, from how far the numbers lie off the
        line; 0 with two sizes.

    Raises:
        ValueError: If there are fewer than two different sizes.

    Example:
        >>> round(extrapolated([100, 200, 400], [5.0, 4.0, 3.5]), 9)
        3.0

    Reference:
        Chong and Forsyth, "Effectively Unbiased FID and Inception Score and where to find them",
        2020, section 3 (from memory): least squares over 1/n. Departures: none.
    """
    if len(set(sizes)) < 2:
        raise ValueError(f"A line needs at least 2 different sizes. Received: {list(sizes)}.")
    inverse, heights = 1.0 / np.asarray(sizes, np.float64), np.asarray(values, np.float64)
    offsets = inverse - inverse.mean()
    coefficient = (offsets @ heights) / (offsets @ offsets)
    value = heights.mean() - coefficient * inverse.mean()
    left = heights - value - coefficient * inverse
    free = max(len(heights) - 2, 1)
    variance = left @ left / free * (1 / len(heights) + inverse.mean() ** 2 / (offsets @ offsets))
    return Estimate(float(value), standard_error=float(np.sqrt(variance)))


class FIDAtSizes(MomentsScore):
    """FID of the first n generated images for several n, and extrapolated to endless samples.

    FID is biased upwards by about slope/n, and the slope differs between generators. Two papers
    that score 5,000 and 50,000 samples cannot be compared; their extrapolations can, nearly. Its
    numbers are "fid_1000", say, and "fid_infinity".

    Args:
        extractor: As in `tgs.FID`.
        real: As in `tgs.FID`. The real side's own bias stays: take as many as there are.
        sizes: Numbers of samples, integers >= 2, at least two; `None` for five even steps up to
            `samples`.
        samples: The largest number where `sizes` is not given.
        seed: As in `tgs.FID`.
        real_samples: As in `tgs.FID`.
        quantize: As in `tgs.FID`.

    Raises:
        TypeError: If `extractor` cannot be called.
        ValueError: If a number is no integer or out of range, or there are fewer than two sizes.

    Example:
        >>> real = np.random.RandomState(0).uniform(-1, 1, [500, 8, 8, 1]).astype("float32")
        >>> [result.name for result in FIDAtSizes("digits", real, sizes=[100, 200])([real])]
        ['fid_100', 'fid_200', 'fid_infinity']

    Reference:
        Chong and Forsyth, "Effectively Unbiased FID and Inception Score and where to find them",
        2020 (from memory). Departures: each size takes the first images of one sample, so that
        only moments are kept; the paper draws each anew from 50,000 features.
    """

    name = "fid_at_sizes"

    def __init__(
        self,
        extractor: Any,
        real: Any,
        sizes: Sequence[int] | None = None,
        samples: int = 10_000,
        seed: int = 0,
        real_samples: int | None = None,
        quantize: bool = False,
    ) -> None:
        if sizes is None:
            validation.integer("samples", samples, least=2 * _SIZES)
            sizes = [samples * step // _SIZES for step in range(1, _SIZES + 1)]
        for size in sizes:
            validation.integer("sizes", size, least=2)
        if len(set(sizes)) < 2:
            raise ValueError(f"`sizes` must hold at least 2 sizes. Received: {list(sizes)}.")
        self.sizes = sorted(set(sizes))
        super().__init__(real, self.sizes[-1], seed, extractor, real_samples, quantize)

    def accumulator(self) -> Accumulator:
        """Returns an empty accumulator of the moments of the first images, for each size."""
        return _FirstAccumulator(self.keep, self.sizes)

    def held_out_accumulator(self, count: int) -> Accumulator:
        """Returns an empty accumulator of the moments of some held-out images, for each size."""
        # RandomState's stream is frozen, Generator's may change with NumPy's version.
        ranks = np.random.RandomState(self.seed % 2**32).permutation(count)
        return _MixedAccumulator(self.keep, self.sizes, ranks)

    def real_accumulator(self) -> MomentsAccumulator:
        """Returns an empty accumulator of the features' moments."""
        return MomentsAccumulator(self.keep)

    def combine(self, reference: Moments, held_out: "_AtSizes") -> Moments:
        """Returns the moments of all real images."""
        return reference + held_out.whole

    def compute(self, real: Moments, fake: "_AtSizes") -> dict[str, float]:
        """Returns the distance at each size that there is, and at infinity.

        The baseline has at most half of the real images: larger sizes are left out, and the line
        with fewer than two.
        """
        distances: dict[str, float] = {
            f"fid_{size}": frechet_distance_from_moments(real, at) for size, at in fake.at.items()
        }
        if len(distances) > 1:
            distances[_INFINITY] = extrapolated(list(fake.at), list(distances.values()))
        return distances

    @property
    def number_names(self) -> list[str]:
        """The names of the numbers."""
        return [*(f"fid_{size}" for size in self.sizes), _INFINITY]

    def protocol_of(self, name: str, images: Protocol) -> Protocol:
        """At a size the protocol is that of `tgs.FID` with so many samples."""
        if name == _INFINITY:
            sizes = tuple(size for size in self.sizes if size <= images.samples[0])
            return super().protocol_of(name, dataclasses.replace(images, samples=sizes))
        sizes = (int(name.removeprefix("fid_")),)
        return super().protocol_of("fid", dataclasses.replace(images, samples=sizes))


class _AtSizes(NamedTuple):
    """Moments of the first images.

    Attributes:
        whole: Of all there are.
        at: Of the first n, for each size n that was reached.
    """

    whole: Moments
    at: dict[int, Moments]


class _FirstAccumulator(Accumulator):
    """Keeps moments, with a copy of them at each size."""

    def __init__(self, keep: Callable[[Batch], np.ndarray], sizes: Sequence[int]) -> None:
        super().__init__(keep)
        self._left = list(sizes)
        self._running = RunningMoments()
        self._at: dict[int, Moments] = {}

    def add(self, batch: Batch) -> None:
        """Takes the features of more images in."""
        features = self._keep(batch)
        while self._left and self._running.count + len(features) >= self._left[0]:
            size = self._left.pop(0)
            missing = size - self._running.count
            if missing:
                self._running.add(features[:missing])
            self._at[size] = self._running.moments
            features = features[missing:]
        if len(features):
            self._running.add(features)

    def result(self) -> _AtSizes:
        """Returns the moments at each size and of all."""
        return _AtSizes(self._running.moments, self._at)


class _MixedAccumulator(Accumulator):
    """Keeps moments at each size of images that come in the order of their classes, say.

    Args:
        keep: Returns the features of a batch.
        sizes: Numbers of images, in order.
        ranks: The place of each image that comes, in an order without a meaning.
    """

    def __init__(
        self, keep: Callable[[Batch], np.ndarray], sizes: Sequence[int], ranks: np.ndarray
    ) -> None:
        super().__init__(keep)
        self._sizes, self._ranks = list(sizes), ranks
        self._between = [RunningMoments() for _ in range(len(sizes) + 1)]
        self._seen = 0

    def add(self, batch: Batch) -> None:
        """Takes the features of more images in."""
        features = self._keep(batch)
        ranks = self._ranks[self._seen : self._seen + len(features)]
        self._seen += len(features)
        between = np.searchsorted(self._sizes, ranks, side="right")
        for number in np.unique(between):
            self._between[number].add(features[between == number])

    def result(self) -> _AtSizes:
        """Returns the moments at each size and of all."""
        pieces = [running.moments for running in self._between if running.count]
        sums = list(itertools.accumulate(pieces))
        return _AtSizes(sums[-1], {each.count: each for each in sums if each.count in self._sizes})
