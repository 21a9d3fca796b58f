"""The averages of a run: made for its networks, started, and updated after each step."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution
from tfgan_stab.training.averaging.batch_statistics import Recalibration, copied
from tfgan_stab.training.averaging.rules import Average, Point


class _Counts(NamedTuple):
    """What an average remembers of the steps since its start, int64 scalars."""

    points: tf.Tensor
    steps: tf.Tensor
    images: tf.Tensor
    points_steps: tf.Tensor
    points_images: tf.Tensor


class AveragedWeights(keras.layers.Layer):
    """One average's copy of variables; a layer only so that Keras saves it.

    Args:
        average: The rule.
        variables: The averaged networks' variables. Floats are kept in float32 or better.
        name: The average's name.
        period: Steps from one update to the next, an integer >= 1.
        copied: Per variable, whether it is copied instead of averaged; integers are in any case.
        finish: Measures batch statistics anew when the average is used; `None` leaves them.
    """

    def __init__(
        self,
        average: Average,
        variables: Sequence[keras.Variable],
        name: str,
        period: int = 1,
        copied: Sequence[bool] | None = None,
        finish: Recalibration | None = None,
    ):
        super().__init__(name=name, trainable=False)
        self.average = average
        self.period = period
        self.finish = finish
        marks = [False] * len(variables) if copied is None else list(copied)
        floats = [keras.backend.is_float_dtype(variable.dtype) for variable in variables]
        self._copied = tuple(mark or not f for mark, f in zip(marks, floats, strict=True))
        for i, (variable, copy) in enumerate(zip(variables, self._copied, strict=True)):
            precise = variable.dtype if copy else _precision(variable.dtype, average)
            self._add(variable.shape, precise, f"average_{i}")
        self._add([len(_Counts._fields)], "int64", "counts")
        self.built = True

    def _add(self, shape: Sequence[int], dtype: str, name: str) -> None:
        self.add_weight(shape=shape, initializer="zeros", dtype=dtype, trainable=False, name=name)

    @property
    def averages(self) -> list[keras.Variable]:
        """The averages alone, one per averaged variable; `weights` holds the counts too."""
        return self.weights[:-1]

    @property
    def has_started(self) -> bool:
        """Whether it holds anything but a copy of the weights that training began with."""
        return bool(distribution.read([self.weights[-1]])[0][_Counts._fields.index("steps")] > 0)

    def started(self, new: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns what `weights` should hold before the first step: a copy.

        Args:
            new: The variables' values.
        """
        return [*self._cast(new), tf.zeros([len(_Counts._fields)], tf.int64)]

    def updated(
        self,
        stored: Sequence[tf.Tensor],
        new: Sequence[tf.Tensor],
        step_number: tf.Tensor,
        images: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Returns what `weights` should hold after a step.

        Args:
            stored: What they hold now.
            new: The variables' values after the step.
            step_number: int64 scalar, the steps done, this one included.
            images: int64 scalar, the real examples of this step.
        """
        *old, counts = stored
        now = _Counts(*tf.unstack(counts))
        now = now._replace(steps=now.steps + 1, images=now.images + images)

        def counted() -> list[tf.Tensor]:
            point = Point(
                number=now.points + 1,
                step=step_number,
                steps=now.steps - now.points_steps,
                images=now.images - now.points_images,
                all_steps=now.steps,
                all_images=now.images,
            )
            mixed = self._mixed(old, new, tf.cast(self.average.weight_of_point(point), tf.float64))
            return [*mixed, tf.stack([point.number, *now[1:3], *now[1:3]])]

        def waited() -> list[tf.Tensor]:
            return [*old, tf.stack(now)]

        def counted_or_waited() -> list[tf.Tensor]:
            return tf.cond(tf.equal(step_number % self.period, 0), counted, waited)

        start = self.average.start
        result = counted if self.period == 1 else counted_or_waited
        return (
            tf.cond(step_number <= start, lambda: self.started(new), result) if start else result()
        )

    def _mixed(
        self, old: Sequence[tf.Tensor], new: Sequence[tf.Tensor], share: tf.Tensor
    ) -> list[tf.Tensor]:
        new = self._cast(new)

        def mixed() -> list[tf.Tensor]:
            # Exactly `own` where a weight stands still: (1 - share) own + share new would not be.
            return [
                value if copied else own + tf.cast(share, own.dtype) * (value - own)
                for own, value, copied in zip(old, new, self._copied, strict=True)
            ]

        known = tf.get_static_value(share)
        if known is not None and known < 1.0:
            return mixed()
        # A share of 1 replaces bit for bit, whatever the average held.
        return tf.cond(share >= 1.0, lambda: new, mixed)

    def _cast(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        pairs = zip(values, self.averages, strict=True)
        return [tf.cast(value, own.dtype) for value, own in pairs]


def _precision(dtype: str, average: Average) -> str:
    """Returns the better one of a variable's precision and the average's."""
    return max(dtype, average.precision, key=lambda name: tf.as_dtype(name).size)


def build_averages(
    rules: Mapping[str, Average],
    networks: Players,
    synchronization_period: int | None,
    recalibration: Callable[[Average, str], Recalibration],
) -> dict[str, AveragedWeights]:
    """Returns the averages that belong to rules, by name.

    Args:
        rules: The rules by name.
        networks: Both networks.
        synchronization_period: Steps between the scheme's synchronizations; `None` without any.
        recalibration: Makes what measures batch statistics anew, for a rule that asks for it.

    Raises:
        ValueError: If an average waits for what never comes, or cannot be recalibrated.
    """
    found = {}
    for name, rule in rules.items():
        averaged = networks if rule.discriminator else networks[:1]
        found[name] = AveragedWeights(
            rule,
            [variable for network in averaged for variable in network.variables],
            name,
            rule.update_period(synchronization_period),
            copied(averaged, rule.batch_statistics),
            recalibration(rule, name) if rule.batch_statistics == "recalibrate" else None,
        )
    return found


def start_averages(averages: Mapping[str, AveragedWeights], networks: Players) -> None:
    """Makes all averages copies of the networks' weights, before the first step."""
    values = _values(networks)
    for average in averages.values():
        distribution.write(average.weights, average.started(values[: len(average.averages)]))


def update_averages(
    averages: Mapping[str, AveragedWeights],
    networks: Players,
    steps: tf.Tensor,
    images: tf.Tensor,
    compiled: bool,
) -> None:
    """Updates all averages with the weights that a step ended with.

    Args:
        averages: The averages.
        networks: Both networks.
        steps: int64 scalar, the steps done, this one included.
        images: int64 scalar, the real images of this step.
        compiled: Whether XLA should fuse the arithmetic, each weight being read once for all
            averages. Within a step that it compiles anyway there is no need to ask.
    """
    if not averages:
        return

    def updated(stored: list, values: list, steps: tf.Tensor, images: tf.Tensor) -> list:
        return [
            average.updated(own, values[: len(average.averages)], steps, images)
            for average, own in zip(averages.values(), stored, strict=True)
        ]

    if compiled:
        updated = tf.function(updated, autograph=False, jit_compile=True)
    stored = [distribution.read(average.weights) for average in averages.values()]
    new = updated(stored, _values(networks), steps, images)
    for average, own in zip(averages.values(), new, strict=True):
        distribution.write(average.weights, own)


def _values(networks: Players) -> list[tf.Tensor]:
    return [value for network in networks for value in distribution.read(network.variables)]
