"""What Keras calls for each step and each batch that it evaluates: compiled or not, as is fastest.

The first call looks at the first batch and, where that is to be decided, times a step with XLA and
without. `steps_per_execution` says how many steps a call takes.
"""

import contextlib
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils.progress import milliseconds
from tfgan_stab.game.augmentation import Augmentation
from tfgan_stab.game.gradients import GameFunctions
from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.top_k import TopK
from tfgan_stab.training import distribution, xla
from tfgan_stab.training.iterators import (
    FirstBatch,
    KeptIterators,
    gives_batches,
    is_distributed,
    replayed,
)
from tfgan_stab.training.minibatches import MinibatchMaker
from tfgan_stab.training.nan_monitor import Monitor
from tfgan_stab.training.step_functions import Kinds, StepFunctions, step_functions
from tfgan_stab.training.steps_per_execution import Execution, steps_worth_a_call
from tfgan_stab.training.train_step import Counters, TrainState
from tfgan_stab.training.workers import Watchdog, num_workers
from tfgan_stab.training.xla import Compilation
from tfgan_stab.updates.scheme import Scheme


class ExecutedSteps(keras.Model):
    """A model whose `train_step` is executed as is fastest: compiled or not, one or several."""

    scheme: Scheme
    penalties: tuple
    top_k: TopK | None
    augment: Augmentation | None
    monitor: Monitor | None
    loss_pair: AdversarialLoss
    publish: Callable[[Any], None]
    train_function: Any
    test_function: Any
    execution: Execution | None = None  # Where Keras executes the steps, or none was taken.
    compilation: Compilation
    maker: MinibatchMaker
    train_state: TrainState
    iterators: KeptIterators
    watchdog: Watchdog
    examine: Callable[[Any], None]  # Looks at the first batch that a training or a test gets.
    steps_at_once: int | None = None  # Per call from Python, as the user chose.
    too_short: int = 0  # Steps of the longest run that a trial of XLA was not worth.
    _undecided = False  # Whether the run's first step decides on XLA.
    _verbose: Any = 0
    _unseen: frozenset[str] = frozenset()  # Whose first batch is still to be looked at.
    _graphs: dict[str, GameFunctions]
    _functions: GameFunctions
    _counters: Counters

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

    def begin_execution(self, callbacks: Sequence[Any], planned: int | None, verbose: Any) -> None:
        """Tells those who execute the steps what this training is.

        Args:
            callbacks: All callbacks.
            planned: The run's steps; `None` if that is not known.
            verbose: As of `fit`: whether to print what is decided, and whether below a bar.
        """
        self._planned, self._verbose = planned, verbose
        self.make_train_function()
        too_short = planned is not None and planned <= self.too_short
        self._undecided = bool(self.compilation.candidate) and not too_short
        if self.execution is not None:
            self.execution.begin(callbacks, num_workers(self.distribute_strategy))

    def make_train_function(self, force: bool = False) -> None:
        """Builds what Keras calls for each step."""
        if self.train_function is not None and not force:
            return
        self.execution = None
        if self.run_eagerly:
            super().make_train_function(force=True)
            self.train_function = functools.partial(self._on_seen, "fit", self.train_function)
            return
        functions = self._step_functions(self.compilation)
        self.execution = Execution(functions, self.monitor is not None, self.steps_at_once)
        self.train_function = self._due_steps

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        """Takes the steps that Keras has asked for by an epoch's end, then does as Keras."""
        iterator = self.iterators.of("fit")
        if self.execution is not None and iterator is not None and not self.stop_training:
            self.execution.end_epoch(iterator)
        return super()._get_metrics_result_or_logs(logs)

    def make_test_function(self, force: bool = False) -> None:
        """Builds what Keras calls for each batch that it evaluates."""
        if self.test_function is None or force:
            whole, checks = self.jit_compile, self.maker.classes is not None
            self.jit_compile = whole and not checks  # XLA would leave the checks of labels out.
            super().make_test_function(force=True)
            self.jit_compile = whole
            self.test_function = functools.partial(self._on_seen, "test", self.test_function)

    def _on_seen(self, kind: str, function: Callable[[Any], Any], iterator: Any) -> Any:
        """Calls a function of Keras, on data whose first batch has been looked at."""
        first = self._seen(kind, iterator)
        if first is None:
            return function(iterator)
        alone = self.steps_per_execution == 1 and not is_distributed(iterator)
        return function(replayed(*first) if alone else itertools.chain([first.data], iterator))

    def _seen(self, kind: str, iterator: Any) -> FirstBatch | None:
        """Keeps an iterator; returns its first batch, looked at, or `None` if that was before."""
        self.iterators.keep(kind, iterator)
        if kind not in self._unseen or not gives_batches(iterator):
            return None
        self._unseen -= {kind}
        first = FirstBatch(next(iterator), iterator.element_spec)
        self.examine(first.data)
        return first

    def _step_functions(self, wanted: Compilation) -> StepFunctions:
        """Returns functions that take steps, compiled like that."""
        self.use_compilation(wanted)
        whole, chosen = wanted.scope == "step", self.steps_at_once is not None
        monitor = self.monitor
        return step_functions(
            self._step_on_checked if whole else self.train_step,
            self.kinds_of_steps,
            self.distribute_strategy,
            whole,
            None if monitor is None or chosen else lambda: monitor.must_interrupt,
            may_end=chosen,
            checked=self.maker.checked_for_step if whole else None,
        )

    @property
    def kinds_of_steps(self) -> Kinds:
        """A kind of step for each set of lazy penalties that can be active together."""
        return Kinds(
            [functools.partial(self._made_by, active=each) for each in self.maker.patterns],
            lambda: self.maker.next_pattern(self.train_state.steps),
        )

    def _step_on_checked(self, data: Any) -> dict[str, Any]:
        """Takes a step on a batch that has been checked: XLA would leave that out."""
        with self._made_by(checks=False):
            return self.train_step(data)

    @contextlib.contextmanager
    def _made_by(self, **changes: Any) -> Iterator[None]:
        """Steps that are built inside this know which penalties are active, say."""
        maker = self.maker
        self.maker = dataclasses.replace(maker, **changes)
        try:
            yield
        finally:
            self.maker = maker

    def _due_steps(self, iterator: Any) -> dict[str, Any]:
        """Takes the steps that are due; before the very first, decides on XLA."""
        execution: Execution = self.execution  # type: ignore[assignment]
        first = self._seen("fit", iterator)
        if self._undecided and gives_batches(iterator):
            first = first or FirstBatch(next(iterator), iterator.element_spec)
            execution.functions = self._decide_compilation(first)
        given: Any = first
        if first is not None and self.distribute_strategy.num_replicas_in_sync == 1:
            given = replayed(*first)  # What several replicas have taken cannot be.
        steps_before = execution.steps_per_call
        with self.watchdog:
            logs = execution(iterator, given)
        steps = execution.steps_per_call
        if steps_before is None and steps not in (None, 1):
            took = milliseconds(execution.seconds)
            self._say(f"{took} ms a step: {steps} steps per call from Python.")
        return logs

    def _say(self, text: str) -> None:
        """Prints what was decided, if anything is to be printed."""
        if self._verbose:
            print(f"\n{text}" if self._verbose == 1 else text)

    def _decide_compilation(self, first: FirstBatch) -> StepFunctions:
        """Returns what takes steps, by XLA if the clock says so; weights stay as they are."""
        self._undecided = False
        start, undecided = time.perf_counter(), self.compilation
        settings = [self.scheme, self.penalties, self.top_k, self.averages, self.precision]
        settings += [self.augment, self.loss_pair.name, [type(o).__name__ for o in self.optimizers]]
        settings += [None if self.monitor is None else self.monitor.diagnostics]
        settings += [self._steps_per_call(0.0)]
        shapes = [(v.shape, v.dtype) for v in tf.nest.flatten(first.data) if tf.is_tensor(v)]
        batch = [first.spec, shapes]  # Of arrays the first does not know the rows.
        key = xla.trial_key((self.generator, self.discriminator), settings, batch)
        times, found = xla.remembered(key), dict[str, StepFunctions]()
        known = times is not None

        def timed(scope: str) -> Callable[[int], int]:
            functions = found[scope] = self._step_functions(Compilation(scope, "a trial"))
            batches, untried = replayed(*first), list(self.maker.patterns)

            def take(count: int) -> int:
                while untried:  # XLA compiles each kind of step when it comes.
                    own = (interval for interval, active in untried.pop().items() if active)
                    distribution.write([self._counters.steps], [math.lcm(*own)])
                    functions.several(batches, tf.constant(1))
                return int(functions.several(batches, tf.constant(count))[0])

            return take

        try:
            if times is None:
                candidate = functools.partial(timed, undecided.candidate)
                with distribution.unchanged(self._all_variables()):
                    times = xla.compare(
                        timed("off"), candidate, self._planned, self._steps_per_call
                    )
                xla.remember(key, times)
            chosen = xla.chosen(times, undecided.candidate, earlier=known)
        except tf.errors.OpError as error:
            if undecided.candidate not in found:
                raise
            chosen = Compilation("off", f"XLA fails on the first batch: {xla.first_line(error)}")
        finally:
            self.use_compilation(undecided)  # Should this be interrupted.
        if chosen.candidate:
            self.too_short = self._planned or 0
        functions = found.get(chosen.scope) or self._step_functions(chosen)
        self.use_compilation(chosen)
        self._say(f"{self.compilation}; decided in {time.perf_counter() - start:.1f} s")
        self.publish(self.compilation)
        return functions

    def _steps_per_call(self, seconds: float) -> int:
        """Returns how many steps of so many seconds this training takes in one call."""
        if self.execution is not None and self.execution.single_for:
            return 1
        return self.steps_at_once or steps_worth_a_call(seconds)

    def _all_variables(self) -> list[keras.Variable]:
        """Returns whatever a step changes."""
        optimizers = {id(o): o for o in [*self.optimizers, *self.optimizers_for_extrapolation]}
        found = [*self.variables, *(v for o in optimizers.values() for v in o.variables)]
        found += [variable for metric in self.metrics for variable in metric.variables]
        found += [] if self.monitor is None else self.monitor.variables
        return list({id(variable): variable for variable in found}.values())
