"""Real images from wherever they are: how many, which classes, in which batches, which bytes."""

import collections
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab.data.batches import Batches
from tfgan_stab.data.image_decoding import extremes, to_bytes, warn_of_half_range
from tfgan_stab.data.streams import reason_of

# Images per step where nobody asks for another number.
BATCH_SIZE = 256


class ImageSource:
    """The real images of a score, to be gone through as often as needed, in one order.

    Args:
        images: A data set of `tgs.data`, a finite `tf.data.Dataset` of batches or of tuples of
            images and labels, an array `[samples, ...]`, or a pair of arrays, images and labels.
        labelled: Whether to give labels beside the images.

    Attributes:
        class_counts: How many images each class has, by its number, known after one pass; `None`
            where they have no classes.

    Raises:
        ValueError: If labels are asked for and there are none, or the data set is endless.
        TypeError: If `images` is a name.
    """

    def __init__(self, images: Any, labelled: bool = False) -> None:
        self.images = images
        self.labelled = labelled
        self._hash: str | None = None
        self.class_counts: dict[int, int] | None = None
        if isinstance(images, (str, os.PathLike)):
            raise TypeError(
                "Real images must be a data set of tgs.data, a tf.data.Dataset or an array. "
                f"Received: {images!r}. Use tgs.data.load('digits'), or tgs.data.image_folder(...)."
                " Files of statistics, `mu` and `sigma`, are for the FID."
            )
        _check_pair(images)
        if labelled:
            _check_labelled(images)
        if isinstance(images, tf.data.Dataset) and not isinstance(images, Batches):
            if images.cardinality() == tf.data.INFINITE_CARDINALITY:
                raise ValueError(
                    "Real images must end for their statistics to be taken. Received: an endless "
                    "data set. Pass one pass over it, such as dataset.take(n)."
                )

    @property
    def identity(self) -> tuple[int, bool]:
        """What two sources share that give the same images in the same order."""
        return id(self.images), self.labelled

    @property
    def is_endless(self) -> bool:
        """Whether examples are made up as they are asked for."""
        return isinstance(self.images, Batches) and self.images.num_examples is None

    @property
    def name(self) -> str:
        """What it is called in protocols, without slashes."""
        kind = "dataset" if isinstance(self.images, tf.data.Dataset) else "array"
        return str(getattr(self.images, "name", None) or kind).replace("/", "-").replace(" ", "-")

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """All labels, int `[samples]`, in the order of the images.

        Raises:
            ValueError: If they are not one integer for each image.
        """
        pieces = [labels for _, labels in self._batches(None) if self.labelled]
        labels = np.concatenate(pieces) if pieces else np.zeros([0], np.int32)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError(
                "Labels must be integers [samples], one for each image. Received: "
                f"{labels.dtype} {list(labels.shape)}. Take np.argmax of one-hot labels."
            )
        return labels

    @functools.cached_property
    def classes(self) -> dict[int, str]:
        """The name of each class that has images, by its number: the number if it has no other."""
        return self.names_of(np.unique(self.labels).tolist())

    def names_of(self, numbers: Iterable[int]) -> dict[int, str]:
        """Returns the names of some classes."""
        names = getattr(self.images, "class_names", None)  # As Keras' sets from folders have.
        if isinstance(self.images, Batches):
            names = self.images.example_set.metadata().get("class_names")
        known = dict(enumerate(() if names is None else names))
        return {number: known.get(number, str(number)) for number in numbers}

    @functools.cached_property
    def count(self) -> int:
        """How many images there are; goes through them where nothing else tells."""
        if isinstance(self.images, Batches):
            return self.images.num_examples or 0
        if isinstance(self.images, tf.data.Dataset) or hasattr(self.images, "examples"):
            return sum(len(images) for images, _ in self._batches(None))
        return len(self.images[0] if _is_pair(self.images) else self.images)

    @property
    def content_hash(self) -> str:
        """8 hex digits of what the images show, whatever their order; known after one pass.

        Of a source that gives labels they count too.

        Raises:
            RuntimeError: If no pass has ended yet.
        """
        if self._hash is None:
            raise RuntimeError("The hash of real images is known once they have been gone through.")
        return self._hash

    def share(self, other: "ImageSource") -> None:
        """Takes over what another source of the same images has found out of them."""
        self._hash, self.class_counts = other._hash, other.class_counts

    def batches(self, limit: int | None = None) -> Iterator[np.ndarray]:
        """Goes through the images, `BATCH_SIZE` at a time, and notes what they show.

        Args:
            limit: How many of an endless set, an integer >= 1.

        Raises:
            ValueError: If labels come in another order than before, or images cannot be read.
        """
        digest, seen = 0, 0
        for images in watched("Real images", rebatched(self._checked_batches(limit), BATCH_SIZE)):
            labels = (
                self.labels[seen : seen + len(images)] if self.labelled else [None] * len(images)
            )
            seen += len(images)
            digest += sum(map(_number, _shown(images), labels))
            yield images
        self._hash = hashlib.sha256(str(digest).encode()).hexdigest()[:8]

    def _checked_batches(self, limit: int | None) -> Iterator[np.ndarray]:
        """Yields images; those of each class are looked for where the labels said they are."""
        seen, classes = 0, _ClassCounts()
        for images, labels in self._batches(limit):
            classes.add(labels)
            if self.labelled:
                if not np.array_equal(labels, self.labels[seen : seen + len(labels)]):
                    raise ValueError(
                        "Real images with labels must come in the same order each time. Received: "
                        "another order than the last time. Leave out shuffle(), or write "
                        "shuffle(..., reshuffle_each_iteration=False)."
                    )
                seen += len(labels)
            yield images
        self.class_counts = None if self.is_endless else classes.found

    def _batches(self, limit: int | None) -> Iterator[tuple[np.ndarray, Any]]:
        """Yields pairs of images and labels; labels are `None` where there are none."""
        if isinstance(self.images, tf.data.Dataset) or hasattr(self.images, "examples"):
            try:
                for element in self._elements(limit):
                    columns = element if isinstance(element, tuple) else (element,)
                    labels = np.asarray(columns[1]) if len(columns) > 1 else None
                    yield np.asarray(columns[0]), labels
            except tf.errors.OpError as error:
                raise ValueError(f"Real images cannot be read: {reason_of(error)}.") from error
        else:
            images, labels = self.images if _is_pair(self.images) else (self.images, None)
            for start in range(0, len(images), BATCH_SIZE):
                rows = slice(start, start + BATCH_SIZE)
                own = None if labels is None else np.asarray(labels[rows])
                yield np.asarray(images[rows]), own

    def _elements(self, limit: int | None) -> Iterable[Any]:
        """Returns one pass over the batches of a data set."""
        if isinstance(self.images, Batches):
            return self.images.examples(limit, self.images.num_classes is not None)
        if hasattr(self.images, "examples"):  # Such as a wrapped data set.
            return self.images.examples(limit) if limit else self.images.examples()
        return self.images


