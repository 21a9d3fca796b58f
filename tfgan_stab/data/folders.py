"""The user's own pictures: a folder of image files, a class per subfolder when asked."""

import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.data import image_decoding as images
from tfgan_stab.data import image_files
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.image_files import Header
from tfgan_stab.data.streams import Share, finish, parallel_map, read_shuffled

SUFFIXES = tuple(".bmp .gif .jfif .jpe .jpeg .jpg .png .tif .tiff .webp".split())
NAMED_AT_MOST = 10
_FEW = 5  # Names in a warning.
# What systems put into folders of pictures: no word about these.
_COMPANIONS = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir")
_BATCH = 256


def image_folder(
    directory: str | os.PathLike[str],
    batch_size: int = 64,
    seed: int = 0,
    size: int = 64,
    channels: int = 3,
    labels: bool = False,
    on_error: str = "raise",
    background: int | Sequence[int] | None = None,
    white: int | None = None,
) -> Batches:
    """Streams the pictures of a folder and the folders in it: PNG, JPEG, WebP, TIFF, BMP, GIF.

    Only names and headers are read before this returns; pictures are decoded while training, on all
    cores. A file that is no picture is named now; one whose header is sound and whose pixels are
    damaged ends `fit` with an error that names it. Files with other endings are named in a warning;
    hidden ones do not count. A folder that links lead to more than once is read once. Pictures are
    turned as their EXIF orientation says. Of an animation, or a file of several pages, the first
    picture is shown.

    Args:
        directory: The folder. With `labels`, it holds one folder of pictures per class.
        batch_size: Images in a minibatch, an integer in [1, number of pictures].
        seed: Decides the order, an integer in [0, 2**63).
        size: Height and width in pixels, an integer >= 1. The largest square in the middle of a
            picture is kept, and resized with anti-aliasing.
        channels: 1 for gray, 3 for color, 4 for color and alpha, whatever the files are. With 4,
            what is hidden under alpha 0 becomes black, and pictures without alpha are opaque.
        labels: Whether elements are `(images, labels)`; classes count from 0 in the order of the
            folders' names: numeric if all are integers, else alphabetical. A folder without
            pictures keeps its number, and is named in a warning.
        on_error: What to do about damaged files: "raise" names them in an error, "skip" decodes
            each file once before this returns, leaves damaged ones out, and names them in a warning
            and in `.description()["skipped"]`.
        background: What shows where pictures are transparent: a gray level or red, green and blue,
            integers in 0..255; by default 255, white. With `channels=4` there is none.
        white: Which value is white in files of 16 bits, an integer in [1, 65535]: 65535 for full 16
            bits, 4095 for 12 bits. A brighter file counts as damaged.

    Returns:
        Endless batches of float32 `[batch_size, size, size, channels]` in [-1, 1], with int32
        `[batch_size]` labels when asked; alpha is in [-1, 1] too.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no pictures are in it, one is damaged, some have 16 bits and there is no
            `white`, or a setting is outside its range.

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
    if white is not None:
        white = validation.integer("white", white, most=65535)
    if channels == 4 and background is not None:
        raise ValueError(
            "`background` shows through where alpha is left out. Received: "
            f"background={background!r} with channels=4, which keeps alpha. Leave one out."
        )
    background = images.checked_background(background)
    directory = os.path.expanduser(os.fspath(directory)).rstrip("/") or "/"
    found = find_pictures(directory)
    headers, damaged = image_files.read_headers(found.paths)
    if not image_files.check_white(headers, white) and white is not None:
        raise ValueError(
            f"`white` is for pictures of 16 bits. Received: white={white}, and none in "
            f"{directory!r}. Leave it out: in pictures of 8 bits white is 255."
        )
    if on_error == "skip":
        decodable = image_files.shapes_of(headers, white, show=True)
        cut = [path for path in headers if path not in decodable]
        damaged |= {path: image_files.damage_of(path, white) for path in cut}
    damaged = dict(sorted(damaged.items()))
    _report(directory, len(found.paths), damaged, on_error)
    sound = {path: header for path, header in headers.items() if path not in damaged}
    _warn_of_animations(directory, sound)
    classes, class_names = None, None
    if labels:
        classes, class_names = classes_of(directory, list(sound), found.folders)
    files = ImageFiles(
        f"image_folder:{directory}",
        sound,
        (size, size, channels),
        labels=classes,
        class_names=class_names,
        skipped=list(damaged),
        background=background,
        white=white,
    )
    return Batches(files, batch_size, seed)


class Contents(NamedTuple):
    """What lies in a folder and the folders in it.

    Attributes:
        paths: The pictures, sorted.
        folders: The folders in it that were read, sorted.
    """

    paths: list[str]
    folders: list[str]


def find_pictures(directory: str) -> Contents:
    """Returns the pictures in a folder and the folders in it; warns of what is left out.

    Args:
        directory: The folder, without a slash at its end.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no pictures are in it.
    """
    if not tf.io.gfile.isdir(directory):
        raise FileNotFoundError(
            f"There is no folder {directory!r}. Expected a folder of pictures; {os.getcwd()!r} is "
            "where relative paths begin."
        )
    walk = _walk_far if "://" in directory else _walk
    files, folders, repeated = walk(directory)
    paths = sorted(path for path in files if path.lower().endswith(SUFFIXES))
    others = sorted(set(files) - set(paths))
    endings = ", ".join(SUFFIXES)
    if not paths:
        named = f", such as {_few(directory, others)}" if others else ""
        raise ValueError(
            f"There are no pictures in {directory!r} or the folders in it. Expected files ending "
            f"in {endings}. Received: {len(others)} other files{named}."
        )
    if others:
        warnings.warn(
            f"Left out {len(others)} of {len(files)} files in {directory!r}, which do not end in "
            f"{endings}: {_few(directory, others)}. Convert those that are pictures.",
            UserWarning,
            stacklevel=3,
        )
    if repeated:
        warnings.warn(
            f"Read folders once, though links in {directory!r} lead to them again: "
            f"{_few(directory, repeated)}.",
            UserWarning,
            stacklevel=3,
        )
    return Contents(paths, sorted(folders))


def _walk(directory: str) -> tuple[list[str], list[str], list[str]]:
    """Returns files, folders, and those that were read already under another name."""
    files, folders, repeated = [], [], []
    links: list[str] = []
    waiting, known = [directory], set()
    while waiting or links:
        # Links last, so that a folder keeps the name that it has of its own.
        folder = waiting.pop() if waiting else links.pop(0)
        place = os.path.realpath(folder)
        if place in known:
            repeated.append(folder)
            continue
        known.add(place)
        folders.append(folder)
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if _is_hidden(entry.name):
                    continue
                # A link that leads nowhere, or to itself, is a file that cannot be read.
                if entry.is_symlink() and os.path.isdir(entry.path):
                    links.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    files.append(entry.path)
    return files, folders[1:], sorted(repeated)


def _walk_far(directory: str) -> tuple[list[str], list[str], list[str]]:
    """As `_walk`, in a cloud, where there are no links."""
    files, folders = [], []
    for folder, _, names in tf.io.gfile.walk(directory):
        steps = _below(directory, folder).split("/")
        if not any(map(_is_hidden, steps)):
            folders.append(folder)
            files += [os.path.join(folder, name) for name in names if not _is_hidden(name)]
    return files, [folder for folder in folders if _below(directory, folder)], []


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _COMPANIONS


def _below(directory: str, path: str) -> str:
    return path[len(directory) :].strip("/")


def _few(directory: str, paths: Sequence[str]) -> str:
    named = [repr(_below(directory, path)) for path in paths[:_FEW]]
    return ", ".join(named) + (f" and {len(paths) - _FEW} more" if len(paths) > _FEW else "")


def listing_of(damaged: dict[str, str]) -> str:
    """Returns the first damaged files with what is wrong with them, a line each, for a message."""
    named = [f"{path}: {reason}" for path, reason in list(damaged.items())[:NAMED_AT_MOST]]
    if len(damaged) > NAMED_AT_MOST:
        named.append(f"and {len(damaged) - NAMED_AT_MOST} more")
    return "\n  ".join(named)


def _report(directory: str, count: int, damaged: dict[str, str], on_error: str) -> None:
    if not damaged:
        return
    listing = listing_of(damaged)
    share = f"{len(damaged)} of {count} pictures in {directory!r}"
    if on_error == "raise" or len(damaged) == count:
        raise ValueError(
            f"{share} cannot be read:\n  {listing}\nMend or remove them, or leave them out with "
            '`on_error="skip"` (where others remain).'
        )
    warnings.warn(f"Skipped {share}:\n  {listing}", UserWarning, stacklevel=3)


def _warn_of_animations(directory: str, headers: Mapping[str, Header]) -> None:
    animated = [path for path, header in headers.items() if header.animated]
    if animated:
        warnings.warn(
            f"Showing the first picture only of {len(animated)} animations or files of several "
            f"pages in {directory!r}: {_few(directory, animated)}.",
            UserWarning,
            stacklevel=3,
        )


def classes_of(
    directory: str, paths: Sequence[str], folders: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Returns the class of each picture, and the names of the classes: those of the folders.

    Args:
        directory: The folder that holds a folder for each class.
        paths: The pictures.
        folders: The folders in it, at any depth; those without pictures are classes too.

    Raises:
        ValueError: If a picture lies in no folder of its class.
    """
    below = [_below(directory, path).split("/") for path in paths]
    loose = [steps[0] for steps in below if len(steps) == 1]
    if loose:
        raise ValueError(
            f"With `labels=True`, every picture of {directory!r} must lie in a folder that is "
            f"called like its class. Received: {len(loose)} outside of one, e.g. {loose[0]!r}."
        )
    names = sorted({_below(directory, folder).split("/")[0] for folder in folders})
    if all(re.fullmatch("[0-9]+", name) for name in names):
        names.sort(key=int)
    numbers = {name: number for number, name in enumerate(names)}
    classes = [numbers[steps[0]] for steps in below]
    empty = sorted(set(numbers.values()) - set(classes))
    if len(names) == 1 and len({steps[1] for steps in below if len(steps) > 2}) > 1:
        warnings.warn(
            f"All pictures in {directory!r} are of one class, {names[0]!r}, which holds folders. "
            f"If those are the classes, open {os.path.join(directory, names[0])!r}.",
            stacklevel=3,
        )
    if empty:
        named = ", ".join(f"{names[number]!r} (class {number})" for number in empty[:_FEW])
        more = f" and {len(empty) - _FEW} more" if len(empty) > _FEW else ""
        warnings.warn(
            f"{len(empty)} of {len(names)} classes in {directory!r} have no pictures: {named}"
            f"{more}. They keep their numbers. Remove the folders that are no classes.",
            UserWarning,
            stacklevel=3,
        )
    return classes, names


