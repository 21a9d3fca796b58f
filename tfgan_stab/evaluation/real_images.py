"""The real images of a score: gone through once, for the score and for its real-data baseline.

Or, in their place, statistics of their features that lie in a file.
"""

import functools
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfgan_stab._utils.files import replacing, user_path
from tfgan_stab._utils.model_hash import content_hash
from tfgan_stab._utils.progress import with_progress
from tfgan_stab.data.array_files import StoredArray, keys_in
from tfgan_stab.evaluation.accumulators import Accumulator, Batch, map_over_devices, needs_of
from tfgan_stab.evaluation.extractors.base import Extractor
from tfgan_stab.evaluation.image_source import ImageSource
from tfgan_stab.evaluation.metrics.moments import Moments

_LEAST = 4  # So that those held out have a covariance, and so have the others.
# What other tools call a mean and a covariance; only our own files have the others.
MEAN, COVARIANCE = "mu", "sigma"
_COUNT, _EXTRACTOR = "count", "extractor"
_ASYMMETRY = 1e-6  # As a share of the largest entry: of files in single precision.


class RealImages:
    """Which real images a score takes, and what it keeps of them: of some held out, and the others.

    The held-out ones stand for generated images when the baseline is measured: as many as the score
    takes, but at most half. They are drawn by the seed, one out of each stretch of the data, so
    that data in the order of their classes hold out as much of each class. The reference is what
    they are compared with: the others.

    Args:
        source: The images.
        samples: How many generated images the score takes, an integer >= 1.
        seed: Draws those that are held out, an integer >= 0.
        limit: How many real images the score takes, an integer >= 0; `None` for all there are. With
            0 all may be held out.
        label: The class whose images count; `None` for all.

    Attributes:
        held_out: What is kept of the held-out images, once they are known.
        reference: What is kept of the others.
        extracted_by: Content hash of the extractor that has seen them, if any.
    """

    def __init__(
        self,
        source: ImageSource,
        samples: int,
        seed: int = 0,
        limit: int | None = None,
        label: int | None = None,
    ) -> None:
        self.source = source
        self._samples = samples
        self._seed = seed
        self._limit = limit
        self._label = label
        self.is_known = False
        self.held_out: Any = None
        self.reference: Any = None
        self.extracted_by: str | None = None

    @property
    def pass_limit(self) -> int | None:
        """How many images a pass must see of an endless set."""
        if not self.source.is_endless:
            return None
        beside = self._samples if self._limit is None else self._limit
        return self._samples + beside

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
        random = np.random.RandomState(self._seed % 2**32)
        samples = self._samples
        if self._limit == 0:
            return _chosen(those, min(samples, len(those)), random)[0], those[:0]
        if self._limit is not None and self._limit < len(those):
            # Those that count are chosen first, so that they do not depend on `samples`.
            those, others = _chosen(those, self._limit, random)
            if len(others) >= min(samples, self._limit // 2):
                return _chosen(others, min(samples, len(others)), random)[0], those
        return _chosen(those, min(samples, len(those) // 2), random)

    @property
    def count(self) -> int:
        """How many images generated ones are compared with."""
        held_out, reference = self.rows
        return len(reference) + (0 if self.reference_is_enough else len(held_out))

    @property
    def reference_is_enough(self) -> bool:
        """Whether the reference is all that generated images are compared with."""
        return self._limit is not None and len(self.rows[1]) >= self._limit

    @property
    def description(self) -> str:
        """Name and hash of the images, once they are known, such as "digits@1a2b3c4d"."""
        return f"{self.source.name}@{self.source.content_hash}"

    def keep(self, held_out: Any, reference: Any, extracted_by: str | None) -> None:
        """Notes what is kept of each kind of images, and which network has seen them."""
        self.held_out, self.reference = held_out, reference
        self.extracted_by = extracted_by
        self.is_known = True

    def check_extractor(self, extractor: Extractor | None) -> None:
        """Refuses a network that has learnt since it has seen the images.

        Raises:
            RuntimeError: If its weights are others.
        """
        if extractor is not None and self.extracted_by != extractor.content_hash:
            raise RuntimeError(
                f"Real and generated images must be seen by the same network. Received: "
                f"{extractor.name!r} with other weights than those that the real images were "
                "seen with. Score by a copy that is not trained, or make a new score."
            )


class FeatureStatistics:
    """Mean and covariance of real images' features, from a file, in the place of the images.

    The file is a `.npz` of `mu`, `[features]`, and `sigma`, `[features, features]`, as pytorch-fid
    and others write and publish them. Those that `write_statistics` wrote also say how many images
    they are of, and which extractor has seen these.

    Args:
        path: The file.

    Attributes:
        count: How many images they are of; `None` if the file does not say.
        description: What protocols call them, such as "statistics cifar10@1a2b3c4d".
        reference: The moments.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no such statistics.
    """

    held_out = None
    reference_is_enough = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = user_path(path)
        keys = keys_in(str(self.path)) or []
        if not holds_statistics(keys):
            raise ValueError(
                f"Expected statistics of features in {self.path}: `{MEAN}` and `{COVARIANCE}`. "
                f"Received: {sorted(keys) or 'no .npz file'}. Images of a file are given as "
                "tgs.data.arrays(path)."
            )
        wanted = {MEAN, COVARIANCE, _COUNT, _EXTRACTOR} & set(keys)
        found = {key: StoredArray(str(self.path), key).whole() for key in wanted}
        mean, covariance = self._checked(found[MEAN], found[COVARIANCE])
        self.count = int(found[_COUNT]) if _COUNT in found else None
        self._extractor = str(found[_EXTRACTOR]) if _EXTRACTOR in found else None
        # Of two samples the scatter is the covariance.
        self.reference = Moments(2, mean, covariance)
        name = self.path.stem.replace(" ", "-")
        self.description = f"statistics {name}@{content_hash([mean, covariance])[:8]}"

    def check_extractor(self, extractor: Extractor) -> None:
        """Refuses another extractor than that of the statistics, if the file says which.

        Raises:
            ValueError: If it is another one.
        """
        if self._extractor not in (None, extractor_line(extractor)):
            raise ValueError(
                f"Expected the extractor that the statistics in {self.path} were taken with, "
                f"{self._extractor}. Received: {extractor_line(extractor)}. Use that one, or "
                "statistics of this one."
            )

    def check_size(self, features: int) -> None:
        """Refuses features of another size than those of the statistics.

        Raises:
            ValueError: If the size is another.
        """
        size = self.reference.mean.size
        if features != size:
            raise ValueError(
                f"Expected an extractor of {size} features, of which {self.path} holds statistics. "
                f"Received: one of {features}. Use the extractor that they were taken with."
            )

    def _checked(self, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns both in float64, or says what is wrong with them."""
        shapes = list(mean.shape), list(covariance.shape)
        wrong = ""
        if mean.ndim != 1 or not mean.size or shapes[1] != 2 * shapes[0]:
            wrong = f"shapes {shapes[0]} and {shapes[1]}"
        elif {mean.dtype.kind, covariance.dtype.kind} - set("fiu"):
            wrong = f"dtypes {mean.dtype} and {covariance.dtype}"
        elif not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            wrong = "NaN or infinity"
        elif np.abs(covariance - covariance.T).max() > _ASYMMETRY * np.abs(covariance).max():
            wrong = "a covariance that is not symmetric"
        elif covariance.diagonal().min() < 0:
            wrong = "a negative variance"
        if wrong:
            raise ValueError(
                f"Expected {self.path} to hold a mean, `{MEAN}` [features], and a covariance, "
                f"`{COVARIANCE}` [features, features]. Received: {wrong}. Obtain the file again, "
                "or take the statistics anew."
            )
        return mean.astype(np.float64), covariance.astype(np.float64)


def holds_statistics(keys: Sequence[str]) -> bool:
    """Whether arrays of these names are statistics of features."""
    return {MEAN, COVARIANCE} <= set(keys)


def write_statistics(
    path: str | os.PathLike[str], moments: Moments, count: int | None, extractor: Extractor
) -> None:
    """Writes mean and covariance to a `.npz` file as pytorch-fid does, and what they are of.

    Args:
        path: The file, whose name ends in `.npz`; one that is there is replaced.
        moments: Those of the features.
        count: How many images they are of; `None` if that is not known.
        extractor: What has seen the images.

    Raises:
        ValueError: If the name ends otherwise.
        OSError: If the file cannot be written.
    """
    path = user_path(path)
    if path.suffix != ".npz":
        raise ValueError(
            f"Statistics are written to files that end in .npz. Received: {path}. Add the ending."
        )
    arrays: dict[str, Any] = {MEAN: moments.mean, COVARIANCE: moments.covariance}
    arrays[_EXTRACTOR] = np.array(extractor_line(extractor))
    if count is not None:
        arrays[_COUNT] = np.array(count)
    with replacing(path) as draft:
        np.savez(draft, **arrays)


def named(extractor: Extractor) -> str:
    """Returns what protocols call an extractor: its name and content hash."""
    return f"{extractor.name}@{extractor.content_hash}"


def extractor_line(extractor: Extractor) -> str:
    """Returns all that decides an extractor's features."""
    parts = (getattr(extractor, part, "") for part in ("layer", "preprocessing"))
    return "/".join([named(extractor), *filter(None, parts)])


class Reading(NamedTuple):
    """What a score wants to know of its real images.

    Attributes:
        real_images: Which images; they keep what is found.
        held_out: An empty accumulator for those held out.
        reference: One for the others.
        extractor: What extracts features; `None` if nothing does.
        quantize: Whether images are rounded to 256 levels first.
    """

    real_images: RealImages
    held_out: Accumulator
    reference: Accumulator
    extractor: Extractor | None
    quantize: bool

    @property
    def pass_key(self) -> tuple[Any, int | None]:
        """What is the same for readings that go through the images together."""
        return self.real_images.source.identity, self.real_images.pass_limit

    def add(self, batch: Batch, rows: np.ndarray) -> None:
        """Adds the images that it wants to the accumulator that wants them.

        Args:
            batch: Images.
            rows: Which images of the whole data these are, sorted.
        """
        both = zip(self.real_images.rows, (self.held_out, self.reference), strict=True)
        for wanted, accumulator in both:
            begin, end = np.searchsorted(wanted, [rows[0], rows[-1] + 1])
            own = np.searchsorted(rows, wanted[begin:end])  # All of them are here.
            if own.size:
                accumulator.add((batch.quantized if self.quantize else batch).only(own))

    def end(self) -> None:
        """Keeps what has been found."""
        both = zip(self.real_images.rows, (self.held_out, self.reference), strict=True)
        held_out, reference = (each.result() if len(rows) else None for rows, each in both)
        extracted_by = None if self.extractor is None else self.extractor.content_hash
        self.real_images.keep(held_out, reference, extracted_by)


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
    readings: Iterable[Reading | None], devices: Sequence[str] = (), show: bool = False
) -> None:
    """Goes through the real images of several scores: once where they are the same images.

    Args:
        readings: What each score wants; `None` for one that wants nothing more.
        devices: Names of the devices that extract features, all at once; `()` for where
            TensorFlow puts it.
        show: Whether to show a progress bar, if it takes over 2 seconds.
    """
    passes: dict[Any, list[Reading]] = {}
    for reading in filter(None, readings):
        passes.setdefault(reading.pass_key, []).append(reading)
    for together in passes.values():
        _one_pass(together, devices, show)


def _one_pass(readings: Sequence[Reading], devices: Sequence[str], show: bool) -> None:
    source, limit = readings[0].real_images.source, readings[0].real_images.pass_limit
    needs = needs_of(readings)
    wanted = np.unique(np.concatenate([rows for r in readings for rows in r.real_images.rows]))
    picker = _Picker(wanted)
    batches = (picker.pick(images) for images in source.batches(limit))
    extracted = map_over_devices((b for b in batches if len(b)), needs, devices)
    given = 0
    doing = f"real images of {source.name}"
    for batch in with_progress(extracted, len(wanted), doing, show=show, leave=False):
        for reading in readings:
            reading.add(batch, wanted[given : given + len(batch)])
        given += len(batch)
    for reading in readings:
        reading.real_images.source.share(source)
        reading.end()


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
