"""Several scores of one generator: images are drawn once, and features extracted once.

Scores that draw by the same seed see the same images; a score that takes fewer takes the first.
"""

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tqdm

from tfgan_stab._utils.progress import PATIENCE, with_progress
from tfgan_stab.evaluation.accumulators import Accumulator, Batch, map_over_devices, needs_of
from tfgan_stab.evaluation.image_source import BATCH_SIZE, rebatched, watched
from tfgan_stab.evaluation.real_images import RealImages, read_real_images
from tfgan_stab.evaluation.results import INFERENCE, ScoreResult, all_of
from tfgan_stab.evaluation.samples import Sample
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
    components = _components(scores)
    if len(set(map(id, components))) < len(components):
        raise ValueError("Each score must be given once. Received: one twice. Leave it out.")
    compared = [each.reading() for each in components if each.compares]
    read_real_images(compared, devices, show)
    kept: dict[int, Any] = {}
    for sample in _samples(components):
        same = [each for each in components if _key(each.sample) == _key(sample)]
        kept.update(_accumulated(same, draw(sample), sample.count, devices, show))
    results = []
    with tqdm.tqdm(
        total=len(components), unit="score", delay=PATIENCE, leave=False, disable=not show
    ) as bar:
        for score in scores:
            of_components = []
            for each in score.components:
                bar.set_description(f"computing {each.name}", refresh=False)
                of_components.append(each.results(kept.pop(id(each)), note))
                bar.update()
            results.append(score.collect(of_components))
    return results


def validate(scores: Sequence[Any], draw: Draw) -> None:
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
        >>> validate([fid], lambda sample: iter([np.zeros([sample.count, 8, 8, 1], "float32")]))
    """
    for each in _components(scores):
        draw(each.sample)  # Draws nothing yet, but says if there is no such class.
    for first in [score.components[0] for score in scores]:
        least = dataclasses.replace(first.sample, count=min(first.samples, BATCH_SIZE))
        fake = _show(first, first.accumulator(), draw(least))
        if isinstance(first.compared_with, RealImages):
            source = first.compared_with.source
            real = _show(first, first.real_accumulator(), source.batches(limit=1))
            _warn_of_sizes(first.name, fake, real)


def _warn_of_sizes(name: str, fake: tuple[int, ...], real: tuple[int, ...]) -> None:
    """Warns if pictures of both sides differ in size, and their extractor takes any."""
    if len(fake) == len(real) == 3 and fake != real:
        warnings.warn(
            f"{name!r} compares generated pictures of shape {list(fake)} with real ones of shape "
            f"{list(real)}, and so measures their size too. Give real ones of the same size.",
            UserWarning,
            stacklevel=3,
        )


def _show(score: Score, accumulator: Accumulator, batches: Iterator[np.ndarray]) -> tuple[int, ...]:
    """Has an accumulator look at the first image; returns its shape."""
    for images in batches:
        first = Batch(np.asarray(images)[:1])
        accumulator.add(first.quantized if score.quantize else first)
        return tuple(first.images.shape[1:])
    return ()


def baselines(
    scores: Sequence[Any], devices: Sequence[str] = (), show: bool = False
) -> list[list[ScoreResult]]:
    """Returns what real images score against other real images: the best score to expect, of each.

    Args:
        scores: Scores; those that know no real images, or only statistics of them, have no
            baseline, an empty list.
        devices: As in `measure`.
        show: As in `measure`.
    """
    read_real_images([each.reading() for each in _components(scores)], devices, show)
    return [
        []
        if not all(isinstance(each.real_images, RealImages) for each in score.components)
        else all_of(score.baseline())
        for score in scores
    ]


def _components(scores: Sequence[Any]) -> list[Score]:
    return [each for score in scores for each in score.components]


def _samples(components: Sequence[Score]) -> list[Sample]:
    """Returns the samples to draw, one for all scores that take their images from it."""
    largest: dict[Any, Sample] = {}
    for each in components:
        before = largest.setdefault(_key(each.sample), each.sample)
        largest[_key(before)] = max(before, each.sample, key=lambda sample: sample.count)
    return list(largest.values())


def _key(sample: Sample) -> tuple[Any, ...]:
    return sample.seed, sample.label, sample.shares


def _accumulated(
    components: Sequence[Score],
    images: Iterator[np.ndarray],
    count: int,
    devices: Sequence[str],
    show: bool,
) -> dict[int, Any]:
    """Returns what each score has kept of the first images that it takes."""
    accumulators = [(each, each.accumulator()) for each in components]
    of_one_size = rebatched(images, BATCH_SIZE, count)
    if components[0].label is None:  # All of one class may be bright.
        of_one_size = watched("Generated images", of_one_size)
    batches = map(Batch, of_one_size)
    extracted = map_over_devices(batches, needs_of(components), devices)
    given = 0
    for batch in with_progress(extracted, count, "generated images", show=show, leave=False):
        for score, accumulator in accumulators:
            rows = slice(0, max(0, score.samples - given))
            if rows.stop:
                shown = batch.quantized if score.quantize else batch
                accumulator.add(shown if rows.stop >= len(batch) else shown.only(rows))
        given += len(batch)
    return {id(score): accumulator.result() for score, accumulator in accumulators}
