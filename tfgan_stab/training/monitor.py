"""What is kept of watched steps: the first number that was not finite, and how well it goes.

Only a training that asks for it is watched. What is kept is no part of the model: its checkpoints
are the same with and without.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import keras
import tensorflow as tf

from tfgan_stab.game.penalties.base import loss_penalties, names_of
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution, health
from tfgan_stab.training.distribution import StoredTensors
from tfgan_stab.training.watching import STATE, Fault, Point, WatchedStep


class Former(NamedTuple):
    """The field of the step before.

    Attributes:
        slopes: `Players` of lists of tensors.
        begun: bool scalar, whether there was such a step.
    """

    slopes: Players
    begun: tf.Tensor


@runtime_checkable
class Watcher(Protocol):
    """A callback that wants steps watched."""

    def watched(self, gan: Any, progress: Any, ordered: bool) -> "Monitor":
        """Returns the monitor that is to watch, the model's own if it will do.

        Args:
            gan: The model, ready to train.
            progress: The `Progress` that training begins with.
            ordered: Whether a run can go on inside an epoch.
        """


def attend(gan: Any, callbacks: Sequence[Any], progress: Any, ordered: bool) -> None:
    """Lets a model watch its steps if one of the callbacks asks for it, and only then.

    Raises:
        ValueError: If several callbacks ask.
    """
    watchers = [callback for callback in callbacks if isinstance(callback, Watcher)]
    if len(watchers) > 1:
        raise ValueError(
            f"One guard watches a run. Received: {len(watchers)}. Keep one DivergenceGuard."
        )
    monitor = watchers[0].watched(gan, progress, ordered) if watchers else None
    if monitor is not gan.monitor:
        gan.monitor = monitor
        gan.train_function = None  # Keras builds another one, which watches or does not.
    if monitor is not None:
        monitor.forget()


class Monitor:
    """What is kept from one watched step to the next.

    Args:
        gan: The compiled model.
        collapse_ratio: Spread of fakes over that of reals, below which the fakes have collapsed.
        collapse_steps: Successive steps below it that count as a fall.
    """

    def __init__(self, gan: Any, collapse_ratio: float, collapse_steps: int):
        self.collapse_ratio = collapse_ratio
        self.collapse_steps = collapse_steps
        self.boundary = gan.loss_pair.boundary
        self.sign_of_real = 1.0 if gan.loss_pair.larger_is_real else -1.0
        paid = loss_penalties(gan.penalties)
        # Their names as in logs, and who pays them.
        self.penalties = names_of(paid), [tuple(penalty.payers) for penalty in paid]
        networks = Players(gan.generator, gan.discriminator)
        self._weights = Players(*([v.path for v in n.trainable_variables] for n in networks))
        self._states = Players(*([v.path for v in n.non_trainable_variables] for n in networks))
        self._shape = (gan.scheme.evaluations, gan.scheme.minibatches)
        self._step_counter = gan._step_counter
        self._points: list[Point] = []
        names = [f"{player}_slope_norm" for player in BOTH] + ["field_angle", "spread_ratio"]
        if self.boundary is not None:
            names += ["accuracy_on_reals", "accuracy_on_fakes"]
        with gan.distribute_strategy.scope():
            slopes = Players(
                *([tf.zeros(v.shape, v.dtype) for v in n.trainable_variables] for n in networks)
            )
            self._former = StoredTensors(Former(slopes, tf.constant(False)), "former_field")
            # The place in the table (0: none), the step, steps collapsed, falls.
            self._record = StoredTensors(tf.zeros([4], tf.int64), "record")
            self.means = {name: keras.metrics.Mean(name) for name in names}

    def of_step(self, share: tf.Tensor | None) -> "WatchedStep":
        """Returns what watches the next step.

        Args:
            share: What `rows_of` says of this replica's rows.
        """
        return WatchedStep(self, share)

    def paths(self, player: str, kind: str) -> list[str]:
        """Returns the paths of the variables that points of a kind belong to."""
        return getattr(self._states if kind == STATE else self._weights, player)

    @property
    def fault(self) -> Fault | None:
        """The first number that was not finite since `forget`."""
        place, number, _, _ = self._numbers()
        if not place:
            return None
        return Fault(self._points[place - 1], *self._shape, number)

    @property
    def falls(self) -> int:
        """How often the fakes have collapsed since `forget`."""
        return self._numbers()[3]

    def forget(self) -> None:
        """Makes the next step the first one."""
        self._record.write(tf.zeros([4], tf.int64))
        former = self._former.read()
        self._former.write(former._replace(begun=False))

    def note(self, points: list[Point], flags: tf.Tensor, ratio: tf.Tensor) -> None:
        """Keeps the first point that is not finite, and counts steps of collapse.

        Args:
            points: All points of the step, in the order of time.
            flags: bool `[points]`, which of them are not finite, on all replicas alike.
            ratio: Spread of fakes over that of reals.
        """
        self._points = points
        record = self._record.read()
        first = tf.argmax(tf.cast(flags, tf.int32), output_type=tf.int64) + 1
        number = tf.convert_to_tensor(self._step_counter.value) + 1
        fresh = tf.reduce_any(flags) & tf.equal(record[0], 0)
        below = tf.where(ratio < self.collapse_ratio, record[2] + 1, 0)
        fallen = record[3] + tf.cast(tf.equal(below, self.collapse_steps), tf.int64)
        found = tf.where(fresh, tf.stack([first, number]), record[:2])
        self._record.write(tf.concat([found, tf.stack([below, fallen])], axis=0))

    def measure_angle(self, slopes: Players, squares: tf.Tensor) -> None:
        """Measures the angle to the field of the step before.

        Args:
            slopes: Both players' slopes.
            squares: The field's squared length.
        """
        former = self._former.read()
        own, old = tf.nest.flatten(slopes), tf.nest.flatten(former.slopes)
        old_squares = tf.reduce_sum(health.squared_norms(old))
        found = health.angle(health.dot(own, old), squares, old_squares)
        # The first step has no angle, and neither have players who do not move.
        counts = former.begun & tf.math.is_finite(found)
        self.means["field_angle"].update_state(
            tf.where(counts, found, 0.0), sample_weight=tf.cast(counts, tf.float32)
        )
        self._former.write(Former(slopes, tf.constant(True)))

    def _numbers(self) -> list[int]:
        (record,) = distribution.read(self._record.weights)
        return [int(number) for number in record.numpy()]
