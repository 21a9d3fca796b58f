"""The real side of a score: gathered once, in parts, for scores and for their floor."""

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tfgan_stab._utils.progress import with_progress
from tfgan_stab.evaluation.accumulators import Batch, Gatherer, needs_of
from tfgan_stab.evaluation.extractors.devices import spread
from tfgan_stab.evaluation.image_source import ImageSource

_LEAST = 4  # So that either part has a covariance.


class Keeper(Protocol):
    """What the real side asks of its score; see `Score`."""

    extractor: Any
    samples: int
    seed: int
    quantize: bool

    def gatherer(self) -> Gatherer:
        """Returns an empty keeper of generated images."""
        ...

    def held_gatherer(self, count: int) -> Gatherer:
        """Returns an empty keeper of so many real images that stand for generated ones."""
        ...

    def real_gatherer(self) -> Gatherer:
        """Returns an empty keeper of real images."""
        ...

    def combined(self, rest: Any, held: Any) -> Any:
        """Returns what a `real_gatherer` would have kept of both."""
        ...


class Reals:
    """What a score keeps of its real images: of some of them held out, and of the rest.

    The held-out ones stand for generated images when the floor is measured: as many as the score
    takes, but at most half. They are drawn by the seed, one out of each stretch of the data, so
    that data in the order of their classes hold out as much of each class.

    Args:
        source: The images.
        keeper: What is kept of them, and how many are held out: the score.
        limit: How many real images the score takes, an integer >= 0; `None` for all there are. With
            0 all may stand for generated ones.
        label: The class whose images count; `None` for all.
    """

    def __init__(
        self,
        source: ImageSource,
        keeper: Keeper,
        limit: int | None = None,
        label: int | None = None,
    ) -> None:
        self.source = source
        self.keeper = keeper
        self._limit = limit
        self._label = label
        self._parts: tuple[Any, Any] | None = None
        self._reference: Any = None
        self._extracted_by: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the images have been gone through."""
        return self._parts is not None

    @property
    def pass_limit(self) -> int | None:
        """How many images a pass must see of an endless set."""
        return self.keeper.samples + self._beside_held if self.source.is_endless else None

    @functools.cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Which images are held out and which are the rest, each sorted.

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
        random = np.random.RandomState(self.keeper.seed % 2**32)
        samples = self.keeper.samples
        if self._limit == 0:
            return _chosen(those, min(samples, len(those)), random)[0], those[:0]
        if self._limit is not None and self._limit < len(those):
            # Those that count are chosen first, so that they do not depend on `samples`.
            those, others = _chosen(those, self._limit, random)
            if len(others) >= min(samples, self._limit // 2):
                return _chosen(others, min(samples, len(others)), random)[0], those
        return _chosen(those, min(samples, len(those) // 2), random)

    @property
    def held(self) -> Any:
        """What is kept of the held-out images."""
        return self._known_parts[0]

    @property
    def rest(self) -> Any:
        """What is kept of the others."""
        return self._known_parts[1]

    @property
    def reference(self) -> Any:
        """What is kept of all images that a score compares with."""
        held, rest = self._known_parts
        if self._reference is None:
            enough = self._rest_is_enough
            self._reference = rest if enough else self.keeper.combined(rest, held)
        return self._reference

    @property
    def count(self) -> int:
        """How many images a score compares with."""
        held, rest = self.rows
        return len(rest) if self._rest_is_enough else len(held) + len(rest)

    @property
    def description(self) -> str:
        """Name and hash of the images, for protocols, such as "digits@1a2b3c4d"."""
        _ = self._known_parts
        return f"{self.source.name}@{self.source.content_hash}"

    @property
    def _extractor_now(self) -> str | None:
        extractor = self.keeper.extractor
        return None if extractor is None else extractor.content_hash

    @property
    def _beside_held(self) -> int:
        return self.keeper.samples if self._limit is None else self._limit

    @property
    def _rest_is_enough(self) -> bool:
        return self._limit is not None and len(self.rows[1]) >= self._limit

    @property
    def _known_parts(self) -> tuple[Any, Any]:
        if self._parts is None:
            gather([self])
        if self._extracted_by != self._extractor_now:
            raise RuntimeError(
                f"Real and generated images must be seen by the same network. Received: "
                f"{self.keeper.extractor.name!r} with other weights than those that the real "
                "images were seen with. Score by a copy that is not trained, or make a new score."
            )
        return self._parts  # type: ignore[return-value]

    def start(self) -> list[tuple[np.ndarray, Gatherer]]:
        """Returns both parts' rows with an empty gatherer for each."""
        held, rest = self.rows
        return [(held, self.keeper.held_gatherer(len(held))), (rest, self.keeper.real_gatherer())]

    def settle(self, parts: Sequence[tuple[np.ndarray, Gatherer]]) -> None:
        """Notes what the gatherers have kept."""
        held, rest = (gatherer.gathered if len(rows) else None for rows, gatherer in parts)
        self._parts = held, rest
        self._extracted_by = self._extractor_now


def _chosen(
    rows: np.ndarray, count: int, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Returns `count` of sorted rows, spread out, and all others."""
    chosen = rows[_spread_out(len(rows), count, random)]
    return chosen, np.setdiff1d(rows, chosen, assume_unique=True)


def _spread_out(count: int, chosen: int, random: np.random.RandomState) -> np.ndarray:
    """Returns `chosen` of `count` numbers, one at random out of each of as many even stretches."""
    edges = np.arange(chosen + 1) * count // chosen
    return edges[:-1] + (random.random_sample(chosen) * np.diff(edges)).astype(np.int64)


def gather(
    sides: Sequence[Reals],
    devices: Sequence[str] = (),
    show: bool = False,
) -> None:
    """Goes through the images of several scores: once where they are the same images.

    Args:
        sides: The real sides; those that are known already cost nothing.
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


def _one_pass(sides: Sequence[Reals], devices: Sequence[str], show: bool) -> None:
    source, limit = sides[0].source, sides[0].pass_limit
    needs = needs_of([side.keeper for side in sides])
    parts = [side.start() for side in sides]
    wanted = np.unique(np.concatenate([rows for part in parts for rows, _ in part]))
    numbers = _Numbers(wanted)
    batches = (numbers.picked(images) for images in source.batches(limit))
    extracted = spread((b for b in batches if len(b)), needs, devices)
    given = 0
    doing = f"real images of {source.name}"
    for batch in with_progress(extracted, len(wanted), doing, show=show, leave=False):
        here = wanted[given : given + len(batch)]
        given += len(batch)
        for side, part in zip(sides, parts, strict=True):
            for rows, gatherer in part:
                begin, end = np.searchsorted(rows, [here[0], here[-1] + 1])
                own = np.searchsorted(here, rows[begin:end])  # All of them are here.
                if own.size:
                    gatherer.add((batch.quantized if side.keeper.quantize else batch).only(own))
    for side, part in zip(sides, parts, strict=True):
        side.source.share(source)
        side.settle(part)


class _Numbers:
    """Picks the wanted images out of batches that come one after the other."""

    def __init__(self, wanted: np.ndarray) -> None:
        self._wanted = wanted
        self._first = 0

    def picked(self, images: np.ndarray) -> Batch:
        begin, end = np.searchsorted(self._wanted, [self._first, self._first + len(images)])
        rows = self._wanted[begin:end] - self._first
        self._first += len(images)
        return Batch(images if len(rows) == len(images) else images[rows])
