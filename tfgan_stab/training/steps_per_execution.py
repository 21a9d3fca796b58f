"""How many steps one call from Python takes: as many as are worth it where nobody looks between.

Keras asks for one step at a time, and calls its callbacks before and after each. Where none of them
needs every step, the calls before a block's last one do nothing, and the last one takes all steps
of the block in one graph. A block ends where an epoch ends and where a callback has something to
do, so each callback finds the weights, counts and logs that it would have found without blocks.
"""

import collections
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.training.iterators import gives_batches
from tfgan_stab.training.step_functions import StepFunctions

# A call from Python costs a few milliseconds at most; this hides it, and an interrupt still acts.
SECONDS_PER_CALL = 0.05
MOST_STEPS = 128

# The fastest of so many calls says what a step takes; the very first, which is traced, is not one.
TIMED = 3

HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class Execution:
    """What Keras calls for each step of a training.

    Args:
        functions: The functions that take steps.
        interruptible: Whether a block may end early.
        steps_per_call: How many steps each call takes, if the user says so: Keras then calls so
            many times fewer.

    Attributes:
        functions: The functions that take steps; others may take their place between two calls.
        steps_per_call: How many steps a call takes where it may; `None` until that is measured.
        seconds: Of a step, in the fastest of the last calls.
        single_for: The kinds of callbacks for which each call takes a single step.
    """

    def __init__(
        self,
        functions: StepFunctions,
        interruptible: bool = False,
        steps_per_call: int | None = None,
    ):
        self.functions = functions
        self.steps_per_call = steps_per_call
        self._is_fixed = steps_per_call is not None
        self.seconds = math.nan
        self.single_for: list[str] = []
        self._interruptible = interruptible
        self._is_tracing, self._calls = True, collections.deque[float](maxlen=TIMED)
        self._learns = True
        self._needs: list[Callable[[], int | None]] | None = None
        self._length: int | None = None
        self._left = 0
        self._pending, self._block = 0, 1
        self._logs: dict[str, Any] = {}

    def begin(self, callbacks: Sequence[Any], workers: int = 1) -> None:
        """Learns which callbacks there are; blocks need callbacks that say when they act next."""
        self._learns = workers == 1  # Clocks of several differ.
        if not self._learns:
            self.steps_per_call = self.steps_per_call or 1
        self.single_for = [type(c).__name__ for c in callbacks if needs_every_step(c)]
        found = [getattr(callback, "steps_until_needed", None) for callback in callbacks]
        self._needs = None if self.single_for else [need for need in found if need is not None]

    def begin_epoch(self, steps: int | None) -> None:
        """Learns how many steps Keras will ask for until the epoch ends; `None` if unknown."""
        self._length, self._left = steps, steps or 0
        self._pending, self._block = 0, 1

    def end_epoch(self, iterator: Any) -> None:
        """Takes the steps that still wait for others: the data have ended before the epoch."""
        if self._pending:
            with contextlib.suppress(tf.errors.OutOfRangeError):
                self._take(iterator)

    def __call__(self, iterator: Any, first: Any = None) -> dict[str, Any]:
        """Takes the steps that are due; returns the newest logs.

        Args:
            iterator: Gives the batches.
            first: Another iterator, or a batch, for the first step of all.
        """
        if not gives_batches(iterator):
            (data,) = iterator  # A single batch, of `train_on_batch`.
            return self.functions.one(data)
        if self._is_fixed:
            return self._take_all(iterator, first)
        if self._pending == 0:
            self._block = self._next_block() if first is None else 1
        self._pending, self._left = self._pending + 1, self._left - 1
        if self._pending >= self._block:
            self._take(iterator if first is None else first)
        return dict(self._logs)

    def _take_all(self, iterator: Any, first: Any) -> dict[str, Any]:
        """Takes as many steps as the user wants, or those that there are data for."""
        taken, count = 0, self.steps_per_call or 1
        if first is not None:
            taken, self._logs = self.functions.take(first, 1)
        if int(taken) < count:
            more, logs = self.functions.take(iterator, count - int(taken))
            taken, self._logs = taken + more, logs if int(more) else self._logs
        if not int(taken):
            raise StopIteration
        return self._logs

    def _take(self, iterator: Any) -> None:
        """Takes all pending steps, or those until one must be looked at."""
        start = time.perf_counter()
        pending, self._pending = self._pending, 0
        taken, self._logs = self.functions.take(iterator, pending)
        if self._needs is None or self._length is None:
            return
        self._logs = {name: float(value) for name, value in self._logs.items()}
        self._pending = pending - int(taken)
        if self._pending:  # They are taken together with those of the next call.
            self._block = 1
        if int(taken) and self._learns:
            self._learn((time.perf_counter() - start) / int(taken))

    def _learn(self, seconds: float) -> None:
        """Takes note of what a step took; of single ones, the call and its logs are a part."""
        if self._is_tracing:
            self._is_tracing = False
            return
        self._calls.append(seconds)
        if len(self._calls) == TIMED:
            self.seconds = min(self._calls)
            self.steps_per_call = steps_worth_a_call(self.seconds)

    def _next_block(self) -> int:
        """Returns how many steps to take at once, from here."""
        if self._needs is None or self._length is None or self.steps_per_call is None:
            return 1
        # Should a block be interrupted, its rest has the epoch's last call.
        left = self._left - 1 if self._interruptible else self._left
        needs = [steps for steps in (need() for need in self._needs) if steps is not None]
        return max(1, min([self.steps_per_call, left, *needs]))


def steps_worth_a_call(seconds: float) -> int:
    """Returns how many steps of so many seconds make a call from Python worth its cost.

    Example:
        >>> steps_worth_a_call(0.005), steps_worth_a_call(0.2)
        (10, 1)
    """
    return int(min(MOST_STEPS, max(1, round(SECONDS_PER_CALL / max(seconds, 1e-6)))))


def needs_every_step(callback: Any) -> bool:
    """Returns whether a callback must be called with the state of every single step.

    It need not if it has no hook for batches, or says by `steps_until_needed()` when it is needed;
    what a class derived from such a one does in its own hooks, that one does not know.
    """
    kinds = type(callback).__mro__
    said = next((i for i, kind in enumerate(kinds) if _says_when_needed(kind, callback)), None)
    for hook in HOOKS:
        place = next(i for i, kind in enumerate(kinds) if hook in vars(kind))
        overridden = kinds[place] is not keras.callbacks.Callback
        if hook in vars(callback) or (overridden and (said is None or place < said)):
            return True
    return False


def _says_when_needed(kind: type, callback: Any) -> bool:
    """Returns whether callbacks of a kind say when they act, or are Keras' that act at the end."""
    if kind is keras.callbacks.TensorBoard:
        inside = callback.write_steps_per_second or getattr(callback, "_should_trace", True)
        return callback.update_freq == "epoch" and not inside
    if kind in (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore):
        return callback.save_freq == "epoch"
    return kind is keras.callbacks.ProgbarLogger or "steps_until_needed" in vars(kind)


def checked_steps(steps: Any) -> int | None:
    """Returns the steps per call from Python that were asked for, `None` for "auto"."""
    if steps == "auto":
        return None
    fix = 'Use "auto".'
    return validation.integer("steps_per_execution", steps, unit="steps", fix=fix)
