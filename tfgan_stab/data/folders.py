"""The user's own pictures: a folder of image files, a class per subfolder when asked."""

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.progress import with_progress
from tfgan_stab.data import image_decoding as images
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.streams import example_numbers, finish, parallel_map, reason_of, shuffled

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
NAMED_AT_MOST = 10
_BATCH = 256


def image_folder(
    directory: str | os.PathLike[str],
    batch_size: int = 64,
    seed: int = 0,
    size: int = 64,
    channels: int = 3,
    labels: bool = False,
    on_error: str = "raise",
) -> Batches:
    """Streams the PNG, JPEG, BMP and GIF files of a folder and the folders in it.

    Only names and headers are read before this returns; pictures are decoded while training, on all
    cores. A file that is no picture is named now; one whose header is sound and whose pixels are
    damaged ends `fit` with an error that names it. Files with other endings, and hidden ones, do
    not count. Pictures are shown as their pixels are stored: how a camera was held, which the EXIF
    orientation of a JPEG says, is ignored.

    Args:
        directory: The folder. With `labels`, it holds one folder of pictures per class.
        batch_size: Images in a minibatch, an integer in [1, number of pictures].
        seed: Decides the order, an integer in [0, 2**63).
        size: Height and width in pixels, an integer >= 1. The largest square in the middle of a
            picture is kept, and resized with anti-aliasing.
        channels: 1 for gray, 3 for color, whatever the files are.
        labels: Whether elements are `(images, labels)`; classes count from 0 in the order of the
            folders' names.
        on_error: What to do about damaged files: "raise" names them in an error, "skip" decodes
            each file once before this returns, leaves damaged ones out, and names them in a warning
            and in `.description()["skipped"]`.

    Returns:
        Endless batches of float32 `[batch_size, size, size, channels]` in [-1, 1], with int32
        `[batch_size]` labels when asked.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no pictures are in it, one is damaged, or a setting is outside its range.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     blank = tf.io.encode_png(tf.zeros([40, 30, 1], tf.uint8))
        ...     tf.io.write_file(f"{directory}/blank.png", blank)
        ...     next(iter(image_folder(directory, batch_size=1, size=16))).shape
        TensorShape([1, 16, 16, 3])
    """
    images.check_size_and_channels(size, channels)
    validation.choice("on_error", on_error, ("raise", "skip"))
    directory = os.path.expanduser(os.fspath(directory)).rstrip("/") or "/"
    paths = find_pictures(directory)
    if on_error == "raise":
        damaged = damaged_headers(paths)
    else:
        decodable = shapes_of(paths, show=True)
        damaged = {path: damage_of(path) for path in paths if path not in decodable}
    _report(directory, paths, damaged, on_error)
    sound = [path for path in paths if path not in damaged]
    classes, class_names = classes_of(directory, sound) if labels else (None, None)
    files = ImageFiles(
        f"image_folder:{directory}",
        sound,
        (size, size, channels),
        labels=classes,
        class_names=class_names,
        skipped=list(damaged),
    )
    return Batches(files, batch_size, seed)


def find_pictures(directory: str) -> list[str]:
    """Returns the paths of the pictures in a folder and the folders in it, sorted.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no pictures are in it.
    """
    if not tf.io.gfile.isdir(directory):
        raise FileNotFoundError(
            f"There is no folder {directory!r}. Expected a folder of pictures; {os.getcwd()!r} is "
            "where relative paths begin."
        )
    files = [
        os.path.join(folder, name)
        for folder, _, names in tf.io.gfile.walk(directory)
        for name in names
    ]
    visible = [path for path in files if "/." not in path[len(directory) :].replace(os.sep, "/")]
    paths = sorted(path for path in visible if path.lower().endswith(SUFFIXES))
    if not paths:
        raise ValueError(
            f"There are no pictures in {directory!r} or the folders in it. Expected files ending "
            f"in {', '.join(SUFFIXES)}. Received: {len(files)} other files."
        )
    return paths


def damaged_headers(paths: Sequence[str]) -> dict[str, str]:
    """Returns the files whose first bytes are not those of a picture, and why.

    Args:
        paths: Image files.
    """
    found = {}
    for path in with_progress(paths, len(paths), "reading headers", lambda _: 1):
        damage = images.damage_of_header(path)
        if damage is not None:
            found[path] = damage
    return found


def shapes_of(paths: Sequence[str], show: bool = False) -> dict[str, tuple[int, ...]]:
    """Decodes every file; returns the shapes, `(height, width, channels)`, of those that can be.

    Args:
        paths: Image files.
        show: Whether to show a progress bar.
    """
    decoded = parallel_map(
        tf.data.Dataset.from_tensor_slices(list(paths)).enumerate(),
        lambda index, path: (index, tf.shape(images.decode(tf.io.read_file(path)))),
    )
    batches = decoded.ignore_errors().batch(_BATCH).as_numpy_iterator()
    each = with_progress(batches, len(paths), "checking", lambda batch: len(batch[0]), show)
    return {
        paths[index]: tuple(shape)
        for indices, shapes in each
        for index, shape in zip(indices.tolist(), shapes.tolist(), strict=True)
    }


