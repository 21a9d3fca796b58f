"""SIGTERM, with which clusters end a program early: noticed between two steps, never inside one."""

import pathlib
import signal
import threading
import time
from types import FrameType
from typing import Any

# What shells call a program that SIGTERM ended.
PREEMPTED = 128 + signal.SIGTERM

# How often the chief checks for a note: a shared disk may be slow.
SECONDS_BETWEEN_CHECKS = 1.0


class Preemption:
    """Whether this training is to save and end, because it or another worker got SIGTERM.

    The first of several workers saves, so no other one ends before it: it leaves a note on the disk
    that all share, and goes on until the first one is gone.

    Args:
        directory: Where the note is left; that of the checkpoints.
        chief: Whether this process saves.
        alone: Whether there are no other workers.
    """

    def __init__(self, directory: pathlib.Path, chief: bool, alone: bool):
        self._note = directory / "preempted"
        self._chief, self._alone = chief, alone
        self._received = False
        self._previous: Any = None
        self._next_check = 0.0

    def begin(self) -> None:
        """Takes SIGTERM from now on; not in a thread, where Python allows no handlers."""
        if self._chief:
            self._note.unlink(missing_ok=True)
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGTERM, self._receive)

    def end(self) -> None:
        """Gives SIGTERM back to whoever had it."""
        if self._previous is not None:
            signal.signal(signal.SIGTERM, self._previous)
            self._previous = None

    @property
    def is_due(self) -> bool:
        """Whether this process is to save and end now."""
        if self._chief and not self._alone and not self._received:
            now = time.monotonic()
            if now >= self._next_check:
                self._received, self._next_check = self.is_noted, now + SECONDS_BETWEEN_CHECKS
        if self._received and not self._alone:
            self._note.touch()
        return self._received and self._chief

    @property
    def is_noted(self) -> bool:
        """Whether a worker has got SIGTERM since the training began."""
        return self._note.exists()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
