"""One average's numbers, and how they change after a step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab.training import distribution
from tfgan_stab.training.averaging import batch_statistics
from tfgan_stab.training.averaging.batch_statistics import copied, measurable
from tfgan_stab.training.averaging.rules import CountingAverage, Point, WeightsRule, update_period
from tfgan_stab.updates.scheme import shortest_period


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
        finish: What is done to the averages when they are used: function of a list of tensors to
            another one, such as a recalibration.
    """

    def __init__(
        self,
        average: WeightsRule,
        variables: Sequence[keras.Variable],
        name: str,
        period: int = 1,
        copied: Sequence[bool] | None = None,
        finish: Callable[[list[tf.Tensor]], list[tf.Tensor]] | None = None,
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

    def started(self, new: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns what `weights` should hold before the first step: a copy.

        Args:
            new: The variables' values.
        """
        return [*self._cast(new), tf.zeros([len(_Counts._fields)], tf.int64)]

    def updated(
        self,
        held: Sequence[tf.Tensor],
        new: Sequence[tf.Tensor],
        step_number: tf.Tensor,
        images: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Returns what `weights` should hold after a step.

        Args:
            held: What they hold.
            new: The variables' values after the step.
            step_number: int64 scalar, the steps done, this one included.
            images: int64 scalar, the real examples of this step.
        """
        *old, counts = held
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
            mixed = self._mixed(old, new, self._share(point))
            return [*mixed, tf.stack([point.number, *now[1:3], *now[1:3]])]

        def waited() -> list[tf.Tensor]:
            return [*old, tf.stack(now)]

        def due_or_not() -> list[tf.Tensor]:
            due = tf.equal(step_number % self.period, 0)
            return tf.cond(due, counted, waited)

        start = getattr(self.average, "start", 0)
        result = counted if self.period == 1 else due_or_not
        return (
            tf.cond(step_number <= start, lambda: self.started(new), result) if start else result()
        )

    def _share(self, point: Point) -> tf.Tensor:
        if isinstance(self.average, CountingAverage):
            return tf.cast(self.average.weight_of_point(point), tf.float64)
        return tf.cast(self.average.weight_of_new(point.step), tf.float64)

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


def _precision(dtype: str, average: Any) -> str:
    """Returns the better one of a variable's precision and the average's, float32 at least."""
    kept = getattr(average, "precision", "float32")
    return max(dtype, kept, key=lambda name: tf.as_dtype(name).size)


# DOC: """All averages of a run: made for its networks, started, and updated together."""
#


def built(gan: Any, rules: Mapping[str, WeightsRule]) -> dict[str, AveragedWeights]:
    """Returns the averages that belong to rules, by name.

    Args:
        gan: The model; its scheme, latents and seed are known.
        rules: The rules by name.

    Raises:
        ValueError: If an average waits for what never comes, or cannot be recalibrated.
    """
    found = {}
    for name, rule in rules.items():
        networks = averaged_networks(gan, rule)
        found[name] = AveragedWeights(
            rule,
            [variable for network in networks for variable in network.variables],
            name,
            update_period(rule, shortest_period(gan.scheme)),
            copied(networks, rule),
            _recalibration(gan, name, rule),
        )
    return found


def averaged_networks(gan: Any, rule: WeightsRule) -> list[keras.Model]:
    """Returns the networks whose weights a rule averages, the generator first."""
    both = getattr(rule, "discriminator", False)
    return [gan.generator, gan.discriminator] if both else [gan.generator]


def _recalibration(
    gan: Any, name: str, rule: Any
) -> Callable[[list[tf.Tensor]], list[tf.Tensor]] | None:
    if getattr(rule, "batch_statistics", "average") != "recalibrate":
        return None
    if not measurable(gan.generator):
        raise ValueError(
            f"Average {name!r} recalibrates batch statistics, and expects a generator that has "
            "some. Received: a generator without batch normalization that is trained. Leave out "
            'batch_statistics="recalibrate".'
        )
    if len(averaged_networks(gan, rule)) > 1 and measurable(gan.discriminator):
        raise ValueError(
            f"Average {name!r} recalibrates batch statistics on examples of the generator; those "
            "of a discriminator belong to real examples too. Received: discriminator=True and a "
            'discriminator with batch normalization. Use batch_statistics="average", or leave out '
            "discriminator=True."
        )
    return batch_statistics.Recalibration(
        gan, rule.recalibration_batches, rule.recalibration_batch_size
    )


def check_classes(gan: Any) -> None:
    """Raises ValueError if an average could not be used for lack of a number of classes."""
    for rule in gan.averages.values():
        if getattr(rule, "batch_statistics", "average") == "recalibrate":
            batch_statistics.check_classes(gan)


def start(averages: Mapping[str, AveragedWeights], networks: Sequence[keras.Model]) -> None:
    """Makes all averages copies of the networks' weights, before the first step.

    Args:
        averages: The averages.
        networks: The generator and the discriminator.
    """
    values = _values(networks)
    for average in averages.values():
        distribution.write(average.weights, average.started(values[: len(average.averages)]))


def follow(
    averages: Mapping[str, AveragedWeights],
    networks: Sequence[keras.Model],
    steps: tf.Tensor,
    images: tf.Tensor,
    compiled: bool,
) -> None:
    """Lets all averages take in what a step ended with.

    Args:
        averages: The averages.
        networks: The generator and the discriminator.
        steps: int64 scalar, the steps done, this one included.
        images: int64 scalar, the real examples of this step.
        compiled: Whether XLA should fuse the arithmetic, each weight being read once for all
            averages. Within a step that it compiles anyway there is no need to ask.
    """
    if not averages:
        return

    def updated(held: list, values: list, steps: tf.Tensor, images: tf.Tensor) -> list:
        return [
            average.updated(own, values[: len(average.averages)], steps, images)
            for average, own in zip(averages.values(), held, strict=True)
        ]

    if compiled:
        updated = tf.function(updated, autograph=False, jit_compile=True)
    held = [distribution.read(average.weights) for average in averages.values()]
    for average, own in zip(
        averages.values(), updated(held, _values(networks), steps, images), strict=True
    ):
        distribution.write(average.weights, own)


def _values(networks: Sequence[keras.Model]) -> list[tf.Tensor]:
    return [value for network in networks for value in distribution.read(network.variables)]
