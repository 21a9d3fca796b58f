"""Several scores of one generator: images are drawn once, and features extracted once.

Scores that draw by the same seed see the same images; a score that takes fewer takes the first.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfgan_stab._utils.progress import with_progress
from tfgan_stab.evaluation.accumulators import Batch, Gatherer, needs_of
from tfgan_stab.evaluation.extractors.devices import spread, waiting
from tfgan_stab.evaluation.image_source import BATCH_SIZE, rebatched
from tfgan_stab.evaluation.measures import INFERENCE, Sample
from tfgan_stab.evaluation.real_images import gather
from tfgan_stab.evaluation.results import ScoreResult, all_of
from tfgan_stab.evaluation.score import Score

Draw = Callable[[Sample], Iterator[np.ndarray]]
"""Gives batches of the generated images that a score asks for; the same each time."""


def measure(
    scores: Sequence[Any],
    draw: Draw,
    note: str = INFERENCE,
    devices: Sequence[str] = (),
    show: bool = False,
) -> list[list[ScoreResult]]:
    """Returns the numbers of each of several scores, in their order.

    Args:
        scores: Scores, such as `tgs.FID(...)`.
        draw: Called with a `Sample`; returns batches of images.
        note: What the caller knows of how images are made, for the protocols.
        devices: Names of the devices that extract features, all at once.
        show: Whether to show progress bars where something takes over 2 seconds.

    Raises:
        ValueError: If there are too few images, real or generated, or they are not such, or a score
            is given twice.

    Example:
        >>> import tfgan_stab as tgs
        >>> real = np.random.RandomState(0).uniform(-1, 1, [300, 8, 8, 1]).astype("float32")
        >>> fid = tgs.FID("digits", real, samples=200)
        >>> [[result]] = measure([fid], lambda sample: [real[: sample.count]])
        >>> result.name
        'fid'
    """
    parts = [part for score in scores for part in score.parts]
    if len(set(map(id, parts))) < len(parts):
        raise ValueError("Each score must be given once. Received: one twice. Leave it out.")
    gather([part.compared_with for part in parts if part.compared_with is not None], devices, show)
    gathered: dict[int, Any] = {}
    for sample in _samples(parts):
        same = [part for part in parts if _key(part.sample) == _key(sample)]
        gathered.update(_gathered(same, draw(sample), sample.count, devices, show))
    with waiting(len(parts), show) as done:
        return [
            score.collected(
                [
                    done(part.name, part.results, gathered.pop(id(part)), note)
                    for part in score.parts
                ]
            )
            for score in scores
        ]


def rehearse(scores: Sequence[Any], draw: Draw) -> None:
    """Shows each score some images of each side, so that what does not fit is said at once.

    Args:
        scores: Scores, such as `tgs.FID(...)`.
        draw: As in `measure`; asked for all that the scores will ask for, and for one batch.

    Raises:
        ValueError: If images of either side, or their classes, are not such as a score takes.
        TypeError: If they are of another type, or an extractor does not give what a score needs.

    Example:
        >>> import tfgan_stab as tgs
        >>> fid = tgs.FID("digits", np.zeros([300, 8, 8, 1], "float32"), samples=200)
        >>> rehearse([fid], lambda sample: iter([np.zeros([sample.count, 8, 8, 1], "float32")]))
    """
    for part in [part for score in scores for part in score.parts]:
        draw(part.sample)  # Draws nothing yet, but says if there is no such class.
    for part in [part for score in scores for part in score.parts[:1]]:
        least = dataclasses.replace(part.sample, count=min(part.samples, BATCH_SIZE))
        _show(part, part.gatherer(), draw(least))
        if part.compared_with is not None:
            _show(part, part.real_gatherer(), part.compared_with.source.batches(limit=1))


def _show(part: Score, gatherer: Gatherer, batches: Iterator[np.ndarray]) -> None:
    """Has a gatherer look at the first image."""
    for images in batches:
        first = Batch(np.asarray(images)[:1])
        gatherer.add(first.quantized if part.quantize else first)
        return


def floors(
    scores: Sequence[Any], devices: Sequence[str] = (), show: bool = False
) -> list[list[ScoreResult]]:
    """Returns what real images score against other real images: what is perfect, for each score.

    Args:
        scores: Scores; those that know no real images have no floor, an empty list.
        devices: As in `measure`.
        show: As in `measure`.
    """
    parts = [part for score in scores for part in score.parts]
    gather([part.reals for part in parts if part.reals is not None], devices, show)
    return [
        [] if any(part.reals is None for part in score.parts) else all_of(score.floor())
        for score in scores
    ]


def _samples(parts: Sequence[Score]) -> list[Sample]:
    """Returns the samples to draw, one for all scores that take their images from it."""
    largest: dict[tuple[int, int | None], Sample] = {}
    for part in parts:
        before = largest.setdefault(_key(part.sample), part.sample)
        largest[_key(before)] = max(before, part.sample, key=lambda sample: sample.count)
    return list(largest.values())


def _key(sample: Sample) -> tuple[int, int | None]:
    return sample.seed, sample.label


def _gathered(
    parts: Sequence[Score],
    images: Iterator[np.ndarray],
    count: int,
    devices: Sequence[str],
    show: bool,
) -> dict[int, Any]:
    """Returns what each score has kept of the first images that it takes."""
    gatherers: list[tuple[Score, Gatherer]] = [(part, part.gatherer()) for part in parts]
    batches = (Batch(batch) for batch in rebatched(images, BATCH_SIZE, count))
    extracted = spread(batches, needs_of(parts), devices)
    given = 0
    for batch in with_progress(extracted, count, "generated images", show=show, leave=False):
        for part, gatherer in gatherers:
            rows = slice(0, max(0, part.samples - given))
            if rows.stop:
                shown = batch.quantized if part.quantize else batch
                gatherer.add(shown if rows.stop >= len(batch) else shown.only(rows))
        given += len(batch)
    return {id(part): gatherer.gathered for part, gatherer in gatherers}
