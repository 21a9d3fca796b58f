"""The best generators of a run, by each score and for each weights."""

import json
import math
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab._utils.files import flush, write_atomically
from tfgan_stab.callbacks.base import Measurement, Saved, usable_directory
from tfgan_stab.callbacks.checkpoint import (
    UNFINISHED,
    DamagedCheckpointError,
    checked,
    checkpoints,
    save,
)
from tfgan_stab.evaluation.results import Protocol, ScoreResult
from tfgan_stab.networks.export import with_keras_layers
from tfgan_stab.training.fit import Progress

SCORE = "score.json"
GENERATOR = "generator.keras"
FORMER = ".former-"


class Best(NamedTuple):
    """The best of a run by one score, for one weights.

    Attributes:
        result: The score.
        weights: "live" or the name of an average.
        step: Steps done then.
        larger_is_better: Which way the score counts.
        path: The checkpoint's folder.
        played: Steps played then, those included that rollbacks had undone.
    """

    result: ScoreResult
    weights: str
    step: int
    larger_is_better: bool
    path: pathlib.Path
    played: int

    @property
    def generator(self) -> pathlib.Path:
        """The generator's file, with these weights in."""
        return self.path / GENERATOR

    @property
    def rank(self) -> tuple[float, int]:
        """What the best one has the smallest of; of equal scores the first."""
        return (-self.result.value if self.larger_is_better else self.result.value), self.played


class BestCheckpoint(keras.callbacks.Callback):
    """Keeps the best of a run: by each score that is measured, for each weights it is measured of.

    It hears what `Evaluate` measures. Under `directory / "fid_ema"`, say, lies the checkpoint of
    the step with the best FID of the average called "ema": the whole run's state, in the format of
    `Checkpoint`, beside it `generator.keras` with those weights in, and `score.json`. To train on
    from it, copy it into a new directory and give that to `Checkpoint`.

    Lower is better, unless the score has a true attribute `larger_is_better`. Of equal values the
    first is kept. What is no finite number never wins. After a resume, steps that the resumed run
    will play again are forgotten; the best before them is still there. A run that begins anew moves
    what another has left there aside, to `fid_ema.former-1` and so on; so does a score that is
    measured in another way than before.

    A step that a `DivergenceGuard` undoes later may have been the best. It stays: its weights were
    finite, and their score is what was measured, though `RunLog` no longer has a line of it.
    Training on from there begins with the learning rates of before the rollback.

    Args:
        directory: Where the best lie; made if it is not there.

    Raises:
        OSError: If something cannot be written.
        ValueError: In `fit`, if scores of the same name are measured in different ways.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.BestCheckpoint("runs/digits/best").directory.name
        'best'
    """

    def __init__(self, directory: str | os.PathLike[str]):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self._kept: dict[pathlib.Path, list[Best]] = {}
        self._protocols: dict[pathlib.Path, Protocol] = {}
        self._epoch = 0
        self._epoch_began = 0
        self._step_in_epoch_at_start = 0
        self._saved: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Finds what lies there, forgets what comes again, and listens."""
        usable_directory(self.directory)
        if not self.model.steps:
            self._make_way()
        self._kept = {folder: self._found(folder) for folder in _folders(self.directory)}
        self._protocols = {}
        self._saved, self._step_in_epoch_at_start = None, 0
        self._epoch, self._epoch_began = 0, self.model.steps_played
        self.model.listeners.append(self.hear)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes where the epoch began."""
        self._epoch = epoch
        self._epoch_began = self.model.steps_played - self._step_in_epoch_at_start
        self._step_in_epoch_at_start = 0

    def on_train_end(self, logs: Any = None) -> None:
        """Listens no more."""
        self.model.listeners.remove(self.hear)

    def hear(self, news: Any) -> None:
        """Keeps the model if it is the best so far by a score that the model publishes."""
        if isinstance(news, Measurement) and math.isfinite(news.result.value):
            self._consider(news)
        elif isinstance(news, Saved):
            self._saved, self._step_in_epoch_at_start = self.model.steps_played, news.step_in_epoch
            for folder in self._kept:
                self._drop_former(folder)

    def _consider(self, news: Measurement) -> None:
        folder = self.directory / news.label
        target = folder / f"step-{news.step:010d}"
        this = Best(
            news.result,
            news.weights,
            news.step,
            news.larger_is_better,
            target,
            self.model.steps_played,
        )
        self._check_name(folder, news.result)
        before = self._kept.get(folder, [])
        if before and before[0].result.protocol != news.result.protocol:
            warnings.warn(
                f"{folder} held the best by {before[0].result.protocol}, which cannot be compared "
                f"with {news.result.protocol}. It is in {_moved_aside(folder)} now.",
                stacklevel=2,
            )
            before = []
        if all(this.rank < other.rank for other in before):
            self._write(this, news.images)
            self._kept[folder] = [this, *(other for other in before if other.path != target)]
            self._drop_former(folder)

    def _check_name(self, folder: pathlib.Path, result: ScoreResult) -> None:
        """Refuses to let two scores of one name take the folder from each other all the time."""
        known = self._protocols.setdefault(folder, result.protocol)
        if known != result.protocol:
            raise ValueError(
                f"The best of each score lie in a folder of its name. Received: two for {folder}, "
                f"measured as {known} and as {result.protocol}. Rename one: score.name = ..."
            )

    def _write(self, best: Best, images: int) -> None:
        """Writes the checkpoint and what lies beside it, then gives them their name."""
        folder = usable_directory(best.path.parent)
        draft = folder / f"new{UNFINISHED}"
        shutil.rmtree(draft, ignore_errors=True)
        path = save(self.model, usable_directory(draft), self._progress())
        facts = {
            "score": best.result.name,
            "weights": best.weights,
            "value": best.result.value,
            "larger_is_better": best.larger_is_better,
            "protocol": str(best.result.protocol),
            "step": best.step,
            "steps_played": best.played,
            "images": images,
        }
        try:
            with self.model.using(best.weights):
                with_keras_layers(self.model.generator).save(path / GENERATOR)
            flush(path / GENERATOR)
            write_atomically(path / SCORE, json.dumps(facts, indent=1) + "\n")
            if best.path.exists():  # Training came by again.
                shutil.rmtree(best.path)
            os.replace(path, best.path)
            flush(folder)
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"Expected to keep the best model in {folder}. Received: {error} Free some space "
                "and run the same command again."
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _progress(self) -> Progress:
        step, steps = self.model.steps_played - self._epoch_began, self.params["steps"]
        finished = step and (steps is None or step >= steps)
        return Progress(self._epoch + 1, 0) if finished else Progress(self._epoch, step)

    def _found(self, folder: pathlib.Path) -> list[Best]:
        """Returns what an earlier run has kept in a folder, the best first; drops the rest."""
        shutil.rmtree(folder / f"new{UNFINISHED}", ignore_errors=True)
        found = []
        for path in checkpoints(folder):
            try:
                checked(path)
                best = _read(path)
            except DamagedCheckpointError as damage:
                aside = _moved_aside(path, folder / f"damaged-{path.name}")
                warnings.warn(f"{damage} It no longer counts, and is {aside} now.", stacklevel=2)
                continue
            if best.played > self.model.steps_played:
                shutil.rmtree(path)
            else:
                found.append(best)
        return sorted(found, key=lambda best: best.rank)

    def _drop_former(self, folder: pathlib.Path) -> None:
        """Drops what is not the best, unless it is that of the step which a run would resume."""
        kept = self._kept[folder]
        settled = [best for best in kept if self._saved is None or best.played <= self._saved]
        needed = [*kept[:1], *(settled[:1] if self._saved is not None else [])]
        for best in kept:
            if best not in needed:
                shutil.rmtree(best.path)
        self._kept[folder] = [best for best in kept if best in needed]

    def _make_way(self) -> None:
        """Keeps another run's best under another name; those of a mere start come again."""
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
        DamagedCheckpointError: If a file that tells a score cannot be read.
    """
    found = (map(_read, checkpoints(folder)) for folder in _folders(pathlib.Path(directory)))
    return [min(each, key=lambda best: best.rank) for each in found]


def _folders(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the folders with something in them that a `BestCheckpoint` has written."""
    for folder in sorted(directory.glob("*")):
        if FORMER not in folder.name and any(folder.glob(f"step-*/{SCORE}")):
            yield folder


def _read(path: pathlib.Path) -> Best:
    try:
        facts = json.loads((path / SCORE).read_text(encoding="utf-8"))
        result = ScoreResult(
            facts["score"], float(facts["value"]), Protocol.parse(facts["protocol"])
        )
        step_number, larger = int(facts["step"]), bool(facts["larger_is_better"])
        played = int(facts.get("steps_played", step_number))
        return Best(result, facts["weights"], step_number, larger, path, played)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DamagedCheckpointError(f"Checkpoint {path} is damaged: {error!r}.") from error


def _moved_aside(path: pathlib.Path, name: pathlib.Path | None = None) -> pathlib.Path:
    """Renames what lies at a path; returns the new place, which was free."""
    base = name or path
    numbered = (base.with_name(f"{base.name}{FORMER}{number}") for number in count(1))
    aside = next(place for place in numbered if not place.exists())
    path.rename(aside)
    return aside
