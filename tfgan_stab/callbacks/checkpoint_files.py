"""Checkpoints on the disk: how one is written, checked and restored.

A checkpoint is a folder: TensorFlow's own checkpoint files, and `progress.json` with the steps
done, a list of all variables, the hash of each file and one of all that. It is written under
another name and renamed once it is complete and on the disk, so that other processes may read the
newest one at any time. It is renamed again before it is removed.
"""

import hashlib
import json
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils.files import (
    flush,
    named_in,
    under_plain_name,
    user_path,
    write_atomically,
)
from tfgan_stab.callbacks.base import way_on
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.optimizers import rate_scales, set_rate_scales
from tfgan_stab.training.resume import Progress
from tfgan_stab.training.train_step import RollbackState

METADATA = "progress.json"
UNFINISHED = ".unfinished"
CHECKSUM = "checksum"

# Keys that version 0.1 called otherwise. There, "step" counted from the epoch's beginning.
_KEYS_OF_0_1 = {
    "round": "step",
    "step": "step_in_epoch",
    "setbacks": "rollback_state",
    "rounds_lost": "steps_lost",
    "rounds_played": "steps_taken",
}


class DamagedCheckpointError(OSError):
    """A checkpoint that is incomplete, or whose files have changed."""


def save(gan: GAN, directory: pathlib.Path, progress: Progress) -> pathlib.Path:
    """Writes a checkpoint of a model that stands between two steps; returns its folder.

    Raises:
        OSError: If it cannot be written; the previous ones are intact.
    """
    target = directory / f"step-{gan.steps:010d}"
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        write(gan, unfinished, progress)
        replace(unfinished, target)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise OSError(
            f"Expected to save a checkpoint in {directory}. Received: {error} "
            f"{_left_in(directory)}{way_on(directory)}"
        ) from error
    return target


def _left_in(directory: pathlib.Path) -> str:
    """Returns which checkpoints a failed one has left, in a sentence; nothing if there are none."""
    found = checkpoints(directory)
    return f"The checkpoints before it are intact, the newest is {found[0].name}. " if found else ""


def write(gan: GAN, folder: pathlib.Path, progress: Progress) -> None:
    """Writes a checkpoint into a folder, in place of what it holds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    owned = owned_variables(gan)
    with gan.using(LIVE):
        _trackable(owned, owned).write(str(folder / "state"))
    files = sorted(folder.iterdir())
    for path in files:
        flush(path)
    metadata = {
        "step": gan.steps,
        "epoch": progress.epoch,
        "step_in_epoch": progress.step_in_epoch,
        "seconds": gan.clock.seconds,
        "replicas": gan.distribute_strategy.num_replicas_in_sync,
        "rollback_state": _rollback_metadata(gan),
        "xla": {**gan.compilation._asdict(), "too_short": gan.too_short},
        "variables": _inventory(owned),
        "files": {path.name: _hash(path) for path in files},
    }
    write_sealed(folder / METADATA, metadata)


def replace(unfinished: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a checkpoint that is complete; only then removes one that was there.

    That one was found damaged, and training came by again; or it is the newest, perhaps the only
    one, and a guard that stops the run saves its step once more.
    """
    previous = _set_aside(path) if path.exists() else None
    os.replace(unfinished, path)
    flush(path.parent)
    if previous is not None:
        shutil.rmtree(previous)


def remove(path: pathlib.Path) -> None:
    """Removes a checkpoint; a kill in the midst of that leaves none that seems damaged."""
    shutil.rmtree(_set_aside(path))


def _set_aside(path: pathlib.Path) -> pathlib.Path:
    """Renames a checkpoint to what counts as none, and is removed when a run resumes."""
    going = path.with_name(f"{path.name}.removed{UNFINISHED}")
    shutil.rmtree(going, ignore_errors=True)
    path.rename(going)
    return going


