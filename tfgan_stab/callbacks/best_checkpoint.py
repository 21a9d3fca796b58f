"""The best checkpoints of a run: one for each score and each weights that it is measured of."""

import math
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab._utils.files import flush, named_in, user_path
from tfgan_stab.callbacks.base import (
    CheckpointEvent,
    EpochPosition,
    ScoreEvent,
    usable_directory,
    way_on,
)
from tfgan_stab.callbacks.checkpoint_files import (
    UNFINISHED,
    DamagedCheckpointError,
    checkpoints,
    read_json,
    read_metadata,
    remove,
    replace,
    write,
    write_sealed,
)
from tfgan_stab.evaluation.results import Protocol, ScoreResult
from tfgan_stab.networks.export import with_keras_layers
from tfgan_stab.training.resume import Progress

SCORE = "score.json"
GENERATOR = "generator.keras"
PREVIOUS = ".previous-"


class Best(NamedTuple):
    """The best checkpoint of a run by one score of one weights.

    Attributes:
        result: The score.
        weights: "live" or the name of an average.
        step: Steps done then.
        larger_is_better: Whether the best have the largest scores.
        path: The checkpoint's folder.
        steps_taken: Steps done then, and those before that rollbacks had undone.
    """

    result: ScoreResult
    weights: str
    step: int
    larger_is_better: bool
    path: pathlib.Path
    steps_taken: int

    @property
    def generator(self) -> pathlib.Path:
        """The generator's file, which holds these weights."""
        return self.path / GENERATOR

    @property
    def rank(self) -> tuple[float, int]:
        """What to sort by, the best first; of equal scores the earliest."""
        value = self.result.value
        return (-value if self.larger_is_better else value), self.steps_taken


