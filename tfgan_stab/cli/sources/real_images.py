"""The real images that generated ones are scored against: a data set's, or ones lying somewhere."""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab.cli.sources.contract import Source
from tfgan_stab.cli.sources.kinds import Kind, SourceError, kind_of, workdir_of
from tfgan_stab.cli.sources.opening import open_source
from tfgan_stab.cli.sources.runs import data_of
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.registry import KINDS, SETS, load


class StoredReals:
    """Images that lie somewhere, with as much of `Batches` as scores ask for.

    Args:
        source: The images; they have an end.
        name: What protocols call them.
    """

    def __init__(self, source: Source, name: str) -> None:
        self.source = source
        self.name = name
        self.num_examples = source.count
        self.num_classes = source.num_classes
        self._shape = next(iter(source.draw(1))).shape[1:]

    def examples(self, limit: int | None = None) -> tf.data.Dataset:
        """Gives the images without labels, once, in their order; see `Batches.examples`.

        Args:
            limit: Examples at most, an integer >= 1; `None` for all there are.
        """
        count = self.num_examples or 0
        wanted = count if limit is None else min(limit, count)
        return tf.data.Dataset.from_generator(
            lambda: self.source.draw(wanted),
            output_signature=tf.TensorSpec([None, *self._shape], tf.float32),
        )

    def labelled_examples(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Gives the images with their classes, batch by batch; see `examples`.

        Raises:
            ValueError: If they have no classes.
        """
        count = self.num_examples or 0
        labels = self.source.labels(count)
        if labels is None:
            raise ValueError(
                f"A score per class needs real images with labels. Received: {self.name}, which "
                "has none. Put the pictures of each class into a folder of its own."
            )
        given = 0
        for images in self.source.draw(count):
            yield images, labels[given : given + len(images)]
            given += len(images)


def open_real(
    real: str | None,
    source: str,
    size: int | None = None,
    channels: int | None = None,
    labels: bool = False,
) -> Batches | StoredReals:
    """Returns the real images to score a source against.

    Args:
        real: A name that `tgs.data.load` knows, a folder of pictures, or a `.npz` or `.npy` file;
            `None` for what a run trains on.
        source: The path of the source that is scored.
        size: Height and width that a folder's pictures are resized to, an integer >= 1.
        channels: 1 or 3, for a folder's pictures.
        labels: Whether a data set that is loaded by its name gives its classes.

    Returns:
        What has `name`, `num_examples`, `num_classes` and `examples(limit)`.

    Raises:
        FileNotFoundError: If nothing lies there.
        ValueError: If there are no real images there, or none are known for the source.
        OSError: If something cannot be read.

    Example:
        >>> open_real("digits", "samples.npz").num_examples
        1797
    """
    if real is None:
        return data_of(_run_of(source))
    if real in SETS or real.partition(":")[0] in KINDS:
        settings: dict[str, Any] = {}
        if real.startswith("image_folder:"):
            settings = {
                name: value
                for name, value in (("size", size), ("channels", channels))
                if value is not None
            }
        if labels and not real.startswith("arrays:"):  # They want an array there.
            settings["labels"] = True
        return load(real, **settings)
    if _kind_of(real).generates:
        raise SourceError(
            f"Real images are a data set's, or lie in a folder or an array. Received: {real}, "
            f"{kind_of(real).value}. Write samples of it first, with scripts/sample.py."
        )
    source_of_reals = open_source(real, size=size, channels=channels)
    return StoredReals(source_of_reals, pathlib.Path(real).expanduser().resolve().name)


def _run_of(source: str) -> pathlib.Path:
    kind = kind_of(source)
    if not kind.trained:
        raise SourceError(
            f"--real is missing: {source}, {kind.value}, does not tell which images are real. Try "
            "--real=tfds:cifar10, or a folder of pictures."
        )
    return pathlib.Path(source).expanduser() if kind is Kind.WORKDIR else workdir_of(source)


def _kind_of(real: str) -> Kind:
    try:
        return kind_of(real)
    except FileNotFoundError as error:
        names = ", ".join([*SETS, *(f"{kind}:..." for kind in KINDS)])
        raise FileNotFoundError(
            f"--real={real} is neither a path nor a data set, which are {names}. {error}"
        ) from error
