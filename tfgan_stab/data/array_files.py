"""Arrays in `.npy` and `.npz` files, read whole or from front to back in pieces.

A `.npz` file is a zip archive of `.npy` files; one that is compressed cannot be mapped into memory,
but read in order it can, with one piece in memory at a time.
"""

import contextlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import tensorflow as tf

from tfgan_stab.data import image_decoding as images
from tfgan_stab.data.streams import SHUFFLE_BUFFER, Records, RecordSet

_ENDING = ".npy"
PIECE = 256  # Examples in memory at a time.


class StoredArray:
    """One array of a file.

    Args:
        path: The file.
        key: Which array of a `.npz` file; `None` for a `.npy` file.

    Raises:
        ValueError: If it cannot be read, or holds Python objects.
    """

    def __init__(self, path: str, key: str | None = None) -> None:
        self._path = path
        self._key = key
        with self._opened() as file:
            self.shape, self._by_columns, self.dtype = _header(file)
            if self.dtype.hasobject:
                raise ValueError("it holds Python objects")

    def whole(self) -> np.ndarray:
        """Returns the array; that of a `.npy` file is only read where it is looked at."""
        with self._opened() as file:
            if self._key is None:
                return np.lib.format.open_memmap(self._path, mode="r")
            return np.lib.format.read_array(file, allow_pickle=False)

    def pieces(self, rows: int) -> Iterator[np.ndarray]:
        """Yields the array in pieces of so many rows; the last may be smaller.

        Raises:
            ValueError: If the file ends before the array does, or is damaged.
        """
        if self._by_columns:  # The first row is spread over all of the file.
            whole = self.whole()
            yield from (whole[first : first + rows] for first in range(0, len(whole), rows))
            return
        with self._opened() as file:
            _header(file)
            for first in range(0, self.shape[0], rows):
                yield self._rows(file, min(rows, self.shape[0] - first))

    def _rows(self, file: IO[bytes], count: int) -> np.ndarray:
        shape = (count, *self.shape[1:])
        wanted = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        data = file.read(wanted)
        if len(data) < wanted:
            raise ValueError(f"it ends before its array of shape {list(self.shape)} does")
        return np.frombuffer(data, self.dtype).reshape(shape)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with contextlib.ExitStack() as stack, _readable(self._path):
            if self._key is None:
                yield stack.enter_context(open(self._path, "rb"))
            else:
                archive = stack.enter_context(zipfile.ZipFile(self._path))
                yield stack.enter_context(archive.open(self._key + _ENDING))


