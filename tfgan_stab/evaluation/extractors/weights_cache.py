"""Weights on disk that know their own hash: what extractors trained on the spot are kept in."""

import os
import pathlib
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgan_stab._utils.files import replacing
from tfgan_stab.evaluation.extractors.model_hash import content_hash

_HASH = "sha256"
# What NumPy and zipfile raise on files that are cut short, overwritten or not archives at all.
_DAMAGE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)


class DamagedCacheError(Exception):
    """A file of the cache cannot be read, or holds other weights than it says."""


def cache_directory() -> pathlib.Path:
    """Returns the folder `TFGAN_STAB_CACHE` names, else `~/.cache/tfgan_stab`."""
    return pathlib.Path(
        os.environ.get("TFGAN_STAB_CACHE") or pathlib.Path.home() / ".cache" / "tfgan_stab"
    )


def save(path: pathlib.Path, weights: Sequence[np.ndarray]) -> None:
    """Writes weights and their hash in one step: readers find the whole file or none.

    Raises:
        OSError: If the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"weight_{index:03d}": array for index, array in enumerate(weights)}
    arrays[_HASH] = np.array(content_hash(weights))
    with replacing(path) as draft:
        np.savez(draft, **arrays)


def load(path: pathlib.Path, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Reads weights of the given shapes and checks them against their hash.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedCacheError: If the file cannot be read, or its contents are not what was saved.
    """
    if not path.exists():
        raise FileNotFoundError(f"There are no weights at {path}.")
    try:
        # Opened here, because np.load leaves its own file open when the archive is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = sorted(name for name in archive.files if name != _HASH)
            weights, expected = [archive[name] for name in names], str(archive[_HASH])
    except _DAMAGE as error:
        raise DamagedCacheError(f"{path} cannot be read: {error!r}") from error
    if content_hash(weights) != expected:
        raise DamagedCacheError(f"{path} holds other weights than its hash {expected[:8]} says")
    if [array.shape for array in weights] != list(shapes):
        raise DamagedCacheError(f"{path} holds weights of other shapes than the network's")
    return weights
