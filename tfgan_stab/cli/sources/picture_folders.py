"""A folder of pictures, read as they are stored: other programs' samples, or real photographs."""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils.progress import with_progress
from tfgan_stab.cli.sources.contract import BATCH
from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.cli.sources.stored_images import StoredImages
from tfgan_stab.data import folders, images
from tfgan_stab.data.pipeline import finish, parallel_map


class PictureFolder(StoredImages):
    """The pictures of a folder and the folders in it, in the order of their paths.

    If all of them lie in sub-folders, of which there are several, those are their classes, as
    `tgs.data.image_folder(..., labels=True)` counts them.

    Args:
        directory: The folder.
        size: Cuts out the largest square and resizes it to this height and width, an integer >= 1;
            by default pictures stay as they are, and must be of one size.
        channels: 1 for gray, 3 for color; by default 3 if any picture has color.

    Raises:
        SourceError: If a picture cannot be read, or sizes differ.
        ValueError: If no pictures are there, or a number is out of range.
    """

    def __init__(
        self, directory: pathlib.Path, size: int | None = None, channels: int | None = None
    ) -> None:
        images.check_size_and_channels(size, channels)
        paths = folders.find_pictures(str(directory))
        shapes = _shapes(paths)
        if size is None:
            _check_one_size(directory, paths, shapes)
        self._size = size
        self._channels = channels or (3 if any(shape[-1] >= 3 for shape in shapes) else 1)
        classes, names = _classes(str(directory), paths)
        pixels = "uint8" if size is None else "float32"
        super().__init__(str(directory), len(paths), pixels, classes, len(names) if names else None)
        with tf.device("CPU:0"):
            self._paths = tf.constant(paths)

    def _read(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        numbers = tf.data.Dataset.from_tensor_slices(indices)
        batches = finish(parallel_map(numbers, self._picture).batch(BATCH))
        for batch in batches:
            yield images.to_float(batch).numpy()

    def _picture(self, index: tf.Tensor) -> tf.Tensor:
        picture = images.decode(tf.io.read_file(self._paths[index]))
        picture = images.with_channels(picture, self._channels)
        return picture if self._size is None else images.crop_and_resize(picture, self._size)


def _shapes(paths: list[str]) -> list[tuple[int, ...]]:
    """Returns every picture's shape; decodes them all, so that a damaged one is found now."""
    found = parallel_map(
        tf.data.Dataset.from_tensor_slices(paths).enumerate(),
        lambda index, path: (index, tf.shape(images.decode(tf.io.read_file(path)))),
    )
    batches = found.ignore_errors().batch(BATCH).as_numpy_iterator()
    each = with_progress(batches, len(paths), "checking", lambda batch: len(batch[0]))
    shapes = {
        index: tuple(shape)
        for indices, several in each
        for index, shape in zip(indices.tolist(), several.tolist(), strict=True)
    }
    damaged = [path for index, path in enumerate(paths) if index not in shapes]
    if damaged:
        raise SourceError(
            f"{len(damaged)} of {len(paths)} pictures cannot be read, such as {damaged[0]}: "
            f"{folders.damage_of(damaged[0])}. Mend or remove them."
        )
    return [shapes[index] for index in range(len(paths))]


def _check_one_size(directory: Any, paths: list[str], shapes: list[tuple[int, ...]]) -> None:
    other = next((i for i, shape in enumerate(shapes) if shape[:2] != shapes[0][:2]), None)
    if other is not None:
        raise SourceError(
            f"The pictures of {directory} must be of one size. Received: {paths[0]} of "
            f"{list(shapes[0][:2])} and {paths[other]} of {list(shapes[other][:2])}. Bring them to "
            "one size, or give --size=64: the largest square of each, resized."
        )


def _classes(directory: str, paths: list[str]) -> tuple[list[int] | None, list[str] | None]:
    parents = {pathlib.Path(path).relative_to(directory).parts[0] for path in paths}
    loose = any(pathlib.Path(path).parent == pathlib.Path(directory) for path in paths)
    if loose or len(parents) == 1:
        return None, None
    return folders.classes_of(directory, paths)