def _is_pair(images: Any) -> bool:
    return isinstance(images, tuple) and len(images) == 2


def _check_pair(images: Any) -> None:
    if _is_pair(images) and len(images[0]) != len(images[1]):
        raise ValueError(
            "A pair of real images and labels needs a label for each image. Received: "
            f"{len(images[0])} images and {len(images[1])} labels. Pass as many; images alone are "
            "passed without a tuple around them."
        )


def _check_labelled(images: Any) -> None:
    has_labels = (
        images.num_classes is not None
        if isinstance(images, Batches)
        else isinstance(images.element_spec, tuple) and len(images.element_spec) >= 2
        if isinstance(images, tf.data.Dataset)
        else _is_pair(images)
    )
    if isinstance(images, Batches) and images.num_examples is None:
        raise ValueError(
            "A score per class needs real images that end. Received: endless data "
            f"{images.name!r}. Pass a pair (images, labels) taken from them."
        )
    if not has_labels:
        raise ValueError(
            "A score per class needs real images with labels. Received: none. Load the data with "
            "labels=True, pass a pair (images, labels), or put the pictures of each class into a "
            "folder of its own."
        )


def _shown(images: np.ndarray) -> np.ndarray:
    """Pictures as bytes, so that machines that step differently find the same."""
    if images.ndim != 4 or images.dtype.kind != "f":
        return np.ascontiguousarray(images)
    return to_bytes(np.nan_to_num(images))


