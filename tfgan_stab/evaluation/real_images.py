"""The real images of a score: gone through once, for the score and for its real-data baseline."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfgan_stab._utils.progress import with_progress
from tfgan_stab.evaluation.accumulators import Accumulator, Batch, map_over_devices, needs_of
from tfgan_stab.evaluation.extractors.base import Extractor
from tfgan_stab.evaluation.image_source import ImageSource

_LEAST = 4  # So that those held out have a covariance, and so have the others.


class RealImages:
    """Which real images a score takes, and what it keeps of them: of some held out, and the others.

    The held-out ones stand for generated images when the baseline is measured: as many as the score
    takes, but at most half. They are drawn by the seed, one out of each stretch of the data, so
    that data in the order of their classes hold out as much of each class. The reference is what
    they are compared with: the others.

    Args:
        source: The images.
        samples: How many generated images the score takes, an integer >= 1.
        seed: Draws those that are held out, an integer >= 0.
        limit: How many real images the score takes, an integer >= 0; `None` for all there are. With
            0 all may be held out.
        label: The class whose images count; `None` for all.

    Attributes:
        held_out: What is kept of the held-out images, once they are known.
        reference: What is kept of the others.
        extracted_by: Content hash of the extractor that has seen them, if any.
    """

    def __init__(
        self,
        source: ImageSource,
        samples: int,
        seed: int = 0,
        limit: int | None = None,
        label: int | None = None,
    ) -> None:
        self.source = source
        self._samples = samples
        self._seed = seed
        self._limit = limit
        self._label = label
        self.is_known = False
        self.held_out: Any = None
        self.reference: Any = None
        self.extracted_by: str | None = None

    @property
    def pass_limit(self) -> int | None:
        """How many images a pass must see of an endless set."""
        if not self.source.is_endless:
            return None
        beside = self._samples if self._limit is None else self._limit
        return self._samples + beside

    @functools.cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Which images are held out and which are the reference, each sorted.

        Raises:
            ValueError: If there are fewer than 4.
        """
        if self._label is None:
            those = np.arange(self.pass_limit or self.source.count)
        else:
            those = np.flatnonzero(self.source.labels == self._label)
        if len(those) < _LEAST:
            of_class = "" if self._label is None else f" of class {self._label}"
            raise ValueError(
                f"A score needs at least {_LEAST} real images{of_class}. Received: {len(those)}."
            )
        # RandomState's stream is frozen, Generator's may change with NumPy's version.
        random = np.random.RandomState(self._seed % 2**32)
        samples = self._samples
        if self._limit == 0:
            return _chosen(those, min(samples, len(those)), random)[0], those[:0]
        if self._limit is not None and self._limit < len(those):
            # Those that count are chosen first, so that they do not depend on `samples`.
            those, others = _chosen(those, self._limit, random)
            if len(others) >= min(samples, self._limit // 2):
                return _chosen(others, min(samples, len(others)), random)[0], those
        return _chosen(those, min(samples, len(those) // 2), random)

    @property
    def count(self) -> int:
        """How many images generated ones are compared with."""
        held_out, reference = self.rows
        return len(reference) + (0 if self.reference_is_enough else len(held_out))

    @property
    def reference_is_enough(self) -> bool:
        """Whether the reference is all that generated images are compared with."""
        return self._limit is not None and len(self.rows[1]) >= self._limit

    @property
    def description(self) -> str:
        """Name and hash of the images, once they are known, such as "digits@1a2b3c4d"."""
        return f"{self.source.name}@{self.source.content_hash}"

    def keep(self, held_out: Any, reference: Any, extracted_by: str | None) -> None:
        """Notes what is kept of each kind of images, and which network has seen them."""
        self.held_out, self.reference = held_out, reference
        self.extracted_by = extracted_by
        self.is_known = True


class Reading(NamedTuple):
    """What a score wants to know of its real images.

    Attributes:
        real_images: Which images; they keep what is found.
        held_out: An empty accumulator for those held out.
        reference: One for the others.
        extractor: What extracts features; `None` if nothing does.
        quantize: Whether images are rounded to 256 levels first.
    """

    real_images: RealImages
    held_out: Accumulator
    reference: Accumulator
    extractor: Extractor | None
    quantize: bool

    @property
    def pass_key(self) -> tuple[Any, int | None]:
        """What is the same for readings that go through the images together."""
        return self.real_images.source.identity, self.real_images.pass_limit

    def add(self, batch: Batch, rows: np.ndarray) -> None:
        """Adds the images that it wants to the accumulator that wants them.

        Args:
            batch: Images.
            rows: Which images of the whole data these are, sorted.
        """
        both = zip(self.real_images.rows, (self.held_out, self.reference), strict=True)
        for wanted, accumulator in both:
            begin, end = np.searchsorted(wanted, [rows[0], rows[-1] + 1])
            own = np.searchsorted(rows, wanted[begin:end])  # All of them are here.
            if own.size:
                accumulator.add((batch.quantized if self.quantize else batch).only(own))

    def end(self) -> None:
        """Keeps what has been found."""
        both = zip(self.real_images.rows, (self.held_out, self.reference), strict=True)
        held_out, reference = (each.result() if len(rows) else None for rows, each in both)
        extracted_by = None if self.extractor is None else self.extractor.content_hash
        self.real_images.keep(held_out, reference, extracted_by)


def _chosen(
    rows: np.ndarray, count: int, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Returns `count` of sorted rows, one at random out of each of as many stretches; the others.

    The stretches are of equal length.
    """
    edges = np.arange(count + 1) * len(rows) // count
    picked = edges[:-1] + (random.random_sample(count) * np.diff(edges)).astype(np.int64)
    return rows[picked], np.setdiff1d(rows, rows[picked], assume_unique=True)


def read_real_images(
    readings: Iterable[Reading | None], devices: Sequence[str] = (), show: bool = False
) -> None:
    """Goes through the real images of several scores: once where they are the same images.

    Args:
        readings: What each score wants; `None` for one that wants nothing more.
        devices: Names of the devices that extract features, all at once; `()` for where
            TensorFlow puts it.
        show: Whether to show a progress bar, if it takes over 2 seconds.
    """
    passes: dict[Any, list[Reading]] = {}
    for reading in filter(None, readings):
        passes.setdefault(reading.pass_key, []).append(reading)
    for together in passes.values():
        _one_pass(together, devices, show)


def _one_pass(readings: Sequence[Reading], devices: Sequence[str], show: bool) -> None:
    source, limit = readings[0].real_images.source, readings[0].real_images.pass_limit
    needs = needs_of(readings)
    wanted = np.unique(np.concatenate([rows for r in readings for rows in r.real_images.rows]))
    picker = _Picker(wanted)
    batches = (picker.pick(images) for images in source.batches(limit))
    extracted = map_over_devices((b for b in batches if len(b)), needs, devices)
    given = 0
    doing = f"real images of {source.name}"
    for batch in with_progress(extracted, len(wanted), doing, show=show, leave=False):
        for reading in readings:
            reading.add(batch, wanted[given : given + len(batch)])
        given += len(batch)
    for reading in readings:
        reading.real_images.source.share(source)
        reading.end()


class _Picker:
    """Picks the wanted images out of batches that come one after the other."""

    def __init__(self, wanted: np.ndarray) -> None:
        self._wanted = wanted
        self._first = 0

    def pick(self, images: np.ndarray) -> Batch:
        begin, end = np.searchsorted(self._wanted, [self._first, self._first + len(images)])
        rows = self._wanted[begin:end] - self._first
        self._first += len(images)
        return Batch(images if len(rows) == len(images) else images[rows])
