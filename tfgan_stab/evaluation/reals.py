"""The real side of a score: gathered once, in parts, for scores and for their floor."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgan_stab.evaluation.gathering import Batch, Gatherer, Need
from tfgan_stab.evaluation.image_source import ImageSource
from tfgan_stab.evaluation.spreading import progress, spread

_LEAST = 4  # So that either part has a covariance.


class Reals:
    """What a score keeps of its real images: of some of them held out, and of the rest.

    The held-out ones stand for generated images when the floor is measured: as many as the score
    takes, but at most half. Which they are is drawn by the seed.

    Args:
        source: The images.
        samples: How many generated images the score takes, an integer >= 1.
        gatherer: Makes what keeps them.
        limit: How many real images the score takes, an integer >= 1; `None` for all there are.
        seed: Draws the held-out ones.
        label: The class whose images count; `None` for all.
        quantize: Whether images are rounded to the levels of a picture file.
    """

    def __init__(
        self,
        source: ImageSource,
        samples: int,
        gatherer: Callable[[], Gatherer],
        limit: int | None = None,
        seed: int = 0,
        label: int | None = None,
        quantize: bool = False,
    ) -> None:
        self.source = source
        self._samples = samples
        self._gatherer = gatherer
        self._limit = limit
        self._seed = seed
        self._label = label
        self.quantize = quantize
        self._parts: tuple[Any, Any] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the images have been gone through."""
        return self._parts is not None

    @property
    def pass_limit(self) -> int | None:
        """How many images a pass must see of an endless set."""
        return self._samples + (self._limit or self._samples) if self.source.is_endless else None

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
        shuffled = those[np.random.RandomState(self._seed).permutation(len(those))]
        held, rest = np.split(shuffled, [min(self._samples, len(those) // 2)])
        return np.sort(held), np.sort(rest[: self._limit])

    @property
    def held(self) -> Any:
        """What is kept of the held-out images."""
        return self._known_parts[0]

    @property
    def rest(self) -> Any:
        """What is kept of the others."""
        return self._known_parts[1]

    @functools.cached_property
    def reference(self) -> Any:
        """What is kept of all images that a score compares with."""
        return self.rest if self._rest_is_enough else self._gatherer().combined(*self._known_parts)

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
    def _rest_is_enough(self) -> bool:
        return self._limit is not None and len(self.rows[1]) >= self._limit

    @property
    def _known_parts(self) -> tuple[Any, Any]:
        if self._parts is None:
            gather([self])
        return self._parts  # type: ignore[return-value]

    def start(self) -> list[tuple[np.ndarray, Gatherer]]:
        """Returns both parts' rows with an empty gatherer for each."""
        return [(rows, self._gatherer()) for rows in self.rows]

    def settle(self, parts: Sequence[tuple[np.ndarray, Gatherer]]) -> None:
        """Notes what the gatherers have kept."""
        (_, held), (_, rest) = parts
        self._parts = held.gathered, rest.gathered


def gather(
    sides: Sequence[Reals],
    needs: Sequence[Need] = (),
    devices: Sequence[str] = (),
    show: bool = False,
) -> None:
    """Goes through the images of several scores: once where they are the same images.

    Args:
        sides: The real sides; those that are known already cost nothing.
        needs: What will be asked of the images; extracted on all devices at once.
        devices: Names of devices; `()` for where TensorFlow puts it.
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
        _one_pass(together, needs, devices, show)
        waiting = [side for side in waiting if not side.is_known]


def _one_pass(
    sides: Sequence[Reals], needs: Sequence[Need], devices: Sequence[str], show: bool
) -> None:
    source, limit = sides[0].source, sides[0].pass_limit
    parts = [side.start() for side in sides]
    wanted = np.unique(np.concatenate([rows for part in parts for rows, _ in part]))
    numbers = _Numbers(wanted)
    batches = (numbers.picked(images) for images in source.batches(limit))
    extracted = spread((b for b in batches if len(b)), needs, devices)
    given = 0
    for batch in progress(extracted, len(wanted), f"real images of {source.name}", show):
        here = wanted[given : given + len(batch)]
        given += len(batch)
        for side, part in zip(sides, parts, strict=True):
            for rows, gatherer in part:
                own = np.flatnonzero(np.isin(here, rows, assume_unique=True))
                if own.size:
                    gatherer.add((batch.quantized if side.quantize else batch).only(own))
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
