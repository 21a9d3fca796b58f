"""Callbacks that act every so often, and what they tell the run's log."""

import os
import pathlib
from typing import Any, NamedTuple

import keras
import numpy as np

from tfgan_stab.evaluation.results import ScoreResult


class Measurement(NamedTuple):
    """A score of the generator at some point of its training.

    Attributes:
        step: Steps done.
        images: Real examples seen so far.
        seconds: Seconds of training so far, evaluation included, interruptions left out.
        weights: "live" or the name of an average.
        result: The number and its protocol.
        larger_is_better: Whether the best generators have the largest numbers.
    """

    step: int
    images: int
    seconds: float
    weights: str
    result: ScoreResult
    larger_is_better: bool = False

    @property
    def label(self) -> str:
        """What the score is called in a progress bar, such as "fid" or "fid_ema"."""
        return self.result.name if self.weights == "live" else f"{self.result.name}_{self.weights}"


class Saved(NamedTuple):
    """A checkpoint that the run can go on from, or has gone on from.

    Attributes:
        step: Steps done.
        step_in_epoch: How many of them belong to an epoch that is not finished, where the run has
            just gone on from there.
    """

    step: int
    step_in_epoch: int = 0


class Picture(NamedTuple):
    """An image of samples.

    Attributes:
        step: Steps done.
        name: What it shows.
        pixels: uint8 `[height, width, channels]`.
    """

    step: int
    name: str
    pixels: np.ndarray


class Event(NamedTuple):
    """Something that happened to a run and that its log should tell.

    Attributes:
        step: Steps done in the state that the model has afterwards.
        seconds: Seconds of training so far, interruptions left out.
        kind: What it was, such as "rollback".
        text: The same for a person, in a sentence or two.
        facts: Details, in values that JSON can hold.
    """

    step: int
    seconds: float
    kind: str
    text: str
    facts: dict[str, Any]


def usable_directory(directory: pathlib.Path) -> pathlib.Path:
    """Returns a directory after making it, if it is not there.

    Raises:
        OSError: If it cannot be made or written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(f"no permission to write to {directory}")
    except OSError as error:
        raise OSError(
            f"Expected a directory that can be written to: {directory}. Received: {error}. Allow "
            "writing there, or choose another one."
        ) from error
    return directory


class Periodic(keras.callbacks.Callback):
    """Acts at each epoch's end, or whenever so many steps are done.

    Args:
        every: "epoch", or a number of steps >= 1.

    Raises:
        ValueError: If `every` is neither.
    """

    def __init__(self, every: str | int):
        super().__init__()
        valid = every == "epoch" or (
            isinstance(every, int) and not isinstance(every, bool) and every >= 1
        )
        if not valid:
            raise ValueError(
                '`every` must be "epoch" or a number of steps >= 1. Received: '
                f'{every!r}. Use every="epoch".'
            )
        self.every = every
        self._steps_before = 0

    @property
    def gan(self) -> Any:
        """The model that is trained."""
        return self.model

    def act(self, logs: dict[str, Any]) -> None:
        """Does what the callback is for."""
        raise TypeError(f"{type(self).__name__} must define `act(logs)`.")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Counts from the step that training begins with."""
        self._steps_before = self.gan.steps

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Acts if a multiple of `every` steps has just been passed."""
        if isinstance(self.every, int):
            steps = self.gan.steps
            if steps // self.every > self._steps_before // self.every:
                self.act({} if logs is None else logs)
            self._steps_before = steps

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Acts if the period is an epoch."""
        if self.every == "epoch":
            self.act({} if logs is None else logs)