class ArrayFile(Records):
    """The pictures or points in a file, of which a piece at a time is in memory.

    Pictures are uint8 in 0..255 or floats in [-1, 1], or other integers with `white`:
    `[examples, height, width, channels]` or `[examples, height, width]`; points are floats
    `[examples, dimensions]`.

    Args:
        path: The file.
        name: What it is called in reports.
        key: Which array of a `.npz` file holds them.
        labels: Which array of a `.npz` file holds their classes; `None` without classes.
        white: Which value is white in an array of other integers than uint8, an integer >= 1;
            others do without.

    Raises:
        TypeError: If the arrays have another dtype.
        ValueError: If the file cannot be read, or holds something else.
    """

    def __init__(
        self,
        path: str,
        name: str,
        key: str | None = None,
        labels: str | None = None,
        white: int | None = None,
    ) -> None:
        self._path = path
        self._array = StoredArray(path, key)
        dtype = self._array.dtype
        self.white = None if images.is_scaled(dtype) else white
        images.check_array(path, self._array.shape, dtype, points=True, white=self.white)
        _check_several(path, self._array)
        self.labels = None if labels is None else self._labels_in(labels)
        count, *shape = self._array.shape
        shape = [*shape, 1] if len(shape) == 2 else shape
        examples = tf.TensorSpec([None, *shape], self._stored_dtype)
        spec = (examples, tf.TensorSpec([None], tf.int32))
        with_labels = self.labels is not None
        records = tf.data.Dataset.from_generator(
            self._pieces, output_signature=spec if with_labels else examples
        )
        record_set = RecordSet(
            name,
            num_classes=None if self.labels is None else int(self.labels.max()) + 1,
            decode=_with_label if with_labels else images.to_float,
            decode_image=_without_label if with_labels else images.to_float,
            metadata={},
        )
        super().__init__(record_set, records.unbatch(), count, min(count, SHUFFLE_BUFFER))
        first = next(self.pick(np.arange(min(count, PIECE))))
        if self._stored_dtype != np.uint8 and first.ndim == 4:
            images.warn_of_half_range(path, first, stacklevel=4)

    def pick(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Yields examples, float32, in batches of any size.

        Args:
            indices: Which, in increasing order.

        Raises:
            ValueError: If a number is not finite, or a picture's is outside of [-1, 1].
        """
        for _, examples in self._chosen(indices):
            yield images.to_float(tf.constant(examples)).numpy()

    @property
    def _stored_dtype(self) -> Any:
        return np.uint8 if self._array.dtype == np.uint8 else np.float32

    def _pieces(self) -> Iterator[Any]:
        for numbers, examples in self._chosen(np.arange(self.num_examples)):
            yield examples if self.labels is None else (examples, self.labels[numbers])

    def _chosen(self, indices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields indices and the examples there, as they are stored, piece by piece."""
        wanted = np.zeros([self._array.shape[0]], bool)
        wanted[indices] = True
        for number, piece in enumerate(self._array.pieces(PIECE)):
            begin = number * PIECE
            chosen = wanted[begin : begin + PIECE]
            numbers = begin + np.flatnonzero(chosen)
            if len(numbers):
                examples = piece if chosen.all() else piece[chosen]
                if self.white is not None:
                    examples = images.scaled_by_white(self._path, examples, self.white)
                self._check(examples, numbers)
                examples = examples[..., np.newaxis] if examples.ndim == 3 else examples
                yield numbers, examples.astype(self._stored_dtype, copy=False)
            if begin + PIECE > indices[-1]:
                return

    def _check(self, examples: np.ndarray, numbers: np.ndarray) -> None:
        """Refuses what is not finite, or no picture in [-1, 1]; names the example."""
        if examples.dtype == np.uint8:
            return
        finite = np.isfinite(examples).reshape(len(examples), -1).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{self._path!r} must hold finite numbers. Received: NaN or infinity at index "
                f"{numbers[~finite][0]}. Leave such examples out."
            )
        if examples.ndim > 2:
            images.check_range(self._path, examples)

    def _labels_in(self, key: str) -> np.ndarray:
        labels = StoredArray(self._path, key).whole()
        check_labels(f"`{key}` in {self._path!r}", labels, self._array.shape[0])
        return labels.astype(np.int32)


def _check_several(path: str, array: StoredArray) -> None:
    if len(array.shape) == 3 and array.shape[2] in (1, 3, 4) and array.dtype == np.uint8:
        raise ValueError(
            f"{path!r} must hold several images, [examples, height, width, channels]. Received: "
            f"shape {list(array.shape)}, which is one image. Stack all of them: "
            "`numpy.stack(images)`."
        )


def check_labels(what: str, labels: np.ndarray, num_examples: int) -> None:
    """Refuses labels that do not give each example a class.

    Args:
        what: What they are called in the message.
        labels: Any array.
        num_examples: How many examples there are.

    Raises:
        TypeError: If they are no integers.
        ValueError: If there are more or fewer, or one is negative.
    """
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"{what} must be integers. Received: dtype {labels.dtype}. Number the classes 0, 1, "
            "... or leave the labels out."
        )
    if labels.shape != (num_examples,):
        raise ValueError(
            f"{what} must have one entry per picture, shape [{num_examples}]. Received: shape "
            f"{list(labels.shape)}. Write as many, or leave the labels out."
        )
    if labels.min() < 0:
        raise ValueError(
            f"{what} must be classes 0, 1, ... Received: {labels.min()} at index "
            f"{labels.argmin()}. Leave out pictures without a class."
        )


def keys_in(path: str) -> list[str] | None:
    """Returns the names of the arrays in a `.npz` file; `None` for other files.

    Args:
        path: The file.

    Raises:
        ValueError: If it cannot be read.
    """
    with _readable(path):
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    return [name.removesuffix(_ENDING) for name in members if name.endswith(_ENDING)]


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    """Names the file in errors of what reads it."""
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"There is no file {path!r}. Expected a `.npz` or `.npy` file of pictures; "
            f"{os.getcwd()!r} is where relative paths begin."
        )
    try:
        yield
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path!r} cannot be read as a `.npz` or `.npy` file of numbers: "
            f"{str(error).rstrip('.')}. Write it with `numpy.savez(path, images=...)` or "
            "`numpy.save(path, images)`, and no Python objects in the array."
        ) from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Reads as far as the numbers; returns shape, whether by columns, and dtype."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"version {version} of the format is not for plain arrays")


def _with_label(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return images.to_float(image), label


def _without_label(image: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    return images.to_float(image)
