"""What a run ends with that has diverged; imports nothing, so that programs can catch it early."""

import pathlib
from typing import Any


class DivergenceError(RuntimeError):
    """A run that has diverged. The model holds its last good state.

    Attributes:
        fault: What was not finite, and where.
        step: Steps done in the state that the model holds.
        path: The checkpoint that was written of it; `None` without a directory.
    """

    def __init__(self, message: str, fault: Any, step: int, path: pathlib.Path | None):
        super().__init__(message)
        self.fault, self.step, self.path = fault, step, path


class WorkerLostError(RuntimeError):
    """Another process of a training does not answer any more. Checkpoints are intact."""
