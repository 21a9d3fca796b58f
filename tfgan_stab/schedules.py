"""Learning-rate schedules that count rounds.

Keras' schedules count an optimizer's updates. A scheme may update a player several times a round,
trial steps included, and then two players would run through their schedules at different speeds.
"""

from typing import Any

import keras
import tensorflow as tf
from keras.optimizers import schedules


@keras.saving.register_keras_serializable("tfgan_stab")
class ByRound(schedules.LearningRateSchedule):
    """A schedule that is asked about the round instead of the optimizer's own count.

    Saved as the plain schedule that it wraps; the model that loads it wraps it again.

    Args:
        schedule: The user's schedule.
        rounds: int64 variable, the rounds done.
    """

    def __init__(self, schedule: Any, rounds: keras.Variable):
        self.schedule = schedule
        self._rounds = rounds

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the learning rate of this round, whatever the step."""
        del step
        return self.schedule(tf.convert_to_tensor(self._rounds.value))

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
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        count_rounds(optimizer.inner_optimizer, rounds)
        return
    schedule = getattr(optimizer, "_learning_rate", None)
    if isinstance(schedule, ByRound):
        schedule = schedule.schedule
    if isinstance(schedule, schedules.LearningRateSchedule):
        optimizer.learning_rate = ByRound(schedule, rounds)
