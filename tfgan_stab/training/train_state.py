"""What a run remembers from step to step beside networks and optimizers, and the one commit."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution
from tfgan_stab.training.averaging.averaged_weights import (
    AveragedWeights,
    start_averages,
    update_averages,
)
from tfgan_stab.training.distribution import StoredTensors
from tfgan_stab.training.train_step import StepResult
from tfgan_stab.updates.scheme import Scheme


class Counters(NamedTuple):
    """What a run counts, int64 variables.

    Attributes:
        steps: Steps done.
        images: Real images that all replicas have seen.
        epochs: Whole epochs done.
    """

    steps: keras.Variable
    images: keras.Variable
    epochs: keras.Variable


@dataclasses.dataclass
class RollbackState:
    """A training's rollbacks.

    Attributes:
        rollbacks: How often earlier weights were restored.
        steps_lost: Steps whose outcome was undone by that.
        saved_step: Steps done at the newest checkpoint of this training.
    """

    rollbacks: int = 0
    steps_lost: int = 0
    saved_step: int = 0


class TrainState:
    """Counters, the scheme's state and the averages.

    Args:
        networks: Both networks.
        scheme: The update scheme.
        counters: The counters.
        scheme_memory: The variables of the scheme's state; `None` for a state without tensors.
        averages: The averages by name.
    """

    def __init__(
        self,
        networks: Players,
        scheme: Scheme,
        counters: Counters,
        scheme_memory: StoredTensors | None,
        averages: Mapping[str, AveragedWeights],
    ):
        self._networks = networks
        self._scheme = scheme
        self._counters = counters
        self._scheme_memory = scheme_memory
        self._averages = averages

    @property
    def steps(self) -> tf.Tensor:
        """Steps done, an int64 scalar."""
        return tf.convert_to_tensor(self._counters.steps.value)

    @property
    def epochs(self) -> tf.Tensor:
        """Whole epochs done, an int64 scalar."""
        return tf.convert_to_tensor(self._counters.epochs.value)

    def scheme_state(self, params: Players) -> Any:
        """Returns the scheme's state; one without tensors is not stored but made anew."""
        if self._scheme_memory is None:
            return self._scheme.init(params)
        return self._scheme_memory.read()

    def reset(self) -> None:
        """Sets the counters to 0; averages and scheme start from the weights as they are."""
        start_averages(self._averages, self._networks)
        params = Players(*(distribution.read(n.trainable_variables) for n in self._networks))
        self._store(self._scheme.init(params))
        distribution.write(self._counters, [0, 0, 0])

    def commit(self, result: StepResult, scheme_state: Any, compiled: bool) -> None:
        """Stores what a step ended with, and updates the averages.

        Args:
            result: What the step ended with; the trained weights are written already.
            scheme_state: The scheme's new state.
            compiled: Whether XLA should compile the averages' arithmetic by itself.
        """
        for network, state in zip(self._networks, result.state, strict=True):
            distribution.write(network.non_trainable_variables, state)
        self._store(scheme_state)
        steps = self.steps + 1
        images = tf.convert_to_tensor(self._counters.images.value) + result.images
        distribution.write([self._counters.steps, self._counters.images], [steps, images])
        update_averages(self._averages, self._networks, steps, result.images, compiled)

    def _store(self, scheme_state: Any) -> None:
        if self._scheme_memory is not None:
            self._scheme_memory.write(scheme_state)
