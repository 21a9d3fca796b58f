"""A score for each class of a class-conditional generator, and their mean."""

import copy
from typing import Any

import numpy as np

from tfgan_stab.evaluation.image_source import ImageSource
from tfgan_stab.evaluation.measures import INFERENCE
from tfgan_stab.evaluation.real_images import gather
from tfgan_stab.evaluation.results import ScoreResult, all_of
from tfgan_stab.evaluation.score import Score
from tfgan_stab.evaluation.scores.fid import SINGULAR

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
        if not isinstance(score, Score) or score.reals is None:
            raise TypeError(
                "`score` must be a score with real images, such as tgs.FID('digits', data). "
                f"Received: {score!r}."
            )
        self.name = f"{score.name}_per_class"
        self.samples, self.seed = score.samples, score.seed
        self.larger_is_better = score.larger_is_better
        source = ImageSource(score.reals.source.images, labelled=True)
        labels = np.unique(source.labels) if classes is None else np.atleast_1d(classes)
        if len(set(labels)) < len(labels):
            raise ValueError(f"`classes` must name each class once. Received: {classes!r}.")
        self.parts = [_of_class(score, source, int(label)) for label in labels]
        if not self.parts:
            raise ValueError(f"`classes` must name a class. Received: {classes!r}. Leave it out.")
        self._score = score

    @property
    def names(self) -> list[str]:
        """The names of all numbers."""
        means = [_MEAN.format(name) for name in self._score.names]
        return [*(name for part in self.parts for name in part.names), *means]

    def collected(self, results: list[list[ScoreResult]]) -> list[ScoreResult]:
        """Returns the numbers of all classes, followed by their means."""
        means = [self._mean(column) for column in zip(*results, strict=True)]
        return [*(result for several in results for result in several), *means]

    def floor(self) -> list[ScoreResult]:
        """Returns each class's score of real images against other real images, and the means."""
        gather([part.reals for part in self.parts if part.reals is not None])
        return self.collected([all_of(part.floor()) for part in self.parts])

    def protocol(self, note: str = INFERENCE) -> list[str]:
        """Returns how the numbers of each class are measured."""
        return [line for part in self.parts for line in all_of(part.protocol(note))]

    def _mean(self, column: tuple[ScoreResult, ...]) -> ScoreResult:
        """Returns the mean of a number over classes."""
        name = _MEAN.format(column[0].name.removesuffix(f"_class_{self.parts[0].label}"))
        labels = ",".join(str(part.label) for part in self.parts)
        columns = zip(*(_pieces(result) for result in column), strict=True)
        pieces = [_of_all(of_classes, labels) for of_classes in columns]
        # What is wrong with the number of a class is wrong with the mean.
        flaws = dict.fromkeys(flaw for result in column for flaw in _flaws(result))
        mean = float(np.mean([result.value for result in column]))
        protocol = "/".join([name, *pieces, *flaws])
        return ScoreResult(name, mean, protocol, column[0].larger_is_better)


def _flaws(result: ScoreResult) -> list[str]:
    return [piece for piece in result.protocol.split("/") if piece == SINGULAR]


def _pieces(result: ScoreResult) -> list[str]:
    """Returns a protocol without the name of its number and what is wrong with it."""
    return [piece for piece in result.protocol.split("/")[1:] if piece != SINGULAR]


def _of_all(pieces: tuple[str, ...], labels: str) -> str:
    """Returns what the protocols of all classes say at one place: of real images how many in all.

    As many generated ones are asked for of each class.
    """
    key, _, rest = pieces[0].partition("=")
    if key == "class":
        return f"classes={labels}"
    if key == "real" or (key == "fake" and " real" in rest):
        counts = [int(piece.partition("=")[2].split()[0]) for piece in pieces]
        return " ".join([f"{key}={sum(counts)}", *rest.split(" ", 1)[1:]])
    return pieces[0]


def _of_class(score: Score, source: ImageSource, label: int) -> Score:
    """Returns a score for one class; all of them go through the real images together."""
    part = copy.copy(score)
    part.label = label
    part.reals = part._reals_of(source, label)
    return part
