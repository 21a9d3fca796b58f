"""What every score is: images in, numbers with their protocol out.

A score says what it keeps of each side and what it computes from that. How images are drawn, and
that several scores share them, is decided elsewhere.
"""

import copy
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.accumulators import Accumulator, Batch
from tfgan_stab.evaluation.extractors.function import as_extractor
from tfgan_stab.evaluation.image_source import BATCH_SIZE, ImageSource, rebatched, watched
from tfgan_stab.evaluation.metrics.inputs import checked_images
from tfgan_stab.evaluation.real_images import (
    FeatureStatistics,
    Reading,
    RealImages,
    named,
    read_real_images,
)
from tfgan_stab.evaluation.results import (
    INFERENCE,
    Protocol,
    ScoreResult,
    all_of,
    one_or_all,
    warn_of_few,
)
from tfgan_stab.evaluation.samples import DrawnClasses, Sample


class Score:
    """A score of generated images, alone or against real ones. Derive from it to write your own.

    A derived class needs a `name` and `compute(real, fake)`. By default a score keeps the
    extractor's features of all images, or the images themselves if it has no extractor.

    Args:
        real: The real images: a data set of `tgs.data`, a finite `tf.data.Dataset` of image
            batches, or an array `[samples, height, width, channels]`; floats in [-1, 1]. `None` for
            a score that needs none; it has no baseline then.
        samples: How many generated images a score takes, an integer >= `min_samples`.
        seed: Draws the latents, and the real images that are held out for the baseline; an integer
            >= 0.
        extractor: What turns images into features, for scores that need it: a name, a Keras model,
            a function of images, or an `Extractor`.
        real_samples: How many real images at most, an integer >= `min_samples`; `None` for all
            there are.
        quantize: Whether images are rounded to the 256 levels of a picture file first, as they are
            when somebody else scores the files.

    Attributes:
        name: The score's name, and that of its number if it has one.
        larger_is_better: Whether better generators have larger numbers: for all of them, or the
            names of those numbers for which it is so.
        min_samples: The fewest images that the score can be computed from.
        compares: Whether generated images are compared with real ones; if not, only the baseline
            takes those.

    Raises:
        TypeError: If `extractor` cannot be called, or `quantize` is no bool.
        ValueError: If a number is no integer or out of range, or the data set is endless.

    Example:
        >>> class MeanBrightness(Score):
        ...     name = "brightness"
        ...
        ...     def compute(self, real, fake):
        ...         return abs(real.mean() - fake.mean())
        >>> real = np.zeros([20, 8, 8, 1], "float32")
        >>> MeanBrightness(real, samples=10)([real + 0.5]).value
        0.5
    """

    name = "score"
    larger_is_better: bool | tuple[str, ...] = False
    min_samples = 2
    compares = True

    def __init__(
        self,
        real: Any = None,
        samples: int = 10_000,
        seed: int = 0,
        extractor: Any = None,
        real_samples: int | None = None,
        quantize: bool = False,
    ) -> None:
        self.samples = validation.integer("samples", samples, least=self.min_samples)
        if real_samples is not None:
            validation.integer("real_samples", real_samples, least=self.min_samples)
        if not isinstance(quantize, bool):
            raise TypeError(f"`quantize` must be True or False. Received: {quantize!r}.")
        if real is None and self.compares:
            raise ValueError(
                f"{self.name!r} compares generated images with real ones. Received: real=None. "
                "Pass the real images."
            )
        self.seed = validation.seed(seed)
        self.label: int | None = None
        self.generated_label: int | None = None
        self.quantize = quantize
        self.extractor: Any = None if extractor is None else as_extractor(extractor)
        self._real_samples = real_samples if self.compares else 0
        self._statistics: Any = None
        self._drawn = DrawnClasses()
        self.real_images = None if real is None else self._real_side(real)

    # -- What a derived class defines, or may define ---------------------------------------------

    def compute(self, real: Any, fake: Any) -> float | Mapping[str, float]:
        """Returns the score's number, or its numbers by name; an `Estimate` has a standard error.

        Args:
            real: What was kept of the real images; `None` if the score does not compare.
            fake: What was kept of the generated ones.
        """
        raise TypeError(f"{type(self).__name__} must define `compute(real, fake)`.")

    def keep(self, batch: Batch) -> Any:
        """Returns what is kept of a batch: an array `[batch, ...]`, or what can be added by `+`."""
        if self.extractor is not None:
            return batch.outputs(self.extractor).features
        return checked_images(batch.images)

    @property
    def number_names(self) -> list[str]:
        """The names of the score's numbers."""
        return [self.name]

    @property
    def settings(self) -> list[str]:
        """What else decides the numbers, for the protocol; no slashes."""
        return []

    @property
    def layer(self) -> str:
        """Which of the extractor's outputs, for the protocol."""
        return getattr(self.extractor, "layer", "")

    def flaws(self, real: int | None, fake: int) -> list[str]:
        """What is wrong with numbers from so few images, for the protocol."""
        return []

    @property
    def enough_images(self) -> int:
        """How many images of each side the numbers need; fewer are warned of."""
        return 0

    def few_images(self, images: str) -> str:
        """Returns a sentence on what comes of too few images, such as "10 real images"."""
        return f"{self.name!r} from {images} depends on which they are."

    def accumulator(self) -> Accumulator:
        """Returns an empty accumulator of what the score needs of generated images."""
        return Accumulator(self.keep)

    def real_accumulator(self) -> Accumulator:
        """Returns an empty accumulator of what the score needs of real images."""
        return self.accumulator()

    def held_out_accumulator(self, count: int) -> Accumulator:
        """Returns an empty accumulator of `count` real images that stand for generated ones.

        They come in the order of the data, which may be that of their classes.
        """
        return self.accumulator()

    def combine(self, reference: Any, held_out: Any) -> Any:
        """Returns what a `real_accumulator` would have kept of all real images.

        Args:
            reference: What a `real_accumulator` has kept of some.
            held_out: What a `held_out_accumulator` has kept of the others.
        """
        if isinstance(reference, np.ndarray):
            return np.concatenate([reference, held_out])
        return reference + held_out

    # -- What callers ask -------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The names of the numbers, with the class in them where the score is of one class."""
        return [self._with_class(name) for name in self.number_names]

    @property
    def components(self) -> "list[Score]":
        """The scores that this one is made of, each with one sample: itself, unless per class."""
        return [self]

    def collect(self, results: list[list[ScoreResult]]) -> list[ScoreResult]:
        """Returns this score's numbers, from those of its components."""
        return [result for several in results for result in several]

    def of_class(self, source: ImageSource, label: int) -> "Score":
        """Returns the same score of one class alone.

        Args:
            source: The real images with their labels, which the scores of all classes share.
            label: The class.
        """
        alone = copy.copy(self)
        alone.label = alone.generated_label = label
        alone._statistics = None
        alone.real_images = alone._real_images_of(source)
        return alone

    @property
    def compared_with(self) -> RealImages | FeatureStatistics | None:
        """What generated images are compared with, if anything."""
        return self.real_images if self.compares else None

    @property
    def statistics(self) -> Any:
        """What was kept of the real images that generated ones are compared with, if any."""
        if not self.compares or self.real_images is None:
            return None
        real = self._known(self.real_images)
        if self._statistics is None:
            enough = real.reference_is_enough
            both = real.reference, real.held_out
            self._statistics = real.reference if enough else self.combine(*both)
        return self._statistics

    def reading(self) -> Reading | None:
        """Returns what is to be read of the real images; `None` if there is nothing more to."""
        real = self.real_images
        if not isinstance(real, RealImages) or real.is_known:
            return None
        held_out = self.held_out_accumulator(len(real.rows[0]))
        reference = self.real_accumulator()
        return Reading(real, held_out, reference, self.extractor, self.quantize)

    def match(self, generated: Mapping[int, str] | None, labels: Any = None) -> None:
        """Has generated images come from each class as often as real ones; see `DrawnClasses`."""
        self._drawn = DrawnClasses(generated, labels)

    @property
    def sample(self) -> Sample:
        """The generated images that the score asks for; see `match` for their classes."""
        real = self.compared_with
        shares: tuple[int, ...] = ()
        if self.label is None and isinstance(real, RealImages):
            shares = self._drawn.shares(real.source)
        return Sample(self.samples, self.seed, self.generated_label, shares)

    def of_generator(self, draw: Callable[[Sample], Iterator[np.ndarray]]) -> list[ScoreResult]:
        """Returns the numbers of what a function draws for a sample."""
        if self.compared_with is not None:
            read_real_images([self.reading()])
        return all_of(self(draw(self.sample)))

    def __call__(self, images: Iterable[ArrayLike], note: str = INFERENCE) -> Any:
        """Scores the first `samples` images of an iterable of batches.

        Args:
            images: Batches of floats `[batch, height, width, channels]` in [-1, 1], of any sizes.
            note: What the caller knows of how they were made, for the protocol.

        Returns:
            A `ScoreResult`; a list of them where the score has several numbers.

        Raises:
            ValueError: If there are too few images, real or generated, or they are not such.
            TypeError: If the images are not floats.
        """
        if self.compared_with is not None:
            read_real_images([self.reading()])  # What is wrong with them is said first.
        accumulator = self.accumulator()
        of_one_size = rebatched(images, BATCH_SIZE, self.samples)
        if self.label is None:  # All of one class may be bright.
            of_one_size = watched("Generated images", of_one_size)
        for batch in map(Batch, of_one_size):
            accumulator.add(batch.quantized if self.quantize else batch)
        return one_or_all(self.results(accumulator.result(), note))

    def results(self, fake: Any, note: str = INFERENCE) -> list[ScoreResult]:
        """Returns the numbers for what an accumulator has kept of generated images."""
        return self._results(self.compute(self.statistics, fake), self._images(note))

    def baseline(self) -> Any:
        """Returns the score of real images against other real images: the best score to expect.

        As many as the score takes are held out, half of all there are at most, and scored as if
        they were generated, against the others.

        Raises:
            ValueError: If the score knows no real images.
        """
        real = self.real_images
        if not isinstance(real, RealImages):
            raise ValueError(
                f"The baseline of {self.name!r} is measured on real images. Received: "
                f"{'real=None' if real is None else real.description}. Pass the real images."
            )
        self._known(real)
        held_out, reference = (len(rows) for rows in real.rows)
        images = dataclasses.replace(
            self._images(""),
            real_samples=reference if self.compares else None,
            real_images=real.description,
            samples=(held_out,),
            held_out=True,
            labels="",
        )
        return one_or_all(self._results(self.compute(real.reference, real.held_out), images))

    def protocol(self, note: str = INFERENCE) -> Any:
        """Returns how this score is measured, a `Protocol`; goes through the real images.

        A list of them where the score has several numbers.
        """
        images = self._images(note)
        return one_or_all([self.protocol_of(name, images) for name in self.number_names])

    def protocol_of(self, name: str, images: Protocol) -> Protocol:
        """Returns how one of the numbers is measured.

        Args:
            name: Its name, without the class.
            images: What is known of the images of both sides.
        """
        flaws = self.flaws(images.real_samples, min(images.samples))
        return dataclasses.replace(
            images,
            name=self._with_class(name),
            extractor="" if self.extractor is None else named(self.extractor),
            layer=self.layer if self.extractor is not None else "",
            preprocessing=getattr(self.extractor, "preprocessing", ""),
            settings=tuple(self.settings),
            label=self.label,
            flaws=tuple(flaws),
        )

    # -- How ---------------------------------------------------------------------------------------

    def _real_side(self, real: Any) -> RealImages | FeatureStatistics:
        """Returns what generated images are compared with."""
        return self._real_images_of(ImageSource(real))

    def _real_images_of(self, source: ImageSource) -> RealImages:
        return RealImages(source, self.samples, self.seed, self._real_samples, self.label)

    def _known(self, real: RealImages | FeatureStatistics) -> RealImages | FeatureStatistics:
        """Returns the real side of this score after going through it, unless that is done."""
        read_real_images([self.reading()])
        real.check_extractor(self.extractor)
        return real

    def _with_class(self, name: str) -> str:
        return name if self.label is None else f"{name}_class_{self.label}"

    def _images(self, note: str) -> Protocol:
        """Returns what a protocol says of the images of both sides."""
        compared_with = None if self.compared_with is None else self._known(self.compared_with)
        return Protocol(
            self.name,
            labels="" if self.label is not None else self._drawn.described(self.sample),
            real_samples=None if compared_with is None else compared_with.count,
            real_images="" if compared_with is None else compared_with.description,
            samples=(self.samples,),
            seed=self.seed,
            note=note,
            quantized=self.quantize,
        )

    def _results(self, found: float | Mapping[str, float], images: Protocol) -> list[ScoreResult]:
        numbers = found if isinstance(found, Mapping) else {self.name: found}
        results = [
            ScoreResult(
                self._with_class(name),
                float(number),
                self.protocol_of(name, images),
                self._is_better_if_larger(name),
                _error(number),
                getattr(number, "remark", ""),
            )
            for name, number in numbers.items()
        ]
        if self.label is None:  # Of classes `PerClass` warns, once for all of them.
            warn_of_few({None: results}, self.enough_images, self.few_images)
        return results

    def _is_better_if_larger(self, name: str) -> bool:
        larger = self.larger_is_better
        return larger if isinstance(larger, bool) else name in larger


def _error(number: float) -> float | None:
    """Returns the standard error of a number that knows it."""
    error = getattr(number, "standard_error", None)
    return None if error is None or math.isnan(error) else float(error)