def damage_of(path: str) -> str:
    """Returns why a file that could not be decoded cannot be."""
    try:
        images.decode(tf.io.read_file(path))
    except (tf.errors.OpError, ValueError) as error:
        return reason_of(error)
    return "could not be read at first, and could later"


def listing_of(damaged: dict[str, str]) -> str:
    """Returns the first damaged files with what is wrong with them, a line each, for a message."""
    named = [f"{path}: {reason}" for path, reason in list(damaged.items())[:NAMED_AT_MOST]]
    if len(damaged) > NAMED_AT_MOST:
        named.append(f"and {len(damaged) - NAMED_AT_MOST} more")
    return "\n  ".join(named)


def _report(directory: str, paths: list[str], damaged: dict[str, str], on_error: str) -> None:
    if not damaged:
        return
    listing = listing_of(damaged)
    count = f"{len(damaged)} of {len(paths)} pictures in {directory!r}"
    if on_error == "raise" or len(damaged) == len(paths):
        raise ValueError(
            f"{count} cannot be read:\n  {listing}\nMend or remove them, or leave them out with "
            '`on_error="skip"` (where others remain).'
        )
    warnings.warn(f"Skipped {count}:\n  {listing}", UserWarning, stacklevel=3)


def classes_of(directory: str, paths: list[str]) -> tuple[list[int], list[str]]:
    """Returns the class of each picture, and the names of the classes: those of the folders.

    Raises:
        ValueError: If a picture lies in no folder of its class.
    """
    below = [os.path.relpath(path, directory).split(os.sep) for path in paths]
    loose = [steps[0] for steps in below if len(steps) == 1]
    if loose:
        raise ValueError(
            f"With `labels=True`, every picture of {directory!r} must lie in a folder that is "
            f"called like its class. Received: {len(loose)} outside of one, e.g. {loose[0]!r}."
        )
    names = sorted({steps[0] for steps in below})
    index = {name: number for number, name in enumerate(names)}
    return [index[steps[0]] for steps in below], names


class ImageFiles:
    """Pictures that are read from their files whenever they are needed.

    Args:
        name: What the set is called in reports.
        paths: Image files, in the order that `in_order` follows.
        shape: Height, width and channels of what comes out; channels are 1 for gray, 3 for color.
        resized: Whether the largest square of each picture is resized to that height and width;
            otherwise all files must have them.
        labels: For each path its class, an integer >= 0; `None` for images alone.
        class_names: Names of the classes; `None` for images alone.
        skipped: Files that could not be read and are left out.
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[str],
        shape: tuple[int, int, int],
        resized: bool = True,
        labels: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        skipped: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.num_examples = len(paths)
        self.num_classes = None if class_names is None else len(class_names)
        self.labels = None if labels is None else np.asarray(labels, np.int32)
        self.skipped = tuple(skipped)
        self._shape = shape
        self._resized = resized
        self._class_names = class_names
        with tf.device("CPU:0"):
            self._paths = tf.constant(paths)
            self._labels = None if labels is None else tf.constant(labels, tf.int32)

    def stream(self, first: int, count: int, seed: int) -> tf.data.Dataset:
        """Endless batches of `count` examples, from the running number `first` on."""
        indices = example_numbers(first, count).map(
            lambda numbers: shuffled(numbers, self.num_examples, seed)
        )
        read = self._read_image if self._labels is None else self._read_both
        # One file at a time, so that a large batch is decoded on all cores.
        return parallel_map(indices.unbatch(), read).batch(count, drop_remainder=True)

    def in_order(self, count: int, limit: int | None, labels: bool) -> tf.data.Dataset:
        """One pass in a fixed order, at most `limit`, `count` at a time."""
        end = self.num_examples if limit is None else min(limit, self.num_examples)
        read = self._read_both if labels else self._read_image
        return parallel_map(tf.data.Dataset.range(end), read).batch(count)

    def pick(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the images at some indices, float32 in [-1, 1], in batches."""
        numbers = tf.data.Dataset.from_tensor_slices(indices)
        for batch in finish(parallel_map(numbers, self._read_image).batch(_BATCH)):
            yield batch.numpy()

    def damaged(self) -> dict[str, str]:
        """Decodes all pictures; returns those that cannot be, and why."""
        paths = [os.fsdecode(path) for path in self._paths.numpy()]
        sound = shapes_of(paths, show=True)
        return {path: damage_of(path) for path in paths if path not in sound}

    def metadata(self) -> dict[str, Any]:
        """The classes' names, and what was left out."""
        return {"class_names": self._class_names, "skipped": list(self.skipped)}

    def _read_both(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._read_image(index), tf.gather(self._labels, index)

    def _read_image(self, index: tf.Tensor) -> tf.Tensor:
        image = images.decode(tf.io.read_file(self._paths[index]))
        image = images.with_channels(image, self._shape[-1])
        if self._resized:
            image = images.crop_and_resize(image, self._shape[0])
        return tf.ensure_shape(images.to_float(image), self._shape)
