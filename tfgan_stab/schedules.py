"""Learning-rate schedules that count rounds.

Keras' schedules count an optimizer's updates. A scheme may update a player several times a round,
trial steps included, and then two players would run through their schedules at different speeds.
"""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers import schedules

from tfgan_stab import distribution


@keras.saving.register_keras_serializable("tfgan_stab")
class ByRound(schedules.LearningRateSchedule):
    """A schedule that is asked about the round instead of the optimizer's own count.

    Saved as the plain schedule that it wraps; the model that loads it wraps it again.

    Args:
        schedule: The user's schedule.
        rounds: int64 variable, the rounds done.

    Attributes:
        scale: float32 variable, what the schedule is multiplied by: 1 until a rollback makes it
            smaller.
    """

    def __init__(self, schedule: Any, rounds: keras.Variable):
        self.schedule = schedule
        self._rounds = rounds
        self.scale = keras.Variable(1.0, trainable=False, dtype="float32", name="rate_scale")

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the learning rate of this round, whatever the step."""
        del step
        rate = tf.convert_to_tensor(self.schedule(tf.convert_to_tensor(self._rounds.value)))
        return rate * tf.cast(tf.convert_to_tensor(self.scale.value), rate.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the plain schedule's description."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the plain schedule."""
        return keras.saving.deserialize_keras_object(config["schedule"])


def count_rounds(optimizer: keras.optimizers.Optimizer, rounds: keras.Variable) -> None:
    """Lets an optimizer's schedule, if it has one, count rounds.

    Args:
        optimizer: Any Keras optimizer.
        rounds: int64 variable, the rounds done.
    """
    optimizer = _plain(optimizer)
    schedule = getattr(optimizer, "_learning_rate", None)
    if isinstance(schedule, ByRound):
        schedule = schedule.schedule
    if isinstance(schedule, schedules.LearningRateSchedule):
        optimizer.learning_rate = ByRound(schedule, rounds)


def rate_scale(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns what an optimizer's schedule is multiplied by; 1 for a constant learning rate."""
    schedule = getattr(_plain(optimizer), "_learning_rate", None)
    return (
        float(tf.convert_to_tensor(schedule.scale.value)) if isinstance(schedule, ByRound) else 1.0
    )


def set_rate_scale(optimizer: keras.optimizers.Optimizer, scale: float) -> None:
    """Multiplies an optimizer's schedule, from the next round on; a constant rate stays."""
    schedule = getattr(_plain(optimizer), "_learning_rate", None)
    if isinstance(schedule, ByRound):
        distribution.write([schedule.scale], [scale])


def slow_down(optimizers: Iterable[keras.optimizers.Optimizer], factor: float) -> None:
    """Multiplies optimizers' learning rates, be they constants or schedules.

    Args:
        optimizers: Those that `count_rounds` has seen. A rate that several share, such as that of
            an optimizer's copy for trial steps, is multiplied once.
        factor: A number > 0.
    """
    rates = {id(rate): rate for rate in (_plain(each)._learning_rate for each in optimizers)}
    for rate in rates.values():
        variable = rate.scale if isinstance(rate, ByRound) else rate
        distribution.write([variable], [tf.convert_to_tensor(variable.value) * factor])


def _plain(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer that has the learning rate, inside one that scales losses."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _plain(optimizer.inner_optimizer)
    return optimizer
