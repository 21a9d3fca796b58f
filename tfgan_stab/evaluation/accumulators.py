"""What a score keeps of the images it sees, batch by batch.

Several scores look at one batch; its features are extracted once for all of them, on all devices at
once where there are several.
"""

import collections
import concurrent.futures
import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgan_stab.data.image_decoding import to_bytes
from tfgan_stab.evaluation.extractors.base import Extractor, Outputs, outputs_of
from tfgan_stab.evaluation.metrics.inputs import checked_images
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


class Accumulator:
    """Keeps something of each batch of one side, real or generated.

    Arrays are put one after the other; anything else is added up by `+`, such as counts.

    Args:
        keep: Returns what to keep of a batch: an array `[batch, ...]`, or what can be added.
    """

    def __init__(self, keep: Callable[[Batch], Any]) -> None:
        self._keep = keep
        self._kept: list[Any] = []

    def add(self, batch: Batch) -> None:
        """Takes more images in."""
        kept = self._keep(batch)
        if self._kept and not isinstance(kept, np.ndarray):
            kept = self._kept.pop() + kept
        self._kept.append(kept)

    def result(self) -> Any:
        """Returns what was kept of all that has come."""
        if len(self._kept) > 1:
            self._kept = [np.concatenate(self._kept)]
        return self._kept[0]


class MomentsAccumulator(Accumulator):
    """Keeps the moments of features, in bounded memory.

    Args:
        keep: Returns the features of a batch.
    """

    def __init__(self, keep: Callable[[Batch], np.ndarray]) -> None:
        super().__init__(keep)
        self._running = RunningMoments()

    def add(self, batch: Batch) -> None:
        """Takes the features of more images in."""
        self._running.add(self._keep(batch))

    def result(self) -> Moments:
        """Returns the moments of all features."""
        return self._running.moments


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


def map_over_devices(
    batches: Iterable[Batch], needs: Sequence[Need], devices: Sequence[str] = ()
) -> Iterator[Batch]:
    """Yields batches in their order, with all outputs known that will be asked for.

    Batch i is extracted on device i modulo their number, so that all of them work at once. What
    comes out does not depend on their number, as far as they compute alike.

    Args:
        batches: The batches.
        needs: What will be asked for.
        devices: Names of devices, such as those of a strategy's replicas; fewer than two change
            nothing.
    """
    if len(devices) < 2:
        for batch in batches:
            yield _extracted(batch, needs, None)
        return
    source, turns = iter(batches), itertools.cycle(devices)
    # Networks are loaded or trained by whoever asks first, and only once.
    yield from (_extracted(batch, needs, next(turns)) for batch in itertools.islice(source, 1))
    with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
        running: collections.deque[concurrent.futures.Future[Batch]] = collections.deque()
        for batch in source:
            running.append(pool.submit(_extracted, batch, needs, next(turns)))
            if len(running) == len(devices):
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _extracted(batch: Batch, needs: Sequence[Need], device: str | None) -> Batch:
    with contextlib.nullcontext() if device is None else tf.device(device):
        for need in needs:
            need.extract(batch)
    return batch
