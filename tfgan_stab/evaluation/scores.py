"""Scores: images in, a number with its protocol out.

A score names how it was measured: extractor, sample sizes, seed. Numbers of different protocols
refuse to be compared.
"""

import dataclasses
import functools
import operator
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.extractors import Extractor, as_extractor
from tfgan_stab.evaluation.frechet import frechet_distance_from_moments
from tfgan_stab.evaluation.image_streams import batches_of, rebatched
from tfgan_stab.evaluation.statistics import Moments

# How a generator runs when it is scored unless the caller says otherwise.
_INFERENCE = "bn=inference"


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class ScoreResult:
    """A number that knows how it was measured; results of one protocol can be ranked.

    Args:
        name: The score's name, such as "fid".
        value: The number.
        protocol: How it was measured.

    Example:
        >>> ScoreResult("fid", 8.5, "fid/a@1") < ScoreResult("fid", 9.0, "fid/a@1")
        True
    """

    name: str
    value: float
    protocol: str

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, ScoreResult):
            return NotImplemented
        same_protocol(self, other)
        return self.value < other.value


def same_protocol(*results: ScoreResult) -> str:
    """Returns the protocol that all results share.

    Raises:
        ValueError: If they were measured in different ways, or there are none.

    Example:
        >>> same_protocol(ScoreResult("fid", 8.5, "fid/a@1"), ScoreResult("fid", 9.0, "fid/a@1"))
        'fid/a@1'
    """
    protocols = sorted({result.protocol for result in results})
    if len(protocols) != 1:
        raise ValueError(
            "Only scores of one protocol can be compared. "
            f"Received: {' and '.join(protocols) or 'no score'}. Measure them in the same way."
        )
    return protocols[0]


class FID:
    """Frechet inception distance between real and generated images, by any extractor; 0 is best.

    Args:
        extractor: "digits", a Keras model, a function of images, or an `Extractor`.
        real: The real images: a data set of `tgs.data` (its `examples()`), a finite
            `tf.data.Dataset` of image batches, or an array `[samples, height, width, channels]`;
            floats in [-1, 1].
        samples: How many generated images a score takes, an integer >= 2. FID falls with the number
            of samples, so that only scores of equal `samples` compare.
        batch_size: Images per step of the computation, an integer >= 1.
        seed: Splits the real images for `floor()`; callers seed the latents with it.

    Raises:
        TypeError: If a number is not an integer, or `extractor` cannot be called.
        ValueError: If a number is out of range, or the data set is endless.

    Example:
        >>> real = np.random.RandomState(0).uniform(-1, 1, [500, 8, 8, 1]).astype("float32")
        >>> fid = FID("digits", real, samples=500)
        >>> result = fid([real[:200], real[200:]])
        >>> result.name, round(result.value, 6)
        ('fid', 0.0)

    Reference:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium", 2017. Departures: none with TF-GAN's Inception classifier as `extractor`.
    """

    name = "fid"

    def __init__(
        self,
        extractor: Any,
        real: Any,
        samples: int = 10_000,
        batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        _check_count("samples", samples, 2)
        _check_count("batch_size", batch_size, 1)
        self.samples = samples
        self.seed = seed
        self.extractor: Extractor = as_extractor(extractor)
        self._batch_size = batch_size
        self._batches = batches_of(real, batch_size)

    def __call__(self, images: Iterable[ArrayLike], note: str = _INFERENCE) -> ScoreResult:
        """Scores the first `samples` images of an iterable of batches.

        Args:
            images: Batches of floats `[batch, height, width, channels]` in [-1, 1], of any sizes.
            note: What the caller knows of how they were made, for the protocol.

        Raises:
            ValueError: If there are too few images, real or generated, or they are not such.
            TypeError: If the images are not floats.
        """
        protocol = self.protocol(note)
        batches = rebatched(images, self._batch_size, self.samples)
        fake = functools.reduce(operator.add, map(Moments.of, map(self.extractor, batches)))
        if self.samples <= fake.mean.size:
            warnings.warn(
                f"FID from {self.samples} samples of {fake.mean.size} features: the covariance is "
                "singular and the score far too high. Raise `samples`.",
                stacklevel=2,
            )
        return ScoreResult(self.name, frechet_distance_from_moments(self._real, fake), protocol)

    def floor(self) -> ScoreResult:
        """Returns the score of one half of the real images against the other: what is perfect."""
        first, second = self._halves
        protocol = self._protocol(first, f"{second.count} real", f"halves-seed={self.seed}")
        return ScoreResult(self.name, frechet_distance_from_moments(first, second), protocol)

    def protocol(self, note: str = _INFERENCE) -> str:
        """Returns how this score is measured, as one line; takes the real images' statistics.

        Such as `fid/digits-classifier@1a2b3c4d/features-64/real=1797/fake=500/seed=0/bn=inference`.
        """
        return self._protocol(self._real, str(self.samples), f"seed={self.seed}", note)

    def _protocol(self, real: Moments, fake: str, *notes: str) -> str:
        size = real.mean.size
        parts = [f"{self.extractor.name}@{self.extractor.content_hash}", f"features-{size}"]
        parts += [f"real={real.count}", f"fake={fake}", *notes]
        if min(real.count, self.samples) <= size:
            parts.append("singular-covariance")
        return "/".join([self.name, *parts])

    @functools.cached_property
    def _real(self) -> Moments:
        first, second = self._halves
        return first + second

    @functools.cached_property
    def _halves(self) -> tuple[Moments, Moments]:
        """Moments of two random halves of the real images, in one pass.

        Of each two images that follow one another a seeded coin sends one to either half, so that
        the number of images need not be known.
        """
        coins = np.random.RandomState(self.seed)
        halves: list[list[Moments]] = [[], []]
        # An even number, so that no pair is torn apart.
        for batch in rebatched(self._batches, 2 * self._batch_size):
            features = self.extractor(batch)
            heads = coins.randint(2, size=(len(features) + 1) // 2)
            sides = np.stack([heads, 1 - heads], axis=1).reshape(-1)[: len(features)]
            for side in range(2):
                if np.any(sides == side):
                    halves[side].append(Moments.of(features[sides == side]))
        count = sum(moments.count for half in halves for moments in half)
        if count < 4:  # So that either half has a covariance.
            raise ValueError(f"FID needs at least 4 real images. Received: {count}.")
        return functools.reduce(operator.add, halves[0]), functools.reduce(operator.add, halves[1])


def _check_count(name: str, number: int, least: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"`{name}` must be an integer. Received: {number!r}.")
    if number < least:
        raise ValueError(f"`{name}` must be >= {least}. Received: {number}.")
