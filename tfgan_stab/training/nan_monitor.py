"""What is watched while training: the first number that is not finite, and how well it goes.

A training is watched only if a callback asks for it. What the monitor keeps is no part of the
model: its checkpoints are the same with and without.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import keras
import tensorflow as tf

from tfgan_stab.game.augmentation import PROBABILITY
from tfgan_stab.game.penalties.base import Penalty, loss_penalties, names_of
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution
from tfgan_stab.training.distribution import StoredTensors
from tfgan_stab.training.resume import Progress
from tfgan_stab.training.train_step import ACCURACIES, LOSS, PENALTY, STATE, Observation, StepResult
from tfgan_stab.updates.scheme import Scheme

# What logs call the numbers that a monitor takes down.
NORMS = tuple(f"{player}_gradient_l2" for player in BOTH)
MEASURED = ("gradient_angle", "spread_ratio")
LOGGED = (
    *("generator_loss", "discriminator_loss", "top_k", PROBABILITY, "evaluation_share"),
    *(*NORMS, *MEASURED, *ACCURACIES),
)

EXAMPLE = "example"


class Fault(NamedTuple):
    """The first number that was not finite.

    Attributes:
        player: "generator" or "discriminator"; "data" for an example.
        kind: "example"; "loss" (without penalties); "penalty" (on a loss); "gradient"; "penalized
            gradient" (after penalties on gradients); "weight" (at trial points too); or "state"
            (batch statistics and the like).
        variable: The Keras path of the variable, or the penalty's name; `None` for a loss.
        evaluation: The step's evaluation that it belongs to or follows, from 1.
        minibatch: The minibatch of that evaluation, from 1.
        step: The step it happened in, from 1; 0 where that is not known yet.
        of: Evaluations and minibatches of a step.
        example: The first such example's index in the batch; `None` where examples are finite.
    """

    player: str
    kind: str
    variable: str | None
    evaluation: int
    minibatch: int
    step: int = 0
    of: tuple[int, int] = (1, 1)
    example: int | None = None

    @property
    def is_of_data(self) -> bool:
        """Whether it was in the data, which no learning rate mends."""
        return self.kind == EXAMPLE

    def __str__(self) -> str:
        if self.example is not None:
            return f"NaN or infinity in example {self.example} of the batch of step {self.step}"
        name = "" if self.variable is None else f" of {self.variable!r}"
        evaluations, minibatches = self.of
        return (
            f"the {self.player}'s {self.kind}{name} in step {self.step}, evaluation "
            f"{self.evaluation} of {evaluations}, minibatch {self.minibatch} of {minibatches}"
        )


class DiagnosticsSettings(NamedTuple):
    """What to measure beside finiteness.

    Attributes:
        collapse_ratio: Spread of the fakes over that of the reals, below which they have collapsed.
        collapse_steps: Successive steps below it that count as a collapse.
    """

    collapse_ratio: float
    collapse_steps: int


@runtime_checkable
class Watcher(Protocol):
    """A callback that wants training watched.

    Attributes:
        diagnostics: What it wants measured beside finiteness; `None` for nothing.
    """

    @property
    def diagnostics(self) -> DiagnosticsSettings | None: ...  # noqa: D102

    def begin(
        self, monitor: "Monitor", steps_taken: int, progress: Progress, ordered: bool
    ) -> None:
        """Takes note of where training begins, before any other hook.

        Args:
            monitor: What watches the steps.
            steps_taken: Steps that the model has taken.
            progress: How far the run has come.
            ordered: Whether a run can go on inside an epoch.
        """


class _Previous(NamedTuple):
    """The gradients of the step before, and whether there was one."""

    gradients: Players
    initialized: tf.Tensor


class Monitor:
    """Watches each step.

    Args:
        networks: Both networks.
        scheme: The update scheme.
        penalties: All penalties.
        steps: The variable that counts steps.
        strategy: The distribution strategy.
        diagnostics: What to measure beside finiteness; `None` for nothing.

    Attributes:
        means: The means over an epoch that logs show, by name.
    """

    def __init__(
        self,
        networks: Players,
        scheme: Scheme,
        penalties: Sequence[Penalty],
        steps: keras.Variable,
        strategy: tf.distribute.Strategy,
        diagnostics: DiagnosticsSettings | None,
    ):
        self.diagnostics = diagnostics
        self._penalty_names = names_of(loss_penalties(penalties))
        self._weights = Players(*([v.path for v in n.trainable_variables] for n in networks))
        self._states = Players(*([v.path for v in n.non_trainable_variables] for n in networks))
        self._of = (scheme.evaluations, scheme.minibatches)
        self._steps = steps
        self._places: list[Fault] = []
        names = NORMS if diagnostics is None else (*NORMS, *MEASURED)
        with strategy.scope():
            self._previous = None if diagnostics is None else _stored_gradients(networks)
            # Place in the table (0: none), step, example, successive steps collapsed, collapses.
            self._record = StoredTensors(tf.zeros([5], tf.int64), "record")
            self.means = {name: keras.metrics.Mean(name) for name in names}

    @property
    def fault(self) -> Fault | None:
        """The first number that was not finite since `reset`."""
        place, step, example, _, _ = self._numbers()
        if not place:
            return None
        fault = self._places[place - 1]._replace(step=step, of=self._of)
        return fault._replace(example=example) if fault.is_of_data else fault

    @property
    def variables(self) -> list[keras.Variable]:
        """What it keeps from step to step; the means are not among them."""
        return [*self._record.weights, *([] if self._previous is None else self._previous.weights)]

    @property
    def must_interrupt(self) -> tf.Tensor:
        """Whether the last step had a fault or completed a collapse, a boolean scalar."""
        (record,) = distribution.read(self._record.weights)
        found = record[0] > 0
        if self.diagnostics is not None:
            found |= tf.equal(record[3], self.diagnostics.collapse_steps)
        return found

    @property
    def collapses(self) -> int:
        """How often the fakes have collapsed since `reset`."""
        return self._numbers()[4]

    def reset(self) -> None:
        """Makes the next step the first one."""
        self._record.write(tf.zeros([5], tf.int64))
        if self._previous is not None:
            self._previous.write(self._previous.read()._replace(initialized=False))

    def observe(self, result: StepResult, data: Any) -> None:
        """Checks the examples of a step's batch; checks and measures what it ended with."""
        examples, *_ = keras.utils.unpack_x_y_sample_weight(data)
        bad = _first_not_finite(examples)
        self._places, squares = [Fault("data", EXAMPLE, None, 1, 1)], {}
        flags = [tf.reduce_any(bad > 0)[None]]
        for each in result.observations:
            faults, norms = self._checked(each)
            self._places += faults
            flags.append(tf.logical_not(tf.math.is_finite(norms)))
            squares[id(each.values)] = norms
        both = tf.cast(tf.concat(flags, axis=0), tf.float32)
        spreads = tf.ones([2]) if self.diagnostics is None else _spreads(result)
        # One replica's loss, and its share of the images, are its own; all must note the same.
        both, spreads, bad = distribution.average([both, spreads, bad])
        ratio = spreads[1] / spreads[0]
        self._note(both > 0, ratio, bad)
        norms = [None if g is None else squares[id(g)] for g in result.gradients]
        for name, norm in zip(BOTH, norms, strict=True):
            if norm is not None:
                self.means[f"{name}_gradient_l2"].update_state(tf.sqrt(tf.reduce_sum(norm)))
        if self.diagnostics is not None:
            self._update("spread_ratio", ratio, tf.math.is_finite(ratio))
            if all(norm is not None for norm in norms):
                self._measure_angle(result.gradients, tf.reduce_sum(tf.concat(norms, 0)))

    def _checked(self, seen: Observation) -> tuple[list[Fault], tf.Tensor]:
        """Returns where a fault would be, and a number for each that is finite if there is none."""

        def fault(variable: str | None) -> Fault:
            return Fault(seen.player, seen.kind, variable, seen.evaluation, seen.minibatch)

        if seen.kind in (LOSS, PENALTY):
            name = None if seen.penalty is None else self._penalty_names[seen.penalty]
            return [fault(name)], tf.cast(seen.values[0], tf.float64)[None]
        paths = getattr(self._states if seen.kind == STATE else self._weights, seen.player)
        pairs = [pair for pair in zip(paths, seen.values, strict=True) if pair[1].dtype.is_floating]
        if not pairs:
            return [], tf.zeros([0], tf.float64)
        return [fault(path) for path, _ in pairs], squared_norm_of_each(
            [value for _, value in pairs]
        )

    def _note(self, flags: tf.Tensor, ratio: tf.Tensor, bad: tf.Tensor) -> None:
        """Keeps the first place that is not finite, and counts steps of collapse."""
        record = self._record.read()
        first = tf.argmax(tf.cast(flags, tf.int32), output_type=tf.int64) + 1
        step = tf.convert_to_tensor(self._steps.value)
        fresh = tf.reduce_any(flags) & tf.equal(record[0], 0)
        found = tf.where(fresh, tf.stack([first, step, _index(bad)]), record[:3])
        counts = record[3:]
        if self.diagnostics is not None:
            below = tf.where(ratio < self.diagnostics.collapse_ratio, record[3] + 1, 0)
            collapsed = tf.equal(below, self.diagnostics.collapse_steps)
            counts = tf.stack([below, record[4] + tf.cast(collapsed, tf.int64)])
        self._record.write(tf.concat([found, counts], axis=0))

    def _measure_angle(self, gradients: Players, squares: tf.Tensor) -> None:
        """Measures the angle to the gradients of the step before."""
        previous = self._previous.read()  # type: ignore[union-attr]
        own, old = tf.nest.flatten(gradients), tf.nest.flatten(previous.gradients)
        old_squares = tf.reduce_sum(squared_norm_of_each(old))
        found = angle(dot(own, old), squares, old_squares)
        # The first step has no angle, and neither have players whose gradients are 0.
        self._update("gradient_angle", found, previous.initialized & tf.math.is_finite(found))
        self._previous.write(_Previous(gradients, tf.constant(True)))  # type: ignore[union-attr]

    def _update(self, name: str, value: tf.Tensor, counts: tf.Tensor) -> None:
        """Takes a value into a mean if it counts."""
        self.means[name].update_state(
            tf.where(counts, value, 0.0), sample_weight=tf.cast(counts, tf.float32)
        )

    def _numbers(self) -> list[int]:
        (record,) = distribution.read(self._record.weights)
        return [int(number) for number in record.numpy()]


