"""A score for each class of a class-conditional generator, and their mean."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfgan_stab.evaluation.image_source import ImageSource
from tfgan_stab.evaluation.real_images import RealImages, read_real_images
from tfgan_stab.evaluation.results import INFERENCE, Protocol, ScoreResult, all_of, warn_of_few
from tfgan_stab.evaluation.samples import Sample, match_classes
from tfgan_stab.evaluation.score import Score

_MEAN = "{}_class_mean"


class PerClass:
    """Another score, of each class alone: images of a class against real images of that class.

    A generator may be good on the whole and miss a class, or take one for another. Each class draws
    `samples` images of its own. Its numbers are called "fid_class_3", say, and their mean
    "fid_class_mean": for FID, the intra-FID. The 3 is the class's number among the real images;
    classes with names are compared with generated ones of the same name (see `match_classes`).

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
        if not isinstance(score, Score) or not isinstance(score.real_images, RealImages):
            raise TypeError(
                "`score` must be a score with real images, such as tgs.FID('digits', data). "
                f"Received: {score!r}."
            )
        self.name = f"{score.name}_per_class"
        self.samples, self.seed = score.samples, score.seed
        source = ImageSource(score.real_images.source.images, labelled=True)
        self.classes = source.classes
        self._chosen = classes is not None
        labels = np.array([*self.classes]) if classes is None else np.atleast_1d(classes)
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

    def match(self, generated: Mapping[int, str] | None, labels: Any = None) -> None:
        """Has each class draw the generated class of the same name.

        Args:
            generated: The name of each class that can be generated, by its number; `None` if there
                are none, or it is not known.
            labels: What other scores draw; each class draws itself.

        Raises:
            ValueError: If a class is only on one side, unless the classes to score were chosen.
        """
        if generated is None:
            return
        wanted = {each.label for each in self.components} if self._chosen else None
        matched = match_classes(self.classes, generated, wanted)
        for each in self.components:
            if each.label in matched:
                each.generated_label = matched[each.label]

    def collect(self, results: list[list[ScoreResult]]) -> list[ScoreResult]:
        """Returns the numbers of all classes, followed by their means."""
        one = self.components[0]
        of_class = dict(zip((each.label for each in self.components), results, strict=True))
        warn_of_few(of_class, one.enough_images, one.few_images)
        by_name = [
            {result.name.removesuffix(f"_class_{each.label}"): result for result in own}
            for each, own in zip(self.components, results, strict=True)
        ]
        # The baseline of a class with few images may lack the numbers of large samples.
        names = [name for name in by_name[0] if all(name in own for own in by_name)]
        means = [self._mean(name, [own[name] for own in by_name]) for name in names]
        told = [self._told(result, label) for label, own in of_class.items() for result in own]
        return [*told, *means]

    def of_generator(self, draw: Callable[[Sample], Iterator[np.ndarray]]) -> list[ScoreResult]:
        """Returns the numbers of what a function draws for a sample, as `Score.of_generator`."""
        return self.collect([each.of_generator(draw) for each in self.components])

    def baseline(self) -> list[ScoreResult]:
        """Returns each class's score of real images against other real images, and the means."""
        read_real_images([each.reading() for each in self.components])
        return self.collect([all_of(each.baseline()) for each in self.components])

    def protocol(self, note: str = INFERENCE) -> list[Protocol]:
        """Returns how the numbers of each class are measured."""
        return [line for each in self.components for line in all_of(each.protocol(note))]

    def _told(self, result: ScoreResult, label: Any) -> ScoreResult:
        """Returns a number with the name of its class, if that has one."""
        name = self.classes.get(label, str(label))
        if name == str(label):
            return result
        remark = "; ".join(filter(None, [f"class {name!r}", result.remark]))
        return dataclasses.replace(result, remark=remark)

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
