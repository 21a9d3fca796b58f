"""The graphs that take steps, one or several in a call, compiled as a whole or not.

What a step computes may depend on its number: every 16th with a penalty, say. Each such kind of
step is a graph of its own, and the choice is made outside: compiled, XLA would compute both.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab.training import distribution
from tfgan_stab.training.iterators import FirstBatch, is_distributed


class StepFunctions(NamedTuple):
    """Functions that take steps.

    Attributes:
        one: Takes one step on the data that it is given; returns the logs.
        several: Takes as many steps as an int32 scalar says, on data from an iterator; returns how
            many it has taken, and the last one's logs.
        may_end: Whether data may end inside a block.
    """

    one: Any
    several: Callable[[Any, tf.Tensor], tuple[tf.Tensor, dict]]
    may_end: bool = False

    def take(self, batches: Any, count: int) -> tuple[tf.Tensor, dict]:
        """Takes so many steps on data from an iterator, or one on a batch that was taken from it.

        Nothing can put a batch of several replicas back into an iterator.
        """
        if isinstance(batches, FirstBatch):
            one = self.one.get_concrete_function(batches.spec)
            return tf.constant(1), one(batches.data)
        if self.may_end and is_distributed(batches):
            return self._one_by_one(batches, count)
        return self.several(batches, tf.constant(count))

    def _one_by_one(self, batches: Any, count: int) -> tuple[tf.Tensor, dict]:
        """Takes so many steps, or as many as there are data for.

        In a graph nothing can be done with the batch of several replicas that may not be there.
        """
        taken, logs = 0, dict[str, Any]()
        with contextlib.suppress(tf.errors.OutOfRangeError):
            while taken < count:
                _, logs = self.several(batches, tf.constant(1))
                taken += 1
        return tf.constant(taken), logs


class Kinds(NamedTuple):
    """The kinds of steps that a training has, such as with a lazy penalty and without.

    Attributes:
        scopes: For each kind, a context manager: a step that is built inside it is of that kind.
        next: Returns which kind comes next, an int32 scalar.
    """

    scopes: Sequence[Callable[[], contextlib.AbstractContextManager[None]]]
    next: Callable[[], tf.Tensor]

    def each(self, step: Callable[[Any], dict]) -> list[Callable[[Any], dict]]:
        """Returns the step of each kind."""

        def within(scope: Callable[[], Any], data: Any) -> dict:
            with scope():
                return step(data)

        return [functools.partial(within, scope) for scope in self.scopes]

    def take_next(self, steps: Sequence[Callable[[Any], dict]], data: Any) -> dict:
        """Takes one of the steps of each kind: the one that comes next."""
        return tf.switch_case(self.next(), [functools.partial(step, data) for step in steps])


def step_functions(
    train_step: Callable[[Any], dict],
    kinds: Kinds,
    strategy: tf.distribute.Strategy,
    jit_compile: bool,
    interrupted: Callable[[], tf.Tensor] | None = None,
    may_end: bool = False,
    checked: Callable[[Any], Any] | None = None,
) -> StepFunctions:
    """Returns graphs that take steps.

    Args:
        train_step: Takes one step on a replica's data; returns its logs.
        kinds: The kinds of steps; the choice between them is never compiled.
        strategy: The distribution strategy.
        jit_compile: Whether XLA compiles each step as a whole.
        interrupted: Says whether what the last step did must be looked at now, a boolean scalar:
            then a block ends there. `None` for never.
        may_end: Whether data may end inside a block.
        checked: Returns a batch that arrives only if it is sound; XLA would leave that out.
    """
    graph = functools.partial(tf.function, autograph=False, reduce_retracing=True)
    on_all = kinds.each(on_replicas(train_step, strategy))
    steps = [graph(step, jit_compile=jit_compile or None) for step in on_all]
    one = steps[0] if len(steps) == 1 else graph(functools.partial(kinds.take_next, steps))

    def several(iterator: Any, count: tf.Tensor) -> tuple[tf.Tensor, dict]:
        spec = tf.nest.map_structure(_without_optional, iterator.element_spec)
        logs = one.get_concrete_function(spec).structured_outputs
        nothing = tf.nest.map_structure(lambda value: tf.zeros(value.shape, value.dtype), logs)

        def arrived(batch: Any) -> Any:
            batch = tf.nest.map_structure(_without_optional, batch)  # Which XLA cannot take.
            return batch if checked is None else checked(batch)

        def go_on(taken: tf.Tensor, stop: tf.Tensor, logs: dict) -> tf.Tensor:
            return tf.logical_and(taken < count, tf.logical_not(stop))

        def take(taken: tf.Tensor, stop: tf.Tensor, logs: dict) -> tuple:
            if may_end and not is_distributed(iterator):
                batch = iterator.get_next_as_optional()
                there = batch.has_value()
                logs = tf.cond(there, lambda: one(arrived(batch.get_value())), lambda: logs)
                return taken + tf.cast(there, tf.int32), tf.logical_not(there), logs
            logs = one(arrived(iterator.get_next()))
            with tf.control_dependencies(tf.nest.flatten(logs)):
                return taken + 1, interrupted() if interrupted else tf.constant(False), logs

        start = (tf.constant(0), tf.constant(False), nothing)
        taken, _, logs = tf.while_loop(go_on, take, start, parallel_iterations=1)
        return taken, logs

    return StepFunctions(one, graph(several), may_end)


def on_replicas(
    train_step: Callable[[Any], dict], strategy: tf.distribute.Strategy
) -> Callable[[Any], dict]:
    """Returns what takes a step on all replicas, each on its data, and the means of their logs."""

    def on_one(data: Any) -> dict:
        # All logs in one message: each would have to wait for the network by itself.
        return distribution.average(train_step(data))

    def step(data: Any) -> dict:
        logs = strategy.run(on_one, args=(tf.nest.map_structure(_without_optional, data),))
        return tf.nest.map_structure(lambda log: strategy.experimental_local_results(log)[0], logs)

    return step


def _without_optional(value: Any) -> Any:
    """Returns `None` for the optional that Keras puts in its place in a data set, or its spec."""
    return None if isinstance(value, tf.experimental.Optional | tf.OptionalSpec) else value
