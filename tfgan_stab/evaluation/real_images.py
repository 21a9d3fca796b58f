"""The real images of a score: gone through once, for the score and for its real-data baseline."""

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tfgan_stab._utils.progress import with_progress
from tfgan_stab.evaluation.accumulators import Accumulator, Batch, map_over_devices, needs_of
from tfgan_stab.evaluation.image_source import ImageSource

_LEAST = 4  # So that those held out have a covariance, and so have the others.


class _Score(Protocol):
    """What real images ask of their score; see `Score`."""

    extractor: Any
    samples: int
    seed: int
    quantize: bool

    def held_out_accumulator(self, count: int) -> Accumulator: ...
    def real_accumulator(self) -> Accumulator: ...
    def combine(self, reference: Any, held_out: Any) -> Any: ...


class RealImages:
    """What a score keeps of its real images: of some that are held out, and of the reference.

    The held-out ones stand for generated images when the baseline is measured: as many as the score
    takes, but at most half. They are drawn by the seed, one out of each stretch of the data, so
    that data in the order of their classes hold out as much of each class. The reference is what
    they are compared with: the others.

    Args:
        source: The images.
        score: Says what is kept of them, and how many are held out.
        limit: How many real images the score takes, an integer >= 0; `None` for all there are. With
            0 all may be held out.
        label: The class whose images count; `None` for all.
    """

    def __init__(
        self,
        source: ImageSource,
        score: _Score,
        limit: int | None = None,
        label: int | None = None,
    ) -> None:
        self.source = source
        self.score = score
        self._limit = limit
        self._label = label
        self._kept: tuple[Any, Any] | None = None
        self._statistics: Any = None
        self._extracted_by: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the images have been gone through."""
        return self._kept is not None

    @property
    def pass_limit(self) -> int | None:
        """How many images a pass must see of an endless set."""
        if not self.source.is_endless:
            return None
        beside = self.score.samples if self._limit is None else self._limit
        return self.score.samples + beside

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
        random = np.random.RandomState(self.score.seed % 2**32)
        samples = self.score.samples
        if self._limit == 0:
            return _chosen(those, min(samples, len(those)), random)[0], those[:0]
        if self._limit is not None and self._limit < len(those):
            # Those that count are chosen first, so that they do not depend on `samples`.
            those, others = _chosen(those, self._limit, random)
            if len(others) >= min(samples, self._limit // 2):
                return _chosen(others, min(samples, len(others)), random)[0], those
        return _chosen(those, min(samples, len(those) // 2), random)

    @property
    def held_out(self) -> Any:
        """What is kept of the held-out images."""
        return self._known[0]

    @property
    def reference(self) -> Any:
        """What is kept of the images that held-out ones are compared with."""
        return self._known[1]

    @property
    def statistics(self) -> Any:
        """What is kept of all images that generated ones are compared with."""
        held_out, reference = self._known
        if self._statistics is None:
            enough = self._reference_is_enough
            self._statistics = reference if enough else self.score.combine(reference, held_out)
        return self._statistics

    @property
    def count(self) -> int:
        """How many images generated ones are compared with."""
        held_out, reference = self.rows
        return len(reference) + (0 if self._reference_is_enough else len(held_out))

    @property
    def description(self) -> str:
        """Name and hash of the images, for protocols, such as "digits@1a2b3c4d"."""
        _ = self._known
        return f"{self.source.name}@{self.source.content_hash}"

    @property
    def _extractor_now(self) -> str | None:
        extractor = self.score.extractor
        return None if extractor is None else extractor.content_hash

    @property
    def _reference_is_enough(self) -> bool:
        return self._limit is not None and len(self.rows[1]) >= self._limit

    @property
    def _known(self) -> tuple[Any, Any]:
        """What is kept of the held-out images and of the reference."""
        if self._kept is None:
            read_real_images([self])
        if self._extracted_by != self._extractor_now:
            raise RuntimeError(
                f"Real and generated images must be seen by the same network. Received: "
                f"{self.score.extractor.name!r} with other weights than those that the real "
                "images were seen with. Score by a copy that is not trained, or make a new score."
            )
        return self._kept  # type: ignore[return-value]

    def begin(self) -> list[tuple[np.ndarray, Accumulator]]:
        """Returns the rows of both kinds of images with an empty accumulator for each."""
        held_out, reference = self.rows
        return [
            (held_out, self.score.held_out_accumulator(len(held_out))),
            (reference, self.score.real_accumulator()),
        ]

    def end(self, kinds: Sequence[tuple[np.ndarray, Accumulator]]) -> None:
        """Notes what the accumulators have kept."""
        held_out, reference = (each.result() if len(rows) else None for rows, each in kinds)
        self._kept = held_out, reference
        self._extracted_by = self._extractor_now


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
    sides: Sequence[RealImages], devices: Sequence[str] = (), show: bool = False
) -> None:
    """Goes through the real images of several scores: once where they are the same images.

    Args:
        sides: The real images of each score; those that are known already cost nothing.
        devices: Names of the devices that extract features, all at once; `()` for where
            TensorFlow puts it.
        show: Whether to show a progress bar, if it takes over 2 seconds.
    """
    waiting = [side for side in sides if not side.is_known]
    while waiting:
        first = waiting[0]
        together = [
            side
            for side in waiting
            if side.source.identity == first.source.identity and side.pass_limit == first.pass_limit
        ]
        _one_pass(together, devices, show)
        waiting = [side for side in waiting if not side.is_known]


def _one_pass(sides: Sequence[RealImages], devices: Sequence[str], show: bool) -> None:
    source, limit = sides[0].source, sides[0].pass_limit
    needs = needs_of([side.score for side in sides])
    kinds = [side.begin() for side in sides]
    wanted = np.unique(np.concatenate([rows for both in kinds for rows, _ in both]))
    picker = _Picker(wanted)
    batches = (picker.pick(images) for images in source.batches(limit))
    extracted = map_over_devices((b for b in batches if len(b)), needs, devices)
    given = 0
    doing = f"real images of {source.name}"
    for batch in with_progress(extracted, len(wanted), doing, show=show, leave=False):
        here = wanted[given : given + len(batch)]
        given += len(batch)
        for side, both in zip(sides, kinds, strict=True):
            for rows, accumulator in both:
                begin, end = np.searchsorted(rows, [here[0], here[-1] + 1])
                own = np.searchsorted(here, rows[begin:end])  # All of them are here.
                if own.size:
                    seen = batch.quantized if side.score.quantize else batch
                    accumulator.add(seen.only(own))
    for side, both in zip(sides, kinds, strict=True):
        side.source.share(source)
        side.end(both)


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
