"""An array in a `.npy` file, or inside a `.npz` file, read from front to back in pieces.

A `.npz` file is a zip archive of `.npy` files; one that is compressed cannot be mapped into memory,
but read in order it can, with one piece in memory at a time.
"""

import contextlib
import pathlib
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np

from tfgan_stab.cli.sources.kinds import SourceError

_ENDING = ".npy"


class ArrayStream:
    """One array of a file.

    Args:
        path: The file.
        name: Which array of a `.npz` file; `None` for a `.npy` file.

    Raises:
        SourceError: If it cannot be read.
    """

    def __init__(self, path: pathlib.Path, name: str | None = None) -> None:
        self._path = path
        self._name = name
        with self._opened() as file:
            self.shape, self._by_columns, self.dtype = _header(file)
        if self.dtype.hasobject:
            raise SourceError(
                f"{self._label} must hold numbers. Received: Python objects. Write the array with "
                "a numeric dtype."
            )
        if not self.shape:
            raise SourceError(f"{self._label} must hold an array. Received: a single number.")

    def pieces(self, rows: int) -> Iterator[np.ndarray]:
        """Yields the array in pieces of so many rows; the last may be smaller.

        Raises:
            SourceError: If the file ends before the array does, or is damaged.
        """
        with self._opened() as file:
            _header(file)
            if self._by_columns:  # The first row is spread over all of the file.
                whole = self._numbers(file, self.shape[::-1]).transpose()
                yield from (whole[i : i + rows] for i in range(0, len(whole), rows))
                return
            for first in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - first)
                yield self._numbers(file, (count, *self.shape[1:]))

    def _numbers(self, file: IO[bytes], shape: tuple[int, ...]) -> np.ndarray:
        wanted = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        data = file.read(wanted)
        if len(data) < wanted:
            raise SourceError(
                f"{self._label} ends before its array of shape {list(self.shape)} does. Write it "
                "again."
            )
        return np.frombuffer(data, self.dtype).reshape(shape)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        try:
            if self._name is None:
                with self._path.open("rb") as file:
                    yield file
            else:
                with zipfile.ZipFile(self._path) as archive:
                    with archive.open(self._name + _ENDING) as file:
                        yield file
        except SourceError:
            raise
        except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
            raise unreadable(self._path, error) from error

    @property
    def _label(self) -> str:
        return f"{self._path}" if self._name is None else f"`{self._name}` in {self._path}"


def names_in(path: pathlib.Path) -> list[str]:
    """Returns the names of the arrays in a `.npz` file.

    Args:
        path: The file.

    Raises:
        SourceError: If it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise unreadable(path, error) from error
    return [name.removesuffix(_ENDING) for name in members if name.endswith(_ENDING)]


def unreadable(path: pathlib.Path, error: Exception) -> SourceError:
    """Returns the error to raise for a file that cannot be read.

    Args:
        path: The file.
        error: What reading it raised.
    """
    return SourceError(
        f"{path} cannot be read as a `.npz` or `.npy` file of numbers: {str(error).rstrip('.')}. "
        "Write it with `numpy.savez(path, images)` or `numpy.save(path, images)`."
    )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Reads as far as the numbers; returns shape, whether by columns, and dtype."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"version {version} of the format is not for plain arrays")
