"""The user's own pictures: a folder of image files, a class per subfolder when asked."""

import os
import re
import warnings
from typing import Any

import tensorflow as tf

from tfgan_stab.data import images
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.order import example_numbers, shuffled
from tfgan_stab.data.pipeline import parallel_map

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
NAMED_AT_MOST = 10


class ImageFiles:
    """A source that reads its pictures from files whenever they are needed.

    Args:
        directory: The folder that the paths begin with.
        paths: Image files, in the order that `in_order` follows.
        size: Height and width of the pictures in pixels, an integer >= 1.
        channels: 1 for gray, 3 for color.
        class_of: For each path its class, an integer >= 0; `None` for images alone.
        class_names: Names of the classes; `None` for images alone.
        skipped: Files that could not be read and are left out.
    """

    def __init__(
        self,
        directory: str,
        paths: list[str],
        size: int,
        channels: int,
        class_of: list[int] | None,
        class_names: list[str] | None,
        skipped: list[str],
    ) -> None:
        self.name = f"image_folder:{directory}"
        self.num_examples = len(paths)
        self.num_classes = None if class_names is None else len(class_names)
        self.skipped = tuple(skipped)
        self._shape = (size, size, channels)
        self._class_names = class_names
        with tf.device("CPU:0"):
            self._paths = tf.constant(paths)
            self._labels = None if class_of is None else tf.constant(class_of, tf.int32)

    def stream(self, first: int, count: int, seed: int) -> tf.data.Dataset:
        """Endless batches of `count` examples, from the running number `first` on."""
        indices = example_numbers(first, count).map(
            lambda numbers: shuffled(numbers, self.num_examples, seed)
        )
        # One file at a time, so that a large batch is decoded on all cores.
        return parallel_map(indices.unbatch(), self._read).batch(count, drop_remainder=True)

    def in_order(self, count: int, limit: int | None) -> tf.data.Dataset:
        """Images only, one pass in a fixed order, at most `limit`, `count` at a time."""
        end = self.num_examples if limit is None else min(limit, self.num_examples)
        return parallel_map(tf.data.Dataset.range(end), self._read_image).batch(count)

    def facts(self) -> dict[str, Any]:
        """The classes' names, and what was left out."""
        return {"class_names": self._class_names, "skipped": list(self.skipped)}

    def _read(self, index: tf.Tensor) -> Any:
        image = self._read_image(index)
        return image if self._labels is None else (image, self._labels[index])

    def _read_image(self, index: tf.Tensor) -> tf.Tensor:
        size, _, channels = self._shape
        image = images.decode(tf.io.read_file(self._paths[index]))
        image = images.crop_and_resize(images.with_channels(image, channels), size)
        return tf.ensure_shape(image, self._shape)


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

    Each file is decoded once, on all cores, before this returns, so that a damaged one is found now
    and by name, not in the middle of training. Files with other endings, and hidden ones, do not
    count. Pictures are shown as their pixels are stored: how a camera was held, which the EXIF
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
        on_error: What to do about damaged files: "raise" names them in an error, "skip" leaves
            them out and names them in a warning and in `.description()["skipped"]`.

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
    if on_error not in ("raise", "skip"):
        raise ValueError(f'`on_error` must be "raise" or "skip". Received: on_error={on_error!r}.')
    directory = os.path.expanduser(os.fspath(directory)).rstrip("/") or "/"
    paths = find_pictures(directory)
    damaged = _damaged(paths)
    _report(directory, paths, damaged, on_error)
    paths = [path for path in paths if path not in damaged]
    class_of, class_names = classes_of(directory, paths) if labels else (None, None)
    source = ImageFiles(directory, paths, size, channels, class_of, class_names, list(damaged))
    return Batches(source, batch_size, seed)


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


def _damaged(paths: list[str]) -> dict[str, str]:
    """Decodes every file; returns those that fail, with the reason."""
    decoded = parallel_map(
        tf.data.Dataset.from_tensor_slices(paths).enumerate(),
        lambda index, path: (index, tf.shape(images.decode(tf.io.read_file(path)))),
    )
    sound = {int(index) for index, _ in decoded.ignore_errors().as_numpy_iterator()}
    return {path: damage_of(path) for index, path in enumerate(paths) if index not in sound}


def damage_of(path: str) -> str:
    """Returns why a file that could not be decoded cannot be."""
    try:
        images.decode(tf.io.read_file(path))
    except tf.errors.OpError as error:
        # Some messages begin with the name of a node, others end with it.
        message = re.sub(r"\{\{.*?\}\}", "", error.message)
        return message.split(" [Op:")[0].split("\nCondition ")[0].strip().rstrip(".")
    return "could not be read at first, and could later"


def _report(directory: str, paths: list[str], damaged: dict[str, str], on_error: str) -> None:
    if not damaged:
        return
    named = [f"{path}: {reason}" for path, reason in list(damaged.items())[:NAMED_AT_MOST]]
    if len(damaged) > NAMED_AT_MOST:
        named.append(f"and {len(damaged) - NAMED_AT_MOST} more")
    listing = "\n  ".join(named)
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
    loose = [minibatches[0] for minibatches in below if len(minibatches) == 1]
    if loose:
        raise ValueError(
            f"With `labels=True`, every picture of {directory!r} must lie in a folder that is "
            f"called like its class. Received: {len(loose)} outside of one, e.g. {loose[0]!r}."
        )
    names = sorted({minibatches[0] for minibatches in below})
    index = {name: number for number, name in enumerate(names)}
    return [index[minibatches[0]] for minibatches in below], names
