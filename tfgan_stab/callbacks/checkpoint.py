"""Everything a run needs to go on, saved so that a kill at any moment loses at most a period.

A checkpoint is a folder: TensorFlow's own checkpoint files and `progress.json`, which lists them
with their hashes. It is written under another name and renamed when it is whole and on the disk.
"""

import hashlib
import json
import os
import pathlib
import shutil
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils.files import flush, write_atomically
from tfgan_stab.callbacks.base import Periodic, Saved, usable_directory
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.optimizers import rate_scales, set_rate_scales
from tfgan_stab.training.resume import Progress
from tfgan_stab.training.train_state import RollbackState

PROGRESS = "progress.json"
UNFINISHED = ".unfinished"


class DamagedCheckpointError(OSError):
    """A checkpoint that cannot be read whole."""


class Checkpoint(Periodic):
    """Saves the run every so often, and resumes it by itself when `fit` starts.

    Saved are both networks, both optimizers, the averages, the scheme's state and the steps done;
    noise and order of `tgs.data` follow from the steps. So a resumed run repeats the uninterrupted
    one bit for bit on the same machine. Give `fit` the same arguments again: `epochs` counts from
    the run's beginning.

    Other callbacks' own state is not saved: after a resume `keras.callbacks.EarlyStopping` knows no
    best epoch and counts its patience anew. Weights that it restores at the end are not saved
    either; the newest checkpoint is of the last step trained.

    Args:
        directory: Where the checkpoints lie, one folder each; made if it is not there.
        every: "epoch", or a number of steps >= 1. After a resume inside an epoch that epoch's
            mean losses are over its rest only.
        keep: How many checkpoints stay, an integer >= 1. With two or more, a damaged one does no
            harm: the one before is used, with a warning.

    Raises:
        ValueError: If `every` or `keep` is out of range, a checkpoint belongs to other networks, or
            `every` is a number and the data are in no fixed order.
        DamagedCheckpointError: If there are checkpoints, and all are damaged.
        OSError: If a checkpoint cannot be written; those before are intact.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.Checkpoint("runs/digits/checkpoints", every=500).keep
        3
    """

    def __init__(
        self, directory: str | os.PathLike[str], every: str | int = "epoch", keep: int = 3
    ):
        super().__init__(every)
        if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
            raise ValueError(
                f"`keep` must be a number of checkpoints >= 1. Received: {keep!r}. Use 3."
            )
        self.directory = pathlib.Path(directory)
        self.keep = keep
        self._ordered = False
        self._epoch = 0
        self._epoch_began = 0
        self._step_in_epoch_at_start = 0
        self._due = False
        self._saved: int | None = None

    # -- Resuming ---------------------------------------------------------------------------------

    def expect(self, ordered: bool) -> None:
        """Refuses to save inside epochs if no run could go on from there."""
        if isinstance(self.every, int) and not ordered:
            raise ValueError(
                "Checkpoints inside epochs need data in a fixed order: a data set of tgs.data, or "
                f"a tf.data.Dataset with steps_per_epoch. Received: every={self.every} with other "
                "data. Use tgs.data.arrays(...), or Checkpoint(..., every='epoch')."
            )
        self._ordered = ordered

    def resume(self, gan: keras.Model) -> Progress | None:
        """Restores the newest whole checkpoint; returns how far it was, `None` without any."""
        usable_directory(self.directory)
        for leftover in self.directory.glob(f"*{UNFINISHED}"):
            shutil.rmtree(leftover)
        self._step_in_epoch_at_start, self._saved = 0, None
        found = checkpoints(self.directory)
        if not found:
            return None
        path, facts = _newest_whole(found)
        restore(gan, path, facts)
        self._step_in_epoch_at_start, self._saved = facts["step_in_epoch"], facts["step"]
        print(f"Resuming from {path}: {facts['step']} steps done.")
        return Progress(facts["epoch"], facts["step_in_epoch"])

    # -- Saving -----------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        """Counts from where the run stands."""
        super().on_train_begin(logs)
        self._due = False
        if self._saved is None:
            self._saved = self.gan.steps  # Nothing trained, nothing to save.
        self.gan.publish(Saved(self._saved, self._step_in_epoch_at_start))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes where the epoch began."""
        self._epoch = epoch
        self._epoch_began = self.gan.steps_taken - self._step_in_epoch_at_start
        self._step_in_epoch_at_start = 0

    def act(self, logs: dict[str, Any]) -> None:
        """Saves inside an epoch."""
        # After the last step, the other callbacks do their work of the epoch's end first: a run
        # that went on from before it would leave that out.
        self._due = self._step_in_epoch >= self.params["steps"]
        if not self._due:
            self._save(Progress(self._epoch, self._step_in_epoch))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves at the epoch's end, if it is time."""
        if self.every == "epoch" or self._due:
            self._save(self._progress())
        self._due = False

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the end of the run, if it is not saved yet."""
        self._save(self._progress())

    @property
    def _step_in_epoch(self) -> int:
        return self.gan.steps_taken - self._epoch_began

    def _progress(self) -> Progress:
        if self._ordered and self.gan.stop_training and self._step_in_epoch < self.params["steps"]:
            return Progress(
                self._epoch, self._step_in_epoch
            )  # Stopped early: the rest is still to come.
        return Progress(self._epoch + 1, 0)

    def _save(self, progress: Progress) -> None:
        steps = self.gan.steps
        if steps <= (self._saved or 0) or self._step_in_epoch <= 0:
            # Saved already; or another callback has set former weights, and with them the count of
            # steps, to which neither the optimizers nor the epoch belong.
            return
        target = save(self.gan, self.directory, progress)
        self._saved = self.gan.rollback_state.saved_step = steps
        self.gan.publish(Saved(steps))
        # Later ones were found damaged; they must not count.
        done = [path for path in checkpoints(self.directory) if path.name <= target.name]
        for old in done[self.keep :]:
            shutil.rmtree(old)


def save(gan: Any, directory: pathlib.Path, progress: Progress) -> pathlib.Path:
    """Writes a checkpoint of a model that stands between two steps; returns its folder.

    Raises:
        OSError: If it cannot be written; those before are intact.
    """
    target = directory / f"step-{gan.steps:010d}"
    draft = target.with_name(target.name + UNFINISHED)
    try:
        _write(gan, draft, progress)
        if target.exists():  # It was found damaged, and training came by again.
            shutil.rmtree(target)
        os.replace(draft, target)
        flush(directory)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise OSError(
            f"Expected to save a checkpoint in {directory}. Received: {error} The checkpoints "
            "before it are intact: free some space and run the same command again."
        ) from error
    return target


def _write(gan: Any, draft: pathlib.Path, progress: Progress) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    with gan.using(LIVE):
        _trackable(gan).write(str(draft / "state"))
    files = sorted(draft.iterdir())
    for path in files:
        flush(path)
    facts = {
        "step": gan.steps,
        "epoch": progress.epoch,
        "step_in_epoch": progress.step_in_epoch,
        "seconds": gan.clock.seconds,
        "setbacks": {
            "rollbacks": gan.rollback_state.rollbacks,
            "steps_lost": gan.rollback_state.steps_lost,
            "rate_scales": rate_scales(gan.optimizers),
        },
        "variables": _inventory(gan),
        "files": {path.name: _hash(path) for path in files},
    }
    write_atomically(draft / PROGRESS, json.dumps(facts, indent=1) + "\n")


def checkpoints(directory: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Returns the checkpoints in a directory, the newest first."""
    found = pathlib.Path(directory).glob("step-*")
    whole = (p for p in found if p.is_dir() and not p.name.endswith(UNFINISHED))
    return sorted(whole, reverse=True)


