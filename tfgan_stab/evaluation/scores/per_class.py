"""A score for each class of a class-conditional generator, and their mean."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from tfgan_stab.evaluation.image_source import ImageSource
from tfgan_stab.evaluation.real_images import read_real_images
from tfgan_stab.evaluation.results import INFERENCE, Protocol, ScoreResult, all_of
from tfgan_stab.evaluation.score import Score

_MEAN = "{}_class_mean"


class PerClass:
    """Another score, of each class alone: images of a class against real images of that class.

    A generator may be good on the whole and miss a class, or take one for another. Each class draws
    `samples` images of its own. Its numbers are called "fid_class_3", say, and their mean
    "fid_class_mean": for FID, the intra-FID.

    Each class keeps its own real side: for FID of 2,048 features about 130 MB.

    Args:
        score: The score, such as `tgs.FID(...)`, or what makes one when it is called with `real`.
            The real images must come with labels: a data set of `tgs.data` loaded with
            `labels=True`, a `tf.data.Dataset` of pairs, or a pair of arrays.
        real: The real images, where `score` is to be made.
        classes: Which classes, integers >= 0; all that the labels hold unless given.

    Raises:
        TypeError: If `score` neither is a score nor makes one.
        ValueError: If its real images have no labels, or not 4 of a class.

    Example:
        >>> import tfgan_stab as tgs
        >>> real = np.random.RandomState(0).uniform(-1, 1, [300, 8, 8, 1]).astype("float32")
        >>> fid = tgs.FID("digits", (real, np.arange(300) % 3), samples=100)
        >>> tgs.PerClass(fid).names
        ['fid_class_0', 'fid_class_1', 'fid_class_2', 'fid_class_mean']

    Reference:
        Miyato and Koyama, "cGANs with Projection Discriminator", 2018, section 4.2: the intra-FID
        (from memory). Departures: any score.
    """

    def __init__(self, score: Any, real: Any = None, classes: Any = None) -> None:
        if real is not None and callable(score) and not isinstance(score, Score):
            score = score(real=real)
        if not isinstance(score, Score) or score.real_images is None:
            raise TypeError(
                "`score` must be a score with real images, such as tgs.FID('digits', data). "
                f"Received: {score!r}."
            )
        self.name = f"{score.name}_per_class"
        self.samples, self.seed = score.samples, score.seed
        source = ImageSource(score.real_images.source.images, labelled=True)
        labels = np.unique(source.labels) if classes is None else np.atleast_1d(classes)
        if len(set(labels)) < len(labels):
            raise ValueError(f"`classes` must name each class once. Received: {classes!r}.")
        self.components = [score.of_class(source, int(label)) for label in labels]
        if not self.components:
            raise ValueError(f"`classes` must name a class. Received: {classes!r}. Leave it out.")
        self._score = score

    @property
    def names(self) -> list[str]:
        """The names of all numbers."""
        means = [_MEAN.format(name) for name in self._score.names]
        return [*(name for each in self.components for name in each.names), *means]

    def collect(self, results: list[list[ScoreResult]]) -> list[ScoreResult]:
        """Returns the numbers of all classes, followed by their means."""
        by_name = [
            {result.name.removesuffix(f"_class_{each.label}"): result for result in own}
            for each, own in zip(self.components, results, strict=True)
        ]
        # The baseline of a class with few images may lack the numbers of large samples.
        names = [name for name in by_name[0] if all(name in own for own in by_name)]
        means = [self._mean(name, [own[name] for own in by_name]) for name in names]
        return [*itertools.chain(*results), *means]

    def baseline(self) -> list[ScoreResult]:
        """Returns each class's score of real images against other real images, and the means."""
        read_real_images([each.reading() for each in self.components])
        return self.collect([all_of(each.baseline()) for each in self.components])

    def protocol(self, note: str = INFERENCE) -> list[Protocol]:
        """Returns how the numbers of each class are measured."""
        return [line for each in self.components for line in all_of(each.protocol(note))]

    def _mean(self, name: str, column: list[ScoreResult]) -> ScoreResult:
        """Returns the mean of a number over classes."""
        first, protocols = column[0], [result.protocol for result in column]
        samples = first.protocol.samples
        if first.protocol.held_out:  # As many as each class has; generated ones are asked for.
            sizes = itertools.zip_longest(*(each.samples for each in protocols), fillvalue=0)
            samples = tuple(map(sum, sizes))
        real = [each.real_samples for each in protocols if each.real_samples is not None]
        protocol = dataclasses.replace(
            first.protocol,
            name=_MEAN.format(name),
            label=None,
            classes=tuple(each.label for each in protocols if each.label is not None),
            real_samples=sum(real) if real else None,
            samples=samples,
            # What is wrong with the number of a class is wrong with the mean.
            flaws=tuple(dict.fromkeys(itertools.chain(*(each.flaws for each in protocols)))),
        )
        mean = float(np.mean([result.value for result in column]))
        return ScoreResult(protocol.name, mean, protocol, first.larger_is_better)
