"""A run's checkpoints seen by an onlooker: read while another process may be training there."""

import os
import pathlib
import warnings
from typing import Any

import tensorflow as tf

from tfgan_stab.callbacks.checkpointing import (
    DamagedCheckpointError,
    checked,
    checkpoints,
    restore,
)


def restore_newest(gan: Any, directory: str | os.PathLike[str]) -> pathlib.Path:
    """Puts the newest whole checkpoint of a directory into a model; changes nothing on the disk.

    A run that goes on meanwhile may remove a checkpoint while it is read: then the newest is looked
    for again. A damaged one is passed over with a warning.

    Args:
        gan: A compiled model of that run's settings.
        directory: Where the checkpoints lie.

    Returns:
        The checkpoint's folder.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        DamagedCheckpointError: If all are damaged.
        ValueError: If they belong to a model of other variables.
    """
    damaged: set[str] = set()
    while True:
        found = [path for path in checkpoints(directory) if path.name not in damaged]
        if not found:
            raise _nothing(pathlib.Path(directory), damaged)
        try:
            restore(gan, found[0], checked(found[0]))
            return found[0]
        except (OSError, tf.errors.OpError) as error:
            if found[0].exists():
                damaged.add(found[0].name)
                warnings.warn(f"{error} Looking for one before it.", stacklevel=2)


def restore_one(gan: Any, path: pathlib.Path) -> None:
    """Puts one checkpoint into a model.

    Args:
        gan: A compiled model of that run's settings.
        path: The checkpoint's folder.

    Raises:
        DamagedCheckpointError: If it cannot be read whole.
        ValueError: If it belongs to a model of other variables.
    """
    try:
        restore(gan, path, checked(path))
    except tf.errors.OpError as error:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error.message}.") from error


def _nothing(directory: pathlib.Path, damaged: set[str]) -> OSError:
    if damaged:
        return DamagedCheckpointError(
            f"Expected a whole checkpoint in {directory}. Received: {len(damaged)} damaged. Choose "
            "another source, such as the run's generator.keras."
        )
    return FileNotFoundError(
        f"Expected a checkpoint in {directory}. Received: none. Train there for an epoch first, or "
        "choose another source."
    )