def watchers_among(callbacks: Sequence[Any]) -> tuple[list[Watcher], DiagnosticsSettings | None]:
    """Returns the callbacks that want training watched, and what they want measured.

    Raises:
        ValueError: If there are several of one kind.
    """
    watchers = [callback for callback in callbacks if isinstance(callback, Watcher)]
    measuring = [each.diagnostics for each in watchers if each.diagnostics is not None]
    if len(measuring) > 1 or len(watchers) - len(measuring) > 1:
        raise ValueError(
            f"One guard and one set of diagnostics watch a run. Received: {len(watchers)} "
            "callbacks. Keep one DivergenceGuard and one Diagnostics."
        )
    return watchers, measuring[0] if measuring else None


def _stored_gradients(networks: Players) -> StoredTensors:
    gradients = Players(
        *([tf.zeros(v.shape, v.dtype) for v in n.trainable_variables] for n in networks)
    )
    return StoredTensors(_Previous(gradients, tf.constant(False)), "previous_gradients")


def _first_not_finite(examples: tf.Tensor) -> tf.Tensor:
    """Returns the first example that is not finite, counted from 1, float32 `[replicas]`.

    It is 0 where all are finite; a replica knows its own, and leaves 0 for the others.
    """
    numbers = _at_least_float32(tf.convert_to_tensor(examples))
    sums = tf.reduce_sum(numbers, list(range(1, numbers.shape.rank)))
    bad = tf.cast(tf.logical_not(tf.math.is_finite(sums)), tf.int32)
    rows, replica = tf.shape(bad)[0], distribution.replica_number()
    place = tf.argmax(tf.concat([bad, [1]], 0), output_type=tf.int32)
    own = tf.where(place < rows, place + rows * replica + 1, 0)
    return tf.one_hot(replica, distribution.num_replicas()) * tf.cast(own, tf.float32)


