"""How many steps one call from Python takes: as many as are worth it where nobody looks between.

Keras asks for one step at a time, and calls its callbacks before and after each. Where none of them
needs every step, the calls before a block's last one do nothing, and the last one takes all steps
of the block in one graph. A block ends where an epoch ends and where a callback has something to
do, so each callback finds the weights, counts and logs that it would have found without blocks.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.game.gradients import GameFunctions
from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.top_k import TopK
from tfgan_stab.training import distribution, xla
from tfgan_stab.training.nan_monitor import Monitor
from tfgan_stab.training.xla import Compilation
from tfgan_stab.updates.scheme import Scheme

# A call from Python costs a few milliseconds at most; this hides it, and an interrupt still acts.
SECONDS_PER_CALL = 0.05
MOST_STEPS = 128

# Steps that are timed one by one, after the first one, which is traced, to find the number.
TIMED = 3

HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class StepFunctions(NamedTuple):
    """Functions that take steps.

    Attributes:
        one: Takes one step on the data that it is given; returns the logs.
        several: Takes as many steps as an int32 scalar says, on data from an iterator; returns how
            many it has taken, and the last one's logs.
    """

    one: Callable[[Any], dict]
    several: Callable[[Any, tf.Tensor], tuple[tf.Tensor, dict]]


def step_functions(
    train_step: Callable[[Any], dict],
    strategy: tf.distribute.Strategy,
    jit_compile: bool,
    interrupted: Callable[[], tf.Tensor] | None = None,
) -> StepFunctions:
    """Returns graphs that take steps.

    Args:
        train_step: Takes one step on a replica's data; returns its logs.
        strategy: The distribution strategy.
        jit_compile: Whether XLA compiles each step as a whole.
        interrupted: Says whether what the last step did must be looked at now, a boolean scalar:
            then a block ends there. `None` for never.
    """

    def step(data: Any) -> dict:
        data = tf.nest.map_structure(_without_optional, data)
        logs = strategy.run(train_step, args=(data,))
        if strategy.num_replicas_in_sync == 1:
            return logs
        mean = tf.distribute.ReduceOp.MEAN
        return {name: strategy.reduce(mean, value, axis=None) for name, value in logs.items()}

    one = tf.function(step, autograph=False, reduce_retracing=True, jit_compile=jit_compile or None)

    def several(iterator: Any, count: tf.Tensor) -> tuple[tf.Tensor, dict]:
        logs = one.get_concrete_function(iterator.element_spec).structured_outputs
        nothing = tf.nest.map_structure(lambda value: tf.zeros(value.shape, value.dtype), logs)

        def go_on(taken: tf.Tensor, stop: tf.Tensor, logs: dict) -> tf.Tensor:
            return tf.logical_and(taken < count, tf.logical_not(stop))

        def take(taken: tf.Tensor, stop: tf.Tensor, logs: dict) -> tuple:
            logs = one(iterator.get_next())
            with tf.control_dependencies(tf.nest.flatten(logs)):
                return taken + 1, interrupted() if interrupted else tf.constant(False), logs

        start = (tf.constant(0), tf.constant(False), nothing)
        taken, _, logs = tf.while_loop(go_on, take, start, parallel_iterations=1)
        return taken, logs

    return StepFunctions(one, tf.function(several, autograph=False, reduce_retracing=True))


def _without_optional(value: Any) -> Any:
    """Returns `None` for the optional that Keras puts in its place in a data set."""
    return None if isinstance(value, tf.experimental.Optional) else value


class Execution:
    """What Keras calls for each step of a training.

    Args:
        functions: The functions that take steps.
        interruptible: Whether a block may end early.

    Attributes:
        functions: The functions that take steps; others may take their place between two calls.
        steps_per_call: How many steps a call takes where it may; `None` until that is measured.
        seconds: Of a step, when that was measured.
    """

    def __init__(self, functions: StepFunctions, interruptible: bool = False):
        self.functions = functions
        self.steps_per_call: int | None = None
        self.seconds = math.nan
        self._interruptible = interruptible
        self._calls: list[float] = []
        self._needs: list[Callable[[], int | None]] | None = None
        self._length: int | None = None
        self._left = 0
        self._pending, self._block = 0, 1
        self._logs: dict[str, Any] = {}

    def begin(self, callbacks: Sequence[Any]) -> None:
        """Learns who looks at a training; blocks are for callbacks that say when they are needed.

        Args:
            callbacks: All callbacks.
        """
        everywhere = any(needs_every_step(callback) for callback in callbacks)
        found = [getattr(callback, "steps_until_needed", None) for callback in callbacks]
        self._needs = None if everywhere else [need for need in found if need is not None]

    def begin_epoch(self, steps: int | None) -> None:
        """Learns how many steps Keras will ask for until the epoch ends; `None` if unknown."""
        self._length, self._left = steps, steps or 0
        self._pending, self._block, self._logs = 0, 1, {}

    def __call__(self, iterator: Any) -> dict[str, Any]:
        """Takes the steps that are due; returns the newest logs."""
        if not gives_batches(iterator):
            (data,) = iterator  # A single batch, of `train_on_batch`.
            return self.functions.one(data)
        if self._pending == 0:
            self._block = self._next_block()
        self._pending, self._left = self._pending + 1, self._left - 1
        if self._pending >= self._block:
            self._take(iterator)
        return dict(self._logs)

    def _take(self, iterator: Any) -> None:
        """Takes all pending steps, or those until one must be looked at."""
        start = time.perf_counter()
        taken, self._logs = self.functions.several(iterator, tf.constant(self._pending))
        if self._needs is None or self._length is None:
            self._pending = 0
            return
        self._logs = {name: float(value) for name, value in self._logs.items()}
        self._pending -= int(taken)
        if self._pending:  # They are taken together with those of the next call.
            self._block = 1
        if self.steps_per_call is None:
            self._calls.append(time.perf_counter() - start)
            if len(self._calls) > TIMED:
                self.seconds = min(self._calls[1:])
                self.steps_per_call = steps_worth_a_call(self.seconds)

    def _next_block(self) -> int:
        """Returns how many steps to take at once, from here."""
        if self._needs is None or self._length is None or self.steps_per_call is None:
            return 1
        most = self.steps_per_call
        needs = [steps for steps in (need() for need in self._needs) if steps is not None]
        if self._interruptible and self._left <= most:
            return 1  # Should one be interrupted, none is left behind at the epoch's end.
        return max(1, min([most, self._left, *needs]))


def gives_batches(iterator: Any) -> bool:
    """Returns whether it is an iterator of `fit`, not the single batch of `train_on_batch`."""
    return isinstance(iterator, tf.data.Iterator | tf.distribute.DistributedIterator)


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
    if isinstance(callback, keras.callbacks.ProgbarLogger):
        return False
    if isinstance(callback, keras.callbacks.ModelCheckpoint | keras.callbacks.BackupAndRestore):
        return callback.save_freq != "epoch"
    kinds = type(callback).__mro__
    said = next((i for i, kind in enumerate(kinds) if "steps_until_needed" in vars(kind)), None)
    for hook in HOOKS:
        place = next(i for i, kind in enumerate(kinds) if hook in vars(kind))
        overridden = kinds[place] is not keras.callbacks.Callback
        if hook in vars(callback) or (overridden and (said is None or place < said)):
            return True
    return False


class ExecutedSteps(keras.Model):
    """A model whose `train_step` is executed as is fastest: compiled or not, one or several."""

    scheme: Scheme
    penalties: tuple
    top_k: TopK | None
    monitor: Monitor | None
    loss_pair: AdversarialLoss
    publish: Callable[[Any], None]
    train_function: Any
    execution: Execution | None  # `None` where Keras executes the steps.
    compilation: Compilation
    steps_at_once: int | None  # Per call from Python, as the user chose.
    too_short: int = 0  # Steps of the longest run that a trial of XLA was not worth.
    _undecided = False  # Whether the run's first step decides on XLA.
    _reports = False
    _graphs: dict[str, GameFunctions]
    _functions: GameFunctions

    def use_compilation(self, chosen: Compilation) -> None:
        """Makes the steps that are built from now on compiled like that."""
        self.compilation = chosen
        self.jit_compile = chosen.scope == "step"
        self._functions = self._graphs["field" if chosen.scope == "field" else "off"]

    def continue_compilation(
        self, scope: str = "", reason: str = "", candidate: str = "", too_short: int = 0
    ) -> None:
        """Goes on with what the run was decided to be when it began, where that is free to choose.

        Args:
            scope: What was compiled; "" if that was not noted.
            reason: Why.
            candidate: What was still to be compared.
            too_short: Steps of the run that a trial was not worth.
        """
        if not self.compilation.candidate:
            return
        self.too_short = too_short
        if scope in ("off", self.compilation.candidate) and not candidate:
            self.use_compilation(Compilation(scope, reason))
            self.train_function = None

    def begin_execution(self, callbacks: Sequence[Any], planned: int | None, report: bool) -> None:
        """Tells those who execute the steps what this training is.

        Args:
            callbacks: All callbacks.
            planned: The run's steps; `None` if that is not known.
            report: Whether to print what is decided.
        """
        self._planned, self._reports = planned, report
        self.make_train_function()
        too_short = planned is not None and planned <= self.too_short
        self._undecided = bool(self.compilation.candidate) and not too_short
        if self.execution is not None:
            self.execution.begin(callbacks)
        elif self._undecided:
            self.train_function = self._first_of_several

    def make_train_function(self, force: bool = False) -> None:
        """Builds what Keras calls for each step."""
        if self.train_function is not None and not force:
            return
        self.execution = None
        if self.run_eagerly or self.steps_at_once is not None:
            super().make_train_function(force=True)
        else:
            functions = self._step_functions(self.compilation)
            self.execution = Execution(functions, self.monitor is not None)
            self.train_function = self._due_steps

    def _step_functions(self, wanted: Compilation) -> StepFunctions:
        """Returns functions that take steps, compiled like that."""
        self.use_compilation(wanted)
        monitor = self.monitor
        return step_functions(
            self.train_step,
            self.distribute_strategy,
            wanted.scope == "step",
            None if monitor is None else lambda: monitor.must_interrupt,
        )

    def _due_steps(self, iterator: Any) -> dict[str, Any]:
        """Takes the steps that are due; before the very first, decides on XLA."""
        execution: Execution = self.execution  # type: ignore[assignment]
        if self._undecided and gives_batches(iterator):
            execution.functions, iterator = self._decide_compilation(iterator)
        steps_before = execution.steps_per_call
        logs = execution(iterator)
        steps = execution.steps_per_call
        if self._reports and steps != steps_before and steps != 1:
            milliseconds = f"{execution.seconds * 1e3:.3g} ms a step"
            print(f"\n{milliseconds}: {steps} steps per call from Python.")
        return logs

    def _first_of_several(self, iterator: Any) -> dict[str, Any]:
        """Takes the first steps where the user chose how many a call takes; decides on XLA."""
        if not gives_batches(iterator):
            super().make_train_function(force=True)
            return self.train_function(iterator)
        functions, first = self._decide_compilation(iterator)
        _, logs = functions.several(first, tf.constant(1))
        if self.steps_per_execution > 1:
            _, logs = functions.several(iterator, tf.constant(self.steps_per_execution - 1))
        super().make_train_function(force=True)
        return logs

    def _decide_compilation(self, iterator: Any) -> tuple[StepFunctions, Any]:
        """Decides whether XLA compiles, by the clock; weights and all else stay as they are.

        Returns:
            The functions that take steps, and an iterator that gives the first batch.
        """
        self._undecided = False
        start, undecided = time.perf_counter(), self.compilation
        batch, spec = next(iterator), iterator.element_spec
        settings = [self.scheme, self.penalties, self.top_k, self.averages, self.precision]
        settings += [self.loss_pair.name, [type(o).__name__ for o in self.optimizers]]
        settings += [None if self.monitor is None else self.monitor.diagnostics]
        key = xla.trial_key((self.generator, self.discriminator), settings, spec)
        times = xla.remembered(key)
        found: dict[str, StepFunctions] = {}

        def timed(scope: str) -> Callable[[], Any]:
            found[scope] = self._step_functions(Compilation(scope, "a trial"))
            batches, one = xla.replayed(batch, spec), tf.constant(1)
            return lambda: int(found[scope].several(batches, one)[0])

        if times is None:
            with distribution.unchanged(self._all_variables()):
                times = xla.compare(timed("off"), lambda: timed(undecided.candidate), self._planned)
            if "compiled" in times:
                xla.remember(key, times)
            self.compilation = xla.chosen(times, undecided.candidate)
        else:
            self.compilation = xla.chosen(times, undecided.candidate, earlier=True)
        if self.compilation.candidate:
            self.too_short = self._planned or 0
        functions = found.get(self.compilation.scope) or self._step_functions(self.compilation)
        self.use_compilation(self.compilation)
        if self._reports:
            seconds = time.perf_counter() - start
            print(f"\nXLA: {self.compilation.scope} ({self.compilation.reason}) {seconds:.1f} s.")
        self.publish(self.compilation)
        return functions, xla.replayed(batch, spec)

    def _all_variables(self) -> list[keras.Variable]:
        """Returns whatever a step changes."""
        optimizers = {id(o): o for o in [*self.optimizers, *self.optimizers_for_extrapolation]}
        found = [*self.variables, *(v for o in optimizers.values() for v in o.variables)]
        found += [variable for metric in self.metrics for variable in metric.variables]
        found += [] if self.monitor is None else self.monitor.variables
        return list({id(variable): variable for variable in found}.values())


def checked_steps(steps: Any) -> int | None:
    """Returns the steps per call from Python that were asked for, `None` for "auto"."""
    if steps == "auto":
        return None
    fix = 'Use "auto".'
    return validation.integer("steps_per_execution", steps, unit="steps", fix=fix)
