"""A run's own record: what it is, what it scored, how its losses went."""

import contextlib
import json
import os
import pathlib
import platform
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from itertools import count
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils.files import write_atomically
from tfgan_stab.callbacks.base import Event, Measurement, Picture, usable_directory

PACKAGES = ("tfgan_stab", "tensorflow", "keras", "numpy", "tensorflow-gan", "tensorflow-datasets")


class RunLog(keras.callbacks.Callback):
    """Writes `run.json`, `metrics.jsonl` and TensorBoard events into a directory.

    `run.json` says what decides the run: versions, devices, XLA and why, precision, replicas,
    seeds, field evaluations per step. `metrics.jsonl` has a line per score: step (steps done),
    images seen, seconds, weights, value and protocol. A resumed run, or one that a guard rolls
    back, drops the lines that it will write again. `events.jsonl` has a line for each event, such
    as a `DivergenceGuard`'s rollback. A run that begins where another one has left scores or events
    keeps those: their files become `metrics.former-1.jsonl` and `events.former-1.jsonl`.

    Args:
        workdir: Where to write; made if it is not there.

    Raises:
        OSError: If something cannot be written.
        ValueError: If `metrics.jsonl` holds lines that are not its own.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.RunLog("runs/digits").workdir.name
        'digits'
    """

    def __init__(self, workdir: str | os.PathLike[str]):
        super().__init__()
        self.workdir = pathlib.Path(workdir)
        self._events: Any = None
        self._epoch_began = (0, 0.0)

    @property
    def _metrics_file(self) -> pathlib.Path:
        return self.workdir / "metrics.jsonl"

    @property
    def _history_file(self) -> pathlib.Path:
        return self.workdir / "events.jsonl"

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes `run.json`, and listens to what the model publishes."""
        usable_directory(self.workdir)
        text = json.dumps(run_facts(self.model), indent=2, sort_keys=True) + "\n"
        write_atomically(self.workdir / "run.json", text)
        if self.model.steps:
            self._drop_lines_after(self.model.steps)
        else:
            self._make_way()
            if self._history_file.exists():
                _renamed(self._history_file)
        self._close()  # An exception may have left it open.
        with self._adding("events", self._events_folder):
            self._events = tf.summary.create_file_writer(str(self._events_folder))
        self.model.listeners.append(self.hear)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the epoch's clock."""
        self._epoch_began = (self.model.steps_played, time.perf_counter())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's means to TensorBoard."""
        steps = self.model.steps
        first, began = self._epoch_began
        played = self.model.steps_played
        scalars = dict(logs or {})
        scalars["seconds_per_step"] = (time.perf_counter() - began) / max(1, played - first)
        scalars["field_evaluations"] = played * self.model.scheme.evaluations
        with self._showing():
            for name, value in scalars.items():
                tf.summary.scalar(f"epoch/{name}", value, step=steps)
            self._events.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the files."""
        self.model.listeners.remove(self.hear)
        self._close()

    def hear(self, news: Any) -> None:
        """Writes down a score, a picture or an event that the model publishes."""
        if isinstance(news, Measurement):
            self._write_score(news)
        elif isinstance(news, Picture):
            with self._showing():
                tf.summary.image(news.name, news.pixels[None], step=news.step)
        elif isinstance(news, Event):
            self._write_event(news)

    def _write_event(self, event: Event) -> None:
        line = {
            "event": event.kind,
            "step": event.step,
            "seconds": round(event.seconds, 3),
            "text": event.text,
            **event.facts,
        }
        with self._adding("an event", self._history_file):
            with self._history_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        self._drop_lines_after(event.step)
        with self._showing():
            tf.summary.text(event.kind, event.text, step=event.step)
            self._events.flush()

    def _write_score(self, measurement: Measurement) -> None:
        result = measurement.result
        line = {
            "step": measurement.step,
            "images": measurement.images,
            "field_evaluations": (measurement.step + self.model.setbacks.steps_lost)
            * self.model.scheme.evaluations,
            "seconds": round(measurement.seconds, 3),
            "score": result.name,
            "weights": measurement.weights,
            "value": result.value,
            "protocol": str(result.protocol),
        }
        if result.standard_error is not None:
            line["standard_error"] = result.standard_error
        if result.remark:
            line["remark"] = result.remark
        with self._adding("a score", self._metrics_file):
            with self._metrics_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        with self._showing():
            tf.summary.scalar(f"scores/{measurement.label}", result.value, step=measurement.step)

    @property
    def _events_folder(self) -> pathlib.Path:
        return self.workdir / "tensorboard"

    @contextlib.contextmanager
    def _showing(self) -> Iterator[None]:
        """Sends summaries to TensorBoard's events."""
        with self._adding("events", self._events_folder), self._events.as_default():
            yield

    @contextlib.contextmanager
    def _adding(self, what: str, place: pathlib.Path) -> Iterator[None]:
        """Explains why something could not be written."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"Expected to add {what} to {place}. Received: {error}. Free some space and run "
                "the same command again."
            ) from error

    def _close(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            with self._adding("events", self._events_folder):
                events.close()

    def _make_way(self) -> None:
        """Keeps another run's scores under another name; those of a mere start come again."""
        if any(self._step(line) for line in self._lines() if line.endswith("\n")):
            _renamed(self._metrics_file)
        else:
            self._metrics_file.unlink(missing_ok=True)

    def _drop_lines_after(self, steps: int) -> None:
        """Keeps the whole lines of steps that the model has done."""
        lines = self._lines()
        # A line cut short by a kill has no end.
        kept = [line for line in lines if line.endswith("\n") and self._step(line) <= steps]
        if kept != lines:
            write_atomically(self._metrics_file, "".join(kept))

    def _lines(self) -> list[str]:
        if not self._metrics_file.exists():
            return []
        return self._metrics_file.read_text(encoding="utf-8").splitlines(keepends=True)

    def _step(self, line: str) -> int:
        try:
            return int(json.loads(line)["step"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Expected a score with its step in each line of {self._metrics_file}. Received: "
                f"{line[:80]!r}. Mend or remove that line."
            ) from error


def _renamed(path: pathlib.Path) -> None:
    """Gives what an earlier run has written another name."""
    numbered = (path.with_suffix(f".former-{n}.jsonl") for n in count(1))
    former = next(other for other in numbered if not other.exists())
    path.rename(former)
    what = "scores" if path.stem == "metrics" else path.stem
    print(f"{path} held the {what} of an earlier run. They are in {former} now.")


def run_facts(gan: Any) -> dict[str, Any]:
    """Returns what decides a run, in values that JSON can hold."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
        "platform": platform.platform(),
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "threads": os.cpu_count(),
        "command": sys.argv,
        "started_at_step": gan.steps,
        **gan.run_facts(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # Imported from a folder, never installed.
        return None
