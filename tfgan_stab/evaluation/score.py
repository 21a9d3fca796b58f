"""What every score is: images in, numbers with their protocol out.

A score says what it keeps of each side and what it computes from that. How images are drawn, and
that several scores share them, is not its affair.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.accumulators import Batch, Gatherer
from tfgan_stab.evaluation.extractors.base import Extractor, as_extractor, extraction
from tfgan_stab.evaluation.image_source import BATCH_SIZE, ImageSource, rebatched
from tfgan_stab.evaluation.measures import INFERENCE, Number, Sample, Sides
from tfgan_stab.evaluation.metrics.inputs import checked_count, checked_integer
from tfgan_stab.evaluation.real_images import Reals, gather
from tfgan_stab.evaluation.results import ScoreResult, one_or_all


class Score:
    """A score of generated images, alone or against real ones. Made by deriving from it.

    A derived class gives `name`, `gatherer()` and `numbers(...)`, and what it likes of the other
    methods of that section.

    Args:
        real: The real images: a data set of `tgs.data`, a finite `tf.data.Dataset` of image
            batches, or an array `[samples, height, width, channels]`; floats in [-1, 1]. `None` for
            a score that needs none; it has no floor then.
        samples: How many generated images a score takes, an integer >= `least`.
        seed: Draws the latents, and the real images that are held out for the floor; an integer >=
            0.
        extractor: What turns images into features, for scores that need it: a name, a Keras model,
            a function of images, or an `Extractor`.
        real_samples: How many real images at most, an integer >= 1; `None` for all there are.
        quantize: Whether images are rounded to the 256 levels of a picture file first, as they are
            when somebody else scores the files.

    Raises:
        TypeError: If a number is not an integer, or `extractor` cannot be called.
        ValueError: If a number is out of range, or the data set is endless.
    """

    name = "score"
    larger_is_better = False
    least = 2
    # Whether generated images are held against real ones; if not, only the floor takes those.
    compares = True

    def __init__(
        self,
        real: Any,
        samples: int,
        seed: int = 0,
        extractor: Any = None,
        real_samples: int | None = None,
        quantize: bool = False,
    ) -> None:
        checked_count("samples", samples, self.least)
        if real_samples is not None:
            checked_count("real_samples", real_samples, self.least)
        if not isinstance(quantize, bool):
            raise TypeError(f"`quantize` must be True or False. Received: {quantize!r}.")
        if real is None and self.compares:
            raise ValueError(
                f"{self.name!r} holds generated images against real ones. Received: real=None. "
                "Pass the real images."
            )
        self.samples = samples
        self.seed = validation.seed(checked_integer("seed", seed))
        self.label: int | None = None
        self.quantize = quantize
        self.extractor: Extractor | None = None if extractor is None else as_extractor(extractor)
        self._real_samples = real_samples
        self._source = None if real is None else ImageSource(real)
        self.reals = None if self._source is None else self._reals_of(self._source)

    # -- What a derived class says ----------------------------------------------------------------

    def gatherer(self) -> Gatherer:
        """Returns an empty keeper of what the score needs of one side."""
        raise TypeError(f"{type(self).__name__} must define `gatherer()`.")

    def held_gatherer(self, count: int) -> Gatherer:
        """Returns an empty keeper of `count` real images that stand for generated ones.

        They come in the order of the data, which may be that of their classes.
        """
        return self.gatherer()

    def real_gatherer(self) -> Gatherer:
        """Returns an empty keeper of what the score needs of real images."""
        return self.gatherer()

    def combined(self, rest: Any, held: Any) -> Any:
        """Returns what a `real_gatherer` would have kept of all real images.

        Args:
            rest: What a `real_gatherer` has kept: an array `[samples, ...]`, or what can be added.
            held: What a `gatherer` has kept of the images that are held out.
        """
        return np.concatenate([rest, held]) if isinstance(rest, np.ndarray) else rest + held

    def numbers(self, real: Any, fake: Any) -> list[Number]:
        """Returns the score's numbers from what was kept of both sides; `real` may be `None`."""
        raise TypeError(f"{type(self).__name__} must define `numbers(real, fake)`.")

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

    # -- What callers ask -------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The names of the numbers, with the class in them where the score is of one class."""
        return [self._titled(name) for name in self.number_names]

    @property
    def parts(self) -> "list[Score]":
        """The scores that this one is made of, each with one sample: itself, unless per class."""
        return [self]

    def collected(self, results: list[list[ScoreResult]]) -> list[ScoreResult]:
        """Returns this score's numbers, from those of its parts."""
        return [result for several in results for result in several]

    @property
    def compared_with(self) -> Reals | None:
        """The real images that generated ones are held against, if any."""
        return self.reals if self.compares else None

    @property
    def sample(self) -> Sample:
        """The generated images that the score asks for."""
        return Sample(self.samples, self.seed, self.label)

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
            # Whatever is wrong with them is said before anything is drawn.
            gather([self.compared_with])
        gatherer = self.gatherer()
        for batch in rebatched(images, BATCH_SIZE, self.samples):
            whole = Batch(batch)
            gatherer.add(whole.quantized if self.quantize else whole)
        return one_or_all(self.results(gatherer.gathered, note))

    def results(self, fake: Any, note: str = INFERENCE) -> list[ScoreResult]:
        """Returns the numbers for what a gatherer has kept of generated images."""
        real = None if self.compared_with is None else self.compared_with.reference
        return self._with_protocols(self.numbers(real, fake), self._sides(note))

    def floor(self) -> Any:
        """Returns the score of real images against other real images: what is perfect.

        As many as the score takes are held out, half of all there are at most, and scored as if
        they were generated, against the others.

        Raises:
            ValueError: If the score knows no real images.
        """
        reals = self._known_reals
        held, rest = (len(rows) for rows in reals.rows)
        # Where nothing is compared with, the protocol has no other place for the images' name.
        origin = "" if self.compares else f" {reals.description}"
        shown, notes = f"{held} real{origin}", [f"held-out-seed={self.seed}"]
        sides = Sides(rest if self.compares else None, held, shown, notes)
        return one_or_all(self._with_protocols(self.numbers(reals.rest, reals.held), sides))

    def protocol(self, note: str = INFERENCE) -> Any:
        """Returns how this score is measured, as one line; goes through the real images.

        Such as `fid/digits-classifier@1a2b3c4d/features-64/real=1797 digits@5e6f7a8b/fake=500/
        seed=0/bn=inference`. A list of lines where the score has several numbers.
        """
        sides = self._sides(note)
        return one_or_all([self.protocol_of(name, sides) for name in self.number_names])

    # -- How ---------------------------------------------------------------------------------------

    @property
    def _known_reals(self) -> Reals:
        if self.reals is None:
            raise ValueError(
                f"The floor of {self.name!r} is measured on real images. Received: real=None. "
                "Pass the real images."
            )
        return self.reals

    def _reals_of(self, source: ImageSource, label: int | None = None) -> Reals:
        return Reals(source, self, self._real_samples if self.compares else 0, label)

    def _titled(self, name: str) -> str:
        return name if self.label is None else f"{name}_class_{self.label}"

    def _sides(self, note: str) -> Sides:
        notes = [f"seed={self.seed}", *([note] if note else [])]
        count = None if self.compared_with is None else self.compared_with.count
        return Sides(count, self.samples, f"{self.samples}", notes)

    def _with_protocols(self, numbers: list[Number], sides: Sides) -> list[ScoreResult]:
        return [
            ScoreResult(
                self._titled(number.name),
                float(number.value),
                self.protocol_of(number.name, sides),
                number.larger_is_better,
                number.standard_error,
                number.remark,
            )
            for number in numbers
        ]

    def protocol_of(self, name: str, sides: Sides) -> str:
        """Returns how one of the numbers is measured.

        Args:
            name: Its name, without the class.
            sides: The images.
        """
        parts = [self._titled(name), *self._extraction(), *self.settings]
        if self.label is not None:
            parts.append(f"class={self.label}")
        if self.reals is not None and sides.real is not None:
            parts.append(f"real={sides.real} {self.reals.description}")
        parts += [f"fake={sides.shown}", *sides.notes]
        if self.quantize:
            parts.append("uint8")
        return "/".join([*parts, *self.flaws(sides.real, sides.fake)])

    def _extraction(self) -> list[str]:
        """The extractor's part: which network, which of its layers, what is done to images."""
        return [] if self.extractor is None else [extraction(self.extractor, self.layer)]