def _newest_whole(found: Sequence[pathlib.Path]) -> tuple[pathlib.Path, dict[str, Any]]:
    """Returns the first that is not damaged, and its facts; warns of those it passes over."""
    *newer, oldest = found
    for path, before in zip(newer, found[1:], strict=True):
        try:
            return path, checked(path)
        except DamagedCheckpointError as damage:
            warnings.warn(f"{damage} Falling back to {before}.", stacklevel=3)
    try:
        return oldest, checked(oldest)
    except DamagedCheckpointError as damage:
        raise DamagedCheckpointError(
            f"Expected a whole checkpoint in {oldest.parent}. Received: none among {len(found)}. "
            f"{damage} Move what is in there away to start over."
        ) from damage


def checked(path: pathlib.Path) -> dict[str, Any]:
    """Returns a checkpoint's facts after comparing its files with them."""
    try:
        facts = json.loads((path / PROGRESS).read_text(encoding="utf-8"))
        damaged = [n for n, wanted in facts["files"].items() if _hash(path / n) != wanted]
        Progress(int(facts["epoch"]), int(facts["step_in_epoch"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error!r}.") from error
    if damaged:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {damaged} changed.")
    return facts


def restore(gan: Any, path: pathlib.Path, facts: dict[str, Any]) -> None:
    """Puts a checkpoint's state into a model; `facts` are what `checked` returned of it."""
    expected, received = _inventory(gan), facts["variables"]
    if expected != received:
        differing = [
            f"{mine} here, {theirs} there"
            for mine, theirs in zip(expected, received, strict=False)
            if mine != theirs
        ]
        first = differing[0] if differing else f"{len(expected)} here, {len(received)} there"
        raise ValueError(
            f"Expected a checkpoint of this model in {path}. Received: other variables, for "
            f"example {first}. Use the networks, optimizers and averages of that run, or another "
            "directory."
        )
    with gan.using(LIVE):
        _trackable(gan).read(str(path / "state")).assert_consumed()
    gan.clock.set(facts["seconds"])
    _restore_rollbacks(gan, facts.get("setbacks", {}))


def _restore_rollbacks(gan: Any, found: dict[str, Any]) -> None:
    lost = found.get("steps_lost", found.get("rounds_lost", 0))
    gan.rollback_state = RollbackState(found.get("rollbacks", 0), lost, gan.steps)
    for optimizers in (gan.optimizers, gan.extrapolation_optimizers):
        set_rate_scales(optimizers, found.get("rate_scales", [1.0, 1.0]))


def owned_variables(gan: Any) -> dict[str, list[keras.Variable]]:
    """Returns all variables that training needs to go on, by owner; metrics are not among them."""
    metrics = {id(variable) for metric in gan.metrics for variable in metric.variables}
    owned = {"model": [v for v in gan.variables if id(v) not in metrics]}
    for player, optimizer in gan.optimizers._asdict().items():
        owned[f"{player}_optimizer"] = optimizer.variables
    if gan.scheme.separate_extrapolation:
        for player, optimizer in gan.extrapolation_optimizers._asdict().items():
            owned[f"{player}_extrapolation_optimizer"] = optimizer.variables
    return owned


def _trackable(gan: Any) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(
        **{name: [v.value for v in variables] for name, variables in owned_variables(gan).items()}
    )


def _inventory(gan: Any) -> list[str]:
    # Names carry counters that depend on what else the process has built; shapes do not.
    return [
        f"{owner} {number}: {v.dtype} {list(v.shape)}"
        for owner, variables in owned_variables(gan).items()
        for number, v in enumerate(variables)
    ]


def _hash(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# DOC: """A run's checkpoints seen by an onlooker: read while another process may be training
# there."""
#


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