def _index(bad: tf.Tensor) -> tf.Tensor:
    """Returns the first of such numbers that is not 0, after their mean, as an index from 0."""
    places = tf.cast(tf.round(bad * distribution.num_replicas()), tf.int64)
    return places[tf.argmax(tf.cast(places > 0, tf.int32))] - 1


def _spreads(result: StepResult) -> tf.Tensor:
    """Returns the spreads of this replica's real and fake images, float32 `[2]`."""
    if result.outputs is None:
        return tf.zeros([2])
    images = (result.real_images, result.outputs.fake_images)
    both = [tf.cast(mean_squared_distance(each), tf.float32) for each in images]
    return distribution.weighted(tf.stack(both), result.share)


def squared_norm_of_each(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns each tensor's sum of squares, float64 `[tensors]`.

    One that is not finite shows that the tensor is not, or that its norm exceeds the root of its
    type's largest number, 1.8e19 for float32.

    Example:
        >>> squared_norm_of_each([tf.constant([3.0, 4.0]), tf.constant(2.0)]).numpy()
        array([25.,  4.])
    """
    sums = [tf.reduce_sum(tf.square(_at_least_float32(tensor))) for tensor in tensors]
    return tf.stack([tf.cast(each, tf.float64) for each in sums])


def dot(one: Sequence[tf.Tensor], other: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the inner product of two lists of tensors of the same shapes, a float64 scalar."""
    pairs = zip(map(_at_least_float32, one), map(_at_least_float32, other), strict=True)
    return tf.add_n([tf.cast(tf.reduce_sum(a * b), tf.float64) for a, b in pairs])


def angle(product: tf.Tensor, squared: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the angle between two vectors, a float64 scalar in degrees from 0 to 180.

    `arccos(<u, v> / (|u| |v|))`; not a number where one of them has no length.

    Args:
        product: Their inner product, a float64 scalar.
        squared: The one's squared length.
        other: The other's squared length.

    Example:
        >>> angles = angle(*map(tf.constant, [-1.0, 1.0, 4.0]))
        >>> round(float(angles), 3)
        120.0
    """
    cosine = product / (tf.sqrt(squared) * tf.sqrt(other))
    return tf.acos(tf.clip_by_value(cosine, -1.0, 1.0)) * (180.0 / math.pi)


def mean_squared_distance(images: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared distance between two different images of a batch.

    Twice the sum of all features' variances (divisor n - 1), so pairs need not be formed:
    `mean over i != j of |x_i - x_j|^2 = 2 / (n - 1) sum_i |x_i - mean|^2`.

    Args:
        images: float `[batch, ...]`; what comes after the batch is one vector.

    Returns:
        A float scalar; 0 for a single image.

    Example:
        >>> float(mean_squared_distance(tf.constant([[0.0], [2.0]])))
        4.0
    """
    images = _at_least_float32(images)
    rows = tf.cast(tf.shape(images)[0], images.dtype)
    centred = images - tf.reduce_mean(images, axis=0, keepdims=True)
    return tf.math.divide_no_nan(2.0 * tf.reduce_sum(tf.square(centred)), rows - 1.0)


def _at_least_float32(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor
