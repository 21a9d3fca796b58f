"""A run's log: its settings, its scores, its events, and curves for TensorBoard."""

import contextlib
import json
import os
import pathlib
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab import __version__
from tfgan_stab._utils.files import flush, user_path, write_atomically
from tfgan_stab._utils.progress import EpochClock
from tfgan_stab.callbacks.base import (
    GANCallback,
    ImageEvent,
    SamplesEvent,
    ScoreEvent,
    TextEvent,
    usable_directory,
    way_on,
)
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.xla import Compilation

PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-gan", "tensorflow-datasets")


class RunLog(GANCallback):
    """Writes `run.json`, `metrics.jsonl`, `events.jsonl` and TensorBoard's files into a directory.

    `run.json` holds the settings that decide the run: versions, devices, XLA and why, precision,
    replicas, seeds, field evaluations per step. `metrics.jsonl` has a line per score: step (steps
    done), images seen, seconds, weights, value and protocol. `events.jsonl` has a line per event,
    such as a `DivergenceGuard`'s rollback. A resumed run drops the lines that it will write again,
    and one that a guard rolls back those of scores. A new run renames the scores and events of
    another one: their files become `metrics.previous-1.jsonl` and `events.previous-1.jsonl`.

    Args:
        workdir: Where to write; made if it is not there.

    Raises:
        OSError: If something cannot be written.
        ValueError: If `metrics.jsonl` or `events.jsonl` holds lines that are not its own.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.RunLog("runs/digits").workdir.name
        'digits'
    """

    counterpart = "keras.callbacks.TensorBoard"
    chief_only = True

    def __init__(self, workdir: str | os.PathLike[str]):
        super().__init__()
        self.workdir = user_path(workdir)
        self._metrics_file = self.workdir / "metrics.jsonl"
        self._events_file = self.workdir / "events.jsonl"
        self._tensorboard_folder = self.workdir / "tensorboard"
        self._tensorboard: Any = None
        self._clock = EpochClock()
        self._scores = {"evaluation_share"}  # What logs call them.

    def steps_until_needed(self) -> int | None:
        """Returns `None`: it looks at no single step."""
        return None

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes `run.json`, and listens to what the model publishes."""
        usable_directory(self.workdir)
        self._write_metadata()
        if self.gan.steps:
            self._drop_scores_after(self.gan.steps)
            self._drop_last_events(self.gan.steps)
        else:
            self._rename_other_run()
        self._close()  # An exception may have left it open.
        with self._explaining("events", self._tensorboard_folder):
            self._tensorboard = tf.summary.create_file_writer(str(self._tensorboard_folder))
        self.gan.listeners.append(self.on_event)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the epoch's clock."""
        self._clock.begin(self.gan.steps_taken)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops the epoch's clock: what follows the last step is no training."""
        self._clock.step_done()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's means to TensorBoard."""
        steps_taken = self.gan.steps_taken
        scalars = {name: log for name, log in (logs or {}).items() if name not in self._scores}
        scalars["seconds_per_step"] = self._clock.seconds_per_step(steps_taken)
        scalars["field_evaluations"] = steps_taken * self.gan.scheme.evaluations
        with self._summaries():
            for name, value in scalars.items():
                tf.summary.scalar(f"epoch/{name}", value, step=self.gan.steps)
            self._tensorboard.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the files."""
        self.gan.listeners.remove(self.on_event)
        self._close()

    def on_event(self, event: Any) -> None:
        """Logs an event that the model publishes."""
        if isinstance(event, ScoreEvent):
            self._scores.add(event.label)
            self._log_score(event)
        elif isinstance(event, ImageEvent):
            with self._summaries():
                tf.summary.image(event.name, event.pixels[None], step=event.step)
        elif isinstance(event, SamplesEvent):
            # Indented, which TensorBoard shows as it is.
            lines = "".join(f"    {text}\n" for text in event.texts)
            with self._summaries():
                tf.summary.text(event.name, lines, step=event.step)
        elif isinstance(event, TextEvent):
            self._log_text(event)
        elif isinstance(event, Compilation):
            self._write_metadata()

    def _write_metadata(self) -> None:
        text = json.dumps(metadata(self.gan), indent=2, sort_keys=True) + "\n"
        write_atomically(self.workdir / "run.json", text)

    def _log_score(self, event: ScoreEvent) -> None:
        result = event.result
        steps_taken = event.step + self.gan.rollback_state.steps_lost
        line = {
            "step": event.step,
            "images": event.images,
            "field_evaluations": steps_taken * self.gan.scheme.evaluations,
            "seconds": round(event.seconds, 3),
            "score": result.name,
            "weights": event.weights,
            "value": result.value,
            "protocol": str(result.protocol),
        }
        if result.standard_error is not None:
            line["standard_error"] = result.standard_error
        if result.remark:
            line["remark"] = result.remark
        self._append(line, "a score", self._metrics_file)
        with self._summaries():
            tf.summary.scalar(f"scores/{event.label}", result.value, step=event.step)

    def _log_text(self, event: TextEvent) -> None:
        line = {
            "event": event.kind,
            "step": event.step,
            "seconds": round(event.seconds, 3),
            "text": event.text,
            **event.details,
        }
        self._append(line, "an event", self._events_file)
        self._drop_scores_after(event.step)
        with self._summaries():
            tf.summary.text(event.kind, event.text, step=event.step)
            self._tensorboard.flush()

    def _append(self, line: dict[str, Any], what: str, path: pathlib.Path) -> None:
        with self._explaining(what, path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            flush(path)  # Ahead of the checkpoint, after which the line is not written again.

    @contextlib.contextmanager
    def _summaries(self) -> Iterator[None]:
        """Sends TensorFlow's summaries to this run's files."""
        with self._explaining("events", self._tensorboard_folder), self._tensorboard.as_default():
            yield

    @contextlib.contextmanager
    def _explaining(self, what: str, path: pathlib.Path) -> Iterator[None]:
        """Explains why something could not be written."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"Expected to add {what} to {path}. Received: {error}. {way_on(self.workdir)}"
            ) from error

    def _close(self) -> None:
        writer, self._tensorboard = self._tensorboard, None
        if writer is not None:
            with self._explaining("events", self._tensorboard_folder):
                writer.close()

    def _rename_other_run(self) -> None:
        """Renames another run's scores and events; drops scores of step 0, which come again."""
        if any(map(self._step_of_score, _complete_lines(self._metrics_file))):
            _rename(self._metrics_file, "scores")
        else:
            self._metrics_file.unlink(missing_ok=True)
        if self._events_file.exists():
            _rename(self._events_file, "events")

    def _drop_scores_after(self, steps: int) -> None:
        """Keeps the scores of steps that the model has done."""
        lines = _complete_lines(self._metrics_file)
        _keep([line for line in lines if self._step_of_score(line) <= steps], self._metrics_file)

    def _drop_last_events(self, steps: int) -> None:
        """Keeps the events up to the last one of steps that the model has done.

        Before that one may be some of later steps, which a rollback has undone.
        """
        kept = _complete_lines(self._events_file)
        while kept and _step(kept[-1], "an event", self._events_file) > steps:
            kept.pop()
        _keep(kept, self._events_file)

    def _step_of_score(self, line: bytes) -> int:
        return _step(line, "a score", self._metrics_file)


def _complete_lines(path: pathlib.Path) -> list[bytes]:
    """Returns the lines of a file, which need not exist; one cut short by a kill has no end."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def _keep(lines: list[bytes], path: pathlib.Path) -> None:
    content = b"".join(lines)
    if path.exists() and path.read_bytes() != content:
        write_atomically(path, content)


def _step(line: bytes, what: str, path: pathlib.Path) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Expected {what} with its step in each line of {path}. Received: "
            f"{line[:80].decode(errors='replace')!r}. Correct or remove that line."
        ) from error


def metadata(gan: GAN) -> dict[str, Any]:
    """Returns what decides a run, in values that JSON can hold.

    Args:
        gan: The compiled model; of its data `fit` notes what it is given.
    """
    networks = {"generator": gan.generator, "discriminator": gan.discriminator}
    return {
        "versions": {
            "python": platform.python_version(),
            # Of the code that runs: what an editable install says is as old as the install.
            "tfgan_stab": __version__,
            **{name: _version(name) for name in PACKAGES},
        },
        "platform": platform.platform(),
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "threads": os.cpu_count(),
        "command": sys.argv,
        "started_at_step": gan.steps,
        "scheme": repr(gan.scheme),
        "penalties": [repr(penalty) for penalty in gan.penalties],
        "top_k": repr(gan.top_k) if gan.top_k else None,
        "augmentation": repr(gan.augment) if gan.augment else None,
        "fake_labels": gan.fake_labels_name,
        "field_evaluations_per_step": gan.scheme.evaluations,
        "minibatches_per_step": gan.scheme.minibatches,
        "loss": gan.loss_pair.name,
        "averages": {name: repr(rule) for name, rule in gan.averages.items()},
        "xla": {"scope": gan.compilation.scope, "reason": gan.compilation.reason},
        "precision": gan.precision,
        "replicas": gan.distribute_strategy.num_replicas_in_sync,
        "noise_seed": gan.seed,
        "data": gan.data_metadata,
        "parameters": {
            name: int(sum(np.prod(v.shape) for v in network.trainable_variables))
            for name, network in networks.items()
        },
    }


def _rename(path: pathlib.Path, what: str) -> None:
    """Gives what an earlier run has written another name."""
    numbered = (path.with_suffix(f".previous-{n}.jsonl") for n in count(1))
    previous = next(other for other in numbered if not other.exists())
    path.rename(previous)
    print(f"{path} held the {what} of an earlier run. They are in {previous} now.")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # Not needed, and not there.
        return None