class BestCheckpoint(EpochPosition):
    """Keeps the best checkpoint by each score that `Evaluate` measures, for each weights.

    In `directory / "fid_ema"`, say, is the checkpoint of the step with the best FID of the average
    called "ema": the whole run's state, in the format of `Checkpoint`, with `generator.keras`,
    which holds those weights, and `score.json`. To train on from it, copy it into a new directory
    and give that to `Checkpoint`.

    Lower is better, unless the score has a true attribute `larger_is_better`. Of equal values the
    first is kept. NaN and infinity never win. After a resume, what was kept of steps that will be
    trained again is removed; the best before them is still there. A new run renames an earlier
    run's folder to `fid_ema.previous-1`, and so on; so does a score that is now measured
    differently.

    A step that a `DivergenceGuard` undoes later may have been the best. It is kept: its weights
    were finite, and their score is what was measured, though `RunLog` no longer has a line of it.
    Training on from there begins with the learning rates of before the rollback.

    Args:
        directory: Where the best are kept; made if it is not there.

    Raises:
        OSError: If something cannot be written.
        ValueError: In `fit`, if scores of the same name are measured in different ways, or a name
            cannot be that of a folder.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.BestCheckpoint("runs/digits/best").directory.name
        'best'
    """

    counterpart = "keras.callbacks.ModelCheckpoint"
    chief_only = True

    def __init__(self, directory: str | os.PathLike[str]):
        super().__init__()
        self.directory = user_path(directory)
        self._kept: dict[pathlib.Path, list[Best]] = {}  # By folder, the best first.
        self._protocols: dict[pathlib.Path, Protocol] = {}
        self._saved: int | None = None  # Steps taken at the newest checkpoint to resume from.

    def on_train_begin(self, logs: Any = None) -> None:
        """Finds what an earlier run has kept, and listens for scores."""
        usable_directory(self.directory)
        if not self.gan.steps:
            self._move_other_run_aside()
        self._kept = {folder: self._found(folder) for folder in _folders(self.directory)}
        self._protocols = {}
        self._saved, self._resumed_in_epoch = None, 0
        self._epoch, self._epoch_start = 0, self.gan.steps_taken
        self.gan.listeners.append(self.on_event)  # Until `fit` ends: the last save comes late.

    def on_event(self, event: Any) -> None:
        """Keeps the model if a score says that it is the best so far."""
        if isinstance(event, ScoreEvent) and math.isfinite(event.result.value):
            self._compare(event)
        elif isinstance(event, CheckpointEvent):
            self._saved, self._resumed_in_epoch = self.gan.steps_taken, event.step_in_epoch
            for folder in self._kept:
                self._remove_others(folder)

    def _compare(self, event: ScoreEvent) -> None:
        """Keeps the model if this score is the best of its name and weights."""
        folder = named_in(self.directory, event.label)
        new = Best(
            event.result,
            event.weights,
            event.step,
            event.larger_is_better,
            folder / f"step-{event.step:010d}",
            self.gan.steps_taken,
        )
        self._check_name(folder, event.result)
        previous = self._kept.get(folder, [])
        if previous and previous[0].result.protocol != event.result.protocol:
            warnings.warn(
                f"{folder} held the best by {previous[0].result.protocol}, which cannot be "
                f"compared with {event.result.protocol}. It is in {_moved_aside(folder)} now.",
                stacklevel=2,
            )
            previous = []
        if all(new.rank < other.rank for other in previous):
            self._write(new, event.images)
            self._kept[folder] = [new, *(other for other in previous if other.path != new.path)]
            self._remove_others(folder)

    def _check_name(self, folder: pathlib.Path, result: ScoreResult) -> None:
        """Refuses two scores of one name, which would take the folder from each other each time."""
        known = self._protocols.setdefault(folder, result.protocol)
        if known != result.protocol:
            raise ValueError(
                f"Two scores share the folder {folder}, which is named after the score. Received: "
                f"one measured as {known}, one as {result.protocol}. Rename one: score.name = ..."
            )

    def _write(self, best: Best, images: int) -> None:
        """Writes the checkpoint, the generator and the score, then renames their folder."""
        folder = usable_directory(best.path.parent)
        unfinished = folder / f"new{UNFINISHED}"
        metadata = {
            "score": best.result.name,
            "weights": best.weights,
            "value": best.result.value,
            "larger_is_better": best.larger_is_better,
            "protocol": str(best.result.protocol),
            "step": best.step,
            "steps_taken": best.steps_taken,
            "images": images,
        }
        try:
            write(self.gan, unfinished, self._progress())
            with self.gan.using(best.weights):
                with_keras_layers(self.gan.generator).save(unfinished / GENERATOR)
            flush(unfinished / GENERATOR)
            write_sealed(unfinished / SCORE, metadata)
            replace(unfinished, best.path)
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"Expected to keep the best model in {folder}. Received: {error} "
                f"{way_on(self.directory)}"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _progress(self) -> Progress:
        step, steps = self._step_in_epoch, self.params["steps"]
        finished = step and (steps is None or step >= steps)
        return Progress(self._epoch + 1, 0) if finished else Progress(self._epoch, step)

    def _found(self, folder: pathlib.Path) -> list[Best]:
        """Returns what an earlier run has kept in a folder, the best first.

        Removes what is of steps that will be trained again, and moves what is damaged aside.
        """
        for leftover in folder.glob(f"*{UNFINISHED}"):
            shutil.rmtree(leftover)
        found = []
        for path in checkpoints(folder):
            try:
                read_metadata(path)
                best = _read(path)
            except DamagedCheckpointError as damage:
                aside = _moved_aside(path, folder / f"damaged-{path.name}")
                warnings.warn(f"{damage} It no longer counts, and is {aside} now.", stacklevel=2)
                continue
            if best.steps_taken > self.gan.steps_taken:
                remove(path)
            else:
                found.append(best)
        return sorted(found, key=lambda best: best.rank)

    def _remove_others(self, folder: pathlib.Path) -> None:
        """Removes all but the best, and the best up to the step that a run would resume from."""
        kept = self._kept[folder]
        needed = kept[:1]
        if self._saved is not None:
            needed += [best for best in kept if best.steps_taken <= self._saved][:1]
        for best in kept:
            if best not in needed:
                remove(best.path)
        self._kept[folder] = [best for best in kept if best in needed]

    def _move_other_run_aside(self) -> None:
        """Renames another run's best; removes those of step 0, which are measured again."""
        for folder in list(_folders(self.directory)):
            if any(int(path.name.partition("-")[2]) for path in checkpoints(folder)):
                aside = _moved_aside(folder)
                print(f"{folder} held the best of an earlier run. It is in {aside} now.")
            else:
                shutil.rmtree(folder)


def best_of(directory: str | os.PathLike[str]) -> list[Best]:
    """Returns the best that a `BestCheckpoint` has kept of each score and weights, by their names.

    Args:
        directory: That of the callback.

    Raises:
        DamagedCheckpointError: If a file with a score cannot be read.
    """
    found = (map(_read, checkpoints(folder)) for folder in _folders(user_path(directory)))
    return [min(each, key=lambda best: best.rank) for each in found]


def _folders(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the folders in which a `BestCheckpoint` has kept something."""
    for folder in sorted(directory.glob("*")):
        if PREVIOUS not in folder.name and any(folder.glob(f"step-*/{SCORE}")):
            yield folder


def _read(path: pathlib.Path) -> Best:
    try:
        metadata = read_json(path / SCORE)
        protocol = Protocol.parse(metadata["protocol"])
        result = ScoreResult(metadata["score"], float(metadata["value"]), protocol)
        step, larger = int(metadata["step"]), bool(metadata["larger_is_better"])
        steps_taken = int(metadata.get("steps_taken", step))
        return Best(result, metadata["weights"], step, larger, path, steps_taken)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error!r}.") from error


def _moved_aside(path: pathlib.Path, name: pathlib.Path | None = None) -> pathlib.Path:
    """Renames a file or folder; returns its new path, which was free."""
    base = name or path
    numbered = (base.with_name(f"{base.name}{PREVIOUS}{number}") for number in count(1))
    aside = next(place for place in numbered if not place.exists())
    path.rename(aside)
    return aside