def watched(name: str, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields batches; warns at their end if they are pictures with values between 0 and 1 only.

    Args:
        name: What the pictures are called in the message.
        batches: Arrays `[batch, ...]`; what is not finite is told elsewhere.
    """
    seen = np.array([np.inf, -np.inf])
    for images in batches:
        if images.ndim == 4 and images.dtype.kind == "f":
            low, high = extremes(images)
            seen = np.array([min(seen[0], low), max(seen[1], high)])
        yield images
    if 0 <= seen[0] < seen[1]:
        warn_of_half_range(name, seen, stacklevel=3)


class _ClassCounts:
    """Counts how many examples each class has, of labels that come in batches."""

    def __init__(self) -> None:
        self._counts: collections.Counter[int] = collections.Counter()
        self._are_classes = True

    def add(self, labels: Any) -> None:
        """Takes the labels of more examples in: integers `[batch]`, or one-hot rows."""
        classes = _classes_of(labels) if self._are_classes else None
        if classes is None:
            self._are_classes = False
        else:
            numbers, counts = np.unique(classes, return_counts=True)
            self._counts.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))

    @property
    def found(self) -> dict[int, int] | None:
        """How many each class has; `None` if labels are missing, or others than classes."""
        return dict(sorted(self._counts.items())) if self._are_classes else None


def _classes_of(labels: Any) -> np.ndarray | None:
    """Returns the classes that labels stand for; `None` if they are something else."""
    if labels is None or labels.dtype.kind not in "iuf" or labels.ndim not in (1, 2):
        return None
    if labels.ndim == 2 and labels.shape[1] > 1:
        is_one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
        return labels.argmax(axis=1) if is_one_hot else None
    return labels.ravel() if labels.dtype.kind != "f" else None


def _number(image: Any, label: Any) -> int:
    # Texts as they are: an array pads them to its longest, which is another in another order.
    text = image.encode() if isinstance(image, str) else image
    shown = (text if isinstance(text, bytes) else text.tobytes()) + (
        b"" if label is None else f" class {label}".encode()
    )
    return int.from_bytes(hashlib.sha256(shown).digest()[:16], "little")


def rebatched(
    batches: Iterable[ArrayLike], batch_size: int, samples: int | None = None
) -> Iterator[np.ndarray]:
    """Yields the images of batches of any sizes in batches of one size; the last may be smaller.

    Args:
        batches: Arrays or tensors `[batch, ...]`.
        batch_size: Images per batch yielded, an integer >= 1.
        samples: Stop after so many images, without asking for more; by default take all.

    Raises:
        ValueError: If fewer than `samples` images come, or they differ in size.

    Example:
        >>> [len(batch) for batch in rebatched([np.zeros([5, 2]), np.zeros([4, 2])], 3, samples=8)]
        [3, 3, 2]
    """
    waiting: list[np.ndarray] = []
    taken = 0
    for batch in batches:
        images = np.asarray(batch)[: None if samples is None else samples - taken]
        taken += len(images)
        waiting.append(images)
        if sum(map(len, waiting)) >= batch_size:
            joined = _joined(waiting)
            whole = len(joined) // batch_size * batch_size
            yield from np.split(joined[:whole], whole // batch_size)
            waiting = [joined[whole:]]
        if taken == samples:
            break
    if samples is not None and taken < samples:
        raise ValueError(
            f"The score needs {samples} images. Received: {taken}. "
            "Lower `samples` or generate more."
        )
    if sum(map(len, waiting)):
        yield _joined(waiting)


def _joined(batches: list[np.ndarray]) -> np.ndarray:
    shapes = {batch.shape[1:] for batch in batches}
    if len(shapes) > 1:
        listed = " and ".join(sorted(str(list(shape)) for shape in shapes))
        raise ValueError(
            f"All images must have one size. Received: shapes {listed}. Resize or crop them."
        )
    return np.concatenate(batches)
