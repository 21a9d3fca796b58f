"""What callbacks have in common: when they act, where they write, and the events they exchange.

A callback publishes an event by `gan.publish(event)`. Whoever has put a function into
`gan.listeners` is called with it: `RunLog` writes events down, `BestCheckpoint` looks for scores.
"""

import os
import pathlib
from typing import Any, NamedTuple

import keras
import numpy as np

from tfgan_stab._utils.validation import period
from tfgan_stab.evaluation.results import ScoreResult
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.workers import is_chief


class ScoreEvent(NamedTuple):
    """A score was measured.

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


class CheckpointEvent(NamedTuple):
    """A checkpoint was saved, or training has just started from one.

    Attributes:
        step: Steps done in it.
        step_in_epoch: How many of them belong to an unfinished epoch, if training starts there.
    """

    step: int
    step_in_epoch: int = 0


class ImageEvent(NamedTuple):
    """An image of samples was drawn.

    Attributes:
        step: Steps done.
        name: What it shows.
        pixels: uint8 `[height, width, channels]`.
    """

    step: int
    name: str
    pixels: np.ndarray


class SamplesEvent(NamedTuple):
    """Texts were sampled.

    Attributes:
        step: Steps done.
        name: What they are.
        texts: The samples.
    """

    step: int
    name: str
    texts: list[str]


class TextEvent(NamedTuple):
    """Something else happened that a run's log should have.

    Attributes:
        step: Steps done in the state that the model has afterwards.
        seconds: Seconds of training so far, interruptions left out.
        kind: What it was, such as "rollback".
        text: The same for a person, in a sentence or two.
        details: Details, in values that JSON can hold.
    """

    step: int
    seconds: float
    kind: str
    text: str
    details: dict[str, Any]


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


def way_on(folder: pathlib.Path) -> str:
    """Returns what to do once a run could not write to one of its folders, in a sentence."""
    if not folder.exists():
        return f"{folder} is gone: put it back, or run the same command again to start over."
    return "Free some space or allow writing there, and run the same command again."


class GANCallback(keras.callbacks.Callback):
    """A callback of a GAN's training; refuses other models.

    Attributes:
        counterpart: Keras' callback for other models, if there is one like it.
        chief_only: Whether it does nothing but write: then the first of several workers alone has
            it.
    """

    counterpart = ""
    chief_only = False

    @property
    def gan(self) -> GAN:
        """The model that is trained."""
        return self.model

    @property
    def is_chief(self) -> bool:
        """Whether this process writes: the only one, or the first of several workers."""
        return is_chief(self.gan.distribute_strategy)

    def set_model(self, model: Any) -> None:
        """Checks that the model is a GAN.

        Raises:
            TypeError: If it is not.
        """
        if not isinstance(model, GAN):
            other = f" For other models see {self.counterpart}." if self.counterpart else ""
            raise TypeError(
                f"{type(self).__name__} expects a tgs.GAN. Received: {type(model).__name__}. Give "
                f"it to the `fit` of tgs.GAN(generator, discriminator).{other}"
            )
        super().set_model(model)


class Periodic(GANCallback):
    """Acts at each epoch's end, or every so many steps.

    Args:
        every: "epoch", or a number of steps >= 1.

    Raises:
        ValueError: If `every` is neither.
    """

    def __init__(self, every: str | int = "epoch"):
        super().__init__()
        self.every = period("every", every, 'Use every="epoch".')
        self._steps_before = 0

    def act(self, logs: dict[str, Any]) -> None:
        """Does what the callback is for."""
        raise TypeError(f"{type(self).__name__} must define `act(logs)`.")

    def steps_until_needed(self) -> int | None:
        """Returns after how many steps it acts next; `None` if not inside this epoch."""
        return self.every - self.gan.steps % self.every if isinstance(self.every, int) else None

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


class EpochPosition(GANCallback):
    """Knows how many steps of the current epoch are done, also after a resume inside an epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0
        self._epoch_start = 0  # Steps taken before its first one.
        self._resumed_in_epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes where the epoch begins; the first one of a resumed run began before the resume."""
        self._epoch = epoch
        self._epoch_start = self.gan.steps_taken - self._resumed_in_epoch
        self._resumed_in_epoch = 0

    @property
    def _step_in_epoch(self) -> int:
        """Steps of this epoch, those included that rollbacks have undone."""
        return self.gan.steps_taken - self._epoch_start
