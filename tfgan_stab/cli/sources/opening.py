"""From a path to the source that lies there."""

import os
import pathlib

from tfgan_stab.cli.sources.array_files import ArrayFile
from tfgan_stab.cli.sources.contract import BATCH, Source
from tfgan_stab.cli.sources.generator_files import open_keras_file
from tfgan_stab.cli.sources.kinds import Kind, kind_of
from tfgan_stab.cli.sources.picture_folders import PictureFolder
from tfgan_stab.cli.sources.runs import open_checkpoint, open_workdir


def open_source(
    path: str | os.PathLike[str],
    *,
    latents: str | None = None,
    num_classes: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    batch_size: int = BATCH,
) -> Source:
    """Returns the source of images at a path. Settings that its kind does not take are left alone.

    Args:
        path: A workdir, a checkpoint in one, a `.keras` file, a folder of pictures, or a `.npz` or
            `.npy` file.
        latents: "normal", "uniform" or "sphere", for a generator in a `.keras` file; "normal"
            unless given.
        num_classes: Classes of a generator in a `.keras` file that does not tell.
        size: Height and width that a folder's pictures are resized to, an integer >= 1.
        channels: 1 or 3, for a folder's pictures.
        batch_size: Images generated at once, an integer >= 1; another number draws other noise.

    Raises:
        FileNotFoundError: If nothing lies there, or a run has no checkpoint.
        ValueError: If images cannot come from there, or a setting is out of range.
        OSError: If something cannot be read.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "samples.npz"
        >>> np.savez(path, np.zeros([10, 8, 8, 3], np.uint8))
        >>> source = open_source(path)
        >>> source.count, source.pixels, next(source.draw(4)).shape
        (10, 'uint8', (4, 8, 8, 3))
    """
    kind = kind_of(path)
    place = pathlib.Path(path).expanduser()
    if kind is Kind.WORKDIR:
        return open_workdir(place, batch_size)
    if kind is Kind.CHECKPOINT:
        return open_checkpoint(place, batch_size)
    if kind is Kind.KERAS:
        return open_keras_file(place, latents, num_classes, batch_size)
    if kind is Kind.FOLDER:
        return PictureFolder(place, size, channels)
    return ArrayFile(place)