def checkpoints(directory: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Returns the checkpoints in a directory, the newest first."""
    found = user_path(directory).glob("step-*")
    complete = (p for p in found if p.is_dir() and not p.name.endswith(UNFINISHED))
    return sorted(complete, reverse=True)


def restore_newest(
    gan: GAN, directory: str | os.PathLike[str]
) -> tuple[pathlib.Path, dict[str, Any]]:
    """Restores the newest intact checkpoint of a directory; changes nothing on the disk.

    A damaged one is passed over with a warning. Another process may be training there, and may
    remove a checkpoint while it is read: then the newest is looked for again.

    Args:
        gan: A compiled model of that run's settings.
        directory: Where the checkpoints are.

    Returns:
        The checkpoint's folder and its metadata.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        DamagedCheckpointError: If all are damaged.
        ValueError: If they belong to a model of other variables.
    """
    damaged: list[pathlib.Path] = []
    while found := [path for path in checkpoints(directory) if path not in damaged]:
        newest, *older = found
        try:
            return newest, restore(gan, newest)
        except DamagedCheckpointError as error:
            if not newest.exists():
                continue
            damaged.append(newest)
            if not older:
                raise DamagedCheckpointError(
                    f"Expected an intact checkpoint in {directory}. Received: {len(damaged)} "
                    f"damaged. {error} Move what is in there away to start over, or use another "
                    "source, such as the run's generator.keras."
                ) from error
            warnings.warn(f"{error} Falling back to {older[0]}.", stacklevel=2)
    raise FileNotFoundError(
        f"Expected a checkpoint in {directory}. Received: none. Train there for an epoch first, or "
        "choose another source."
    )


def restore(gan: GAN, path: pathlib.Path) -> dict[str, Any]:
    """Puts a checkpoint's state into a model; returns the checkpoint's metadata.

    Args:
        gan: A compiled model of that run's settings.
        path: The checkpoint's folder.

    Raises:
        DamagedCheckpointError: If it is damaged.
        ValueError: If it belongs to a model of other variables.
    """
    metadata = read_metadata(path)
    owned, inventory = owned_variables(gan), metadata["variables"]
    _check_inventory(_inventory(owned), inventory, path)
    owners = dict.fromkeys(line.partition(" ")[0] for line in inventory)
    try:
        with gan.using(LIVE), under_plain_name(path) as folder:
            _trackable(owned, owners).read(str(folder / "state")).assert_consumed()
    except tf.errors.OpError as error:  # Another process has just removed it.
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error.message}.") from error
    gan.clock.set(metadata["seconds"])
    _restore_rollbacks(gan, metadata.get("rollback_state", {}))
    gan.continue_compilation(**metadata.get("xla", {}))
    return metadata


def read_metadata(path: pathlib.Path) -> dict[str, Any]:
    """Returns a checkpoint's metadata after comparing its files with their hashes.

    Raises:
        DamagedCheckpointError: If something is missing or has changed.
    """
    try:
        metadata = read_json(path / METADATA)
        files = metadata["files"].items()
        changed = [name for name, known in files if _hash(named_in(path, name)) != known]
        Progress(int(metadata["epoch"]), int(metadata["step_in_epoch"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error!r}.") from error
    if changed:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {changed} changed.")
    return metadata


def write_sealed(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes a file of a checkpoint with a checksum, by which `read_json` knows it is intact."""
    sealed = {**content, CHECKSUM: _checksum(content)}
    write_atomically(path, json.dumps(sealed, indent=1) + "\n")


def read_json(path: pathlib.Path) -> Any:
    """Returns what a file of a checkpoint says, in this version's words if it is of version 0.1.

    Raises:
        ValueError: If it has changed since it was written. Files of version 0.1 cannot tell.
    """

    def renamed(entries: dict[str, Any]) -> dict[str, Any]:
        if entries.keys() & {"round", "rounds_lost"}:
            return {_KEYS_OF_0_1.get(key, key): value for key, value in entries.items()}
        return entries

    found = json.loads(path.read_text(encoding="utf-8"), object_hook=renamed)
    known = found.pop(CHECKSUM, None) if isinstance(found, dict) else None
    if known not in (None, _checksum(found)):
        raise ValueError(f"{path.name} changed")
    return found


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def owned_variables(gan: GAN) -> dict[str, list[keras.Variable]]:
    """Returns all variables that training needs to go on, by owner; metrics are not among them."""
    metrics = {id(variable) for metric in gan.metrics for variable in metric.variables}
    owned = {"model": [v for v in gan.variables if id(v) not in metrics]}
    for player, optimizer in gan.optimizers._asdict().items():
        owned[f"{player}_optimizer"] = optimizer.variables
    if gan.scheme.separate_extrapolation:
        for player, optimizer in gan.optimizers_for_extrapolation._asdict().items():
            owned[f"{player}_extrapolation_optimizer"] = optimizer.variables
    return owned


def _trackable(
    owned: dict[str, list[keras.Variable]], owners: Iterable[str]
) -> tf.train.Checkpoint:
    """Returns TensorFlow's checkpoint of the variables, in which their owners have these names."""
    values = ([variable.value for variable in variables] for variables in owned.values())
    return tf.train.Checkpoint(**dict(zip(owners, values, strict=True)))


def _inventory(owned: dict[str, list[keras.Variable]]) -> list[str]:
    """Returns a line for each variable: its owner, its number there, dtype and shape."""
    # Variables' own names carry counters that depend on what else the process has built.
    return [
        f"{owner} {number}: {variable.dtype} {list(variable.shape)}"
        for owner, variables in owned.items()
        for number, variable in enumerate(variables)
    ]


def _check_inventory(expected: Sequence[str], received: Sequence[str], path: pathlib.Path) -> None:
    """Compares inventories, whatever the owners are called: other versions have other names."""
    pairs = list(zip(expected, received, strict=False))
    differing = [
        f"{here} here, {there} there"
        for here, there in pairs
        if here.partition(" ")[2] != there.partition(" ")[2]
    ]
    if len(expected) != len(received):
        differing.append(f"{len(expected)} here, {len(received)} there")
    if differing:
        raise ValueError(
            f"Expected a checkpoint of this model in {path}. Received: other variables, for "
            f"example {differing[0]}. Use the networks, optimizers and averages of that run, or "
            "another directory."
        )


def _hash(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _rollback_metadata(gan: GAN) -> dict[str, Any]:
    """Returns what a checkpoint holds of rollbacks, in values that JSON can hold."""
    return {
        "rollbacks": gan.rollback_state.rollbacks,
        "steps_lost": gan.rollback_state.steps_lost,
        "rate_scales": rate_scales(gan.optimizers),
    }


def _restore_rollbacks(gan: GAN, found: dict[str, Any]) -> None:
    lost = found.get("steps_lost", 0)
    gan.rollback_state = RollbackState(found.get("rollbacks", 0), lost, gan.steps)
    for optimizers in (gan.optimizers, gan.optimizers_for_extrapolation):
        set_rate_scales(optimizers, found.get("rate_scales", [1.0, 1.0]))