class ImageFiles:
    """Pictures that are read from their files whenever they are needed.

    Args:
        name: What the set is called in reports.
        headers: Image files and their headers, in the order that `in_order` follows.
        shape: Height, width and channels of what comes out; channels are 1 for gray, 3 for color,
            4 for color and alpha.
        resized: Whether the largest square of each picture is resized to that height and width;
            otherwise all files must have them.
        labels: For each path its class, an integer >= 0; `None` for images alone.
        class_names: Names of the classes; `None` for images alone.
        skipped: Files that could not be read and are left out.
        background: Red, green and blue in 0..255, which show where pictures are transparent.
        white: Which value is white in files of 16 bits; `None` if there are none.
    """

    def __init__(
        self,
        name: str,
        headers: Mapping[str, Header],
        shape: tuple[int, int, int],
        resized: bool = True,
        labels: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        skipped: Sequence[str] = (),
        background: tuple[int, int, int] = images.WHITE,
        white: int | None = None,
    ) -> None:
        self.name = name
        self.num_examples = len(headers)
        self.num_classes = None if class_names is None else len(class_names)
        self.labels = None if labels is None else np.asarray(labels, np.int32)
        self.skipped = tuple(skipped)
        self._headers = headers
        self._shape = shape
        self._resized = resized
        self.class_names = None if class_names is None else list(class_names)
        self._background = background
        self.white = white
        self._files = image_files.as_tensors(headers)
        with tf.device("CPU:0"):
            self._labels = None if labels is None else tf.constant(labels, tf.int32)

    def stream(self, share: Share, seed: int) -> tf.data.Dataset:
        """Endless batches of a process's share of each step."""
        read = self._read_image if self._labels is None else self._read_both
        return read_shuffled(share, self.num_examples, seed, read)

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
        sound = image_files.shapes_of(self._headers, self.white, show=True)
        cut = [path for path in self._headers if path not in sound]
        return {path: image_files.damage_of(path, self.white) for path in cut}

    def metadata(self) -> dict[str, Any]:
        """The classes' names, what was left out, and how pixels are read."""
        return {
            "class_names": self.class_names,
            "skipped": list(self.skipped),
            "background": list(self._background),
            "white": self.white,
        }

    def _read_both(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._read_image(index), tf.gather(self._labels, index)

    def _read_image(self, index: tf.Tensor) -> tf.Tensor:
        image = image_files.read(tuple(tensor[index] for tensor in self._files), self.white)
        image = images.with_channels(image, self._shape[-1], self._background)
        if self._resized:
            image = images.crop_and_resize(image, self._shape[0])
        else:
            image = images.from_levels(image)
        return tf.ensure_shape(image, self._shape)
