"""What a score keeps of the images it sees, batch by batch.

Several scores look at one batch; its features are extracted once for all of them.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np

from tfgan_stab.data.images import to_bytes
from tfgan_stab.evaluation.extractors.base import (
    Extractor,
    Outputs,
    checked_images,
    outputs_of,
)
from tfgan_stab.evaluation.metrics.moments import Moments, RunningMoments


class Batch:
    """Some images, and what extractors make of them, each asked once.

    Args:
        images: Floats `[batch, height, width, channels]` in [-1, 1], or other examples `[batch,
            ...]`.
        outputs: Gives an extractor's outputs where somebody has them already.
    """

    def __init__(
        self, images: np.ndarray, outputs: Callable[[Extractor], Outputs] | None = None
    ) -> None:
        self.images = images
        self._outputs = outputs
        self._known: dict[Any, Outputs] = {}

    def __len__(self) -> int:
        return len(self.images)

    def outputs(self, extractor: Extractor) -> Outputs:
        """Returns features and logits of all images."""
        key = id(extractor)
        if key not in self._known:
            ask = self._outputs
            self._known[key] = outputs_of(extractor, self.images) if ask is None else ask(extractor)
        return self._known[key]

    @functools.cached_property
    def quantized(self) -> "Batch":
        """The same images rounded to the 256 levels of a picture file; other examples as they are.

        Raises:
            ValueError: If the images are not finite or leave [-1, 1].
            TypeError: If they are not floats.
        """
        if self.images.ndim != 4:
            return self
        levels = to_bytes(checked_images(self.images))
        return Batch((levels / 127.5 - 1).astype(np.float32))

    def only(self, rows: np.ndarray | slice) -> "Batch":
        """Returns the batch of some of the images, which shares what is extracted."""

        def outputs(extractor: Extractor) -> Outputs:
            features, logits = self.outputs(extractor)
            return Outputs(features[rows], None if logits is None else logits[rows])

        return Batch(self.images[rows], outputs)


class Need(NamedTuple):
    """What will be asked of every batch.

    Attributes:
        extractor: Whose outputs.
        quantize: Whether of the quantized images.
    """

    extractor: Extractor
    quantize: bool

    def extract(self, batch: Batch) -> None:
        """Has a batch know the outputs."""
        (batch.quantized if self.quantize else batch).outputs(self.extractor)


def needs_of(scores: Iterable[Any]) -> list[Need]:
    """Returns what several scores will ask of every batch, each thing once."""
    wanted = {
        (id(score.extractor), score.quantize): Need(score.extractor, score.quantize)
        for score in scores
        if score.extractor is not None
    }
    return list(wanted.values())


class Gatherer(Protocol):
    """Keeps what a score needs of one side, real or generated."""

    def add(self, batch: Batch) -> None:
        """Takes more images in."""
        ...

    @property
    def gathered(self) -> Any:
        """What was kept of all that has come."""
        ...


class KeptMoments:
    """Keeps the moments of features.

    Args:
        extractor: Whose features.
    """

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._running = RunningMoments()

    def add(self, batch: Batch) -> None:
        """Takes the features of more images in."""
        self._running.add(batch.outputs(self._extractor).features)

    @property
    def gathered(self) -> Moments:
        """The moments of all features."""
        return self._running.moments


class KeptArrays:
    """Keeps an array of each batch, one after the other.

    Args:
        part: What to keep of a batch, `[batch, ...]`.
    """

    def __init__(self, part: Callable[[Batch], np.ndarray]) -> None:
        self._part = part
        self._kept: list[np.ndarray] = []

    def add(self, batch: Batch) -> None:
        """Takes more in."""
        self._kept.append(np.asarray(self._part(batch)))

    @property
    def gathered(self) -> np.ndarray:
        """All of it, `[samples, ...]`."""
        if len(self._kept) > 1:
            self._kept = [np.concatenate(self._kept)]
        return self._kept[0]
