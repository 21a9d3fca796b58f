"""The first lines of a training: what trains how, what it costs, which averages stay too young."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.data.batches import Batches
from tfgan_stab.game.augmentation import Augmentation
from tfgan_stab.game.top_k import TopK
from tfgan_stab.training import distribution, workers
from tfgan_stab.training.averaging.averaged_weights import AveragedWeights
from tfgan_stab.training.averaging.rules import Average
from tfgan_stab.training.fit_checks import rows_of_batch
from tfgan_stab.training.steps_per_execution import Execution
from tfgan_stab.training.train_step import Counters, RollbackState
from tfgan_stab.training.xla import Compilation
from tfgan_stab.updates.scheme import Scheme


class Described(keras.Model):
    """A model that can say what it is and how far it has come."""

    generator: keras.Model
    discriminator: keras.Model
    scheme: Scheme
    penalties: tuple
    top_k: TopK | None
    augment: Augmentation | None
    fake_labels: Any
    compilation: Compilation
    execution: Execution | None
    steps_at_once: int | None
    rollback_state: RollbackState
    _counters: Counters
    _averages: dict[str, AveragedWeights]

    @property
    def steps(self) -> int:
        """Steps done since `compile`."""
        return distribution.read_integer(self._counters.steps)

    @property
    def steps_taken(self) -> int:
        """Steps taken since `compile`, those that rollbacks have undone included."""
        return self.steps + self.rollback_state.steps_lost

    @property
    def images_seen(self) -> int:
        """Real examples that all replicas have seen since `compile`."""
        return distribution.read_integer(self._counters.images)

    @property
    def epochs(self) -> int:
        """Whole epochs of `fit` done since `compile`."""
        return distribution.read_integer(self._counters.epochs)

    @epochs.setter
    def epochs(self, count: int) -> None:
        """Sets how many are done; `fit` does so by itself, loops of your own must."""
        distribution.write([self._counters.epochs], [count])

    @property
    def averages(self) -> dict[str, Average]:
        """The rules of the averages, by name."""
        return {name: average.average for name, average in self._averages.items()}

    @property
    def average_periods(self) -> dict[str, int]:
        """Steps from one update of an average to the next, by name."""
        return {name: average.period for name, average in self._averages.items()}

    @property
    def precision(self) -> list[str]:
        """The networks' dtype policies."""
        networks = (self.generator, self.discriminator)
        return sorted({network.dtype_policy.name for network in networks})

    @property
    def fake_labels_name(self) -> str | None:
        """What `fake_labels` is called: a function by its name; `None` without."""
        given = self.fake_labels
        if given is None or isinstance(given, str):
            return given
        return workers.ADDRESS.sub("", getattr(given, "__qualname__", repr(given)))

    def print_headline(self, steps: int | None, x: Any, batch_size: int | None) -> None:
        """Prints what trains how, and which averages the training is too short for.

        Args:
            steps: Steps of the training; `None` if that is not known.
            x: What `fit` is given.
            batch_size: The argument of `fit`, for arrays.
        """
        strategy = self.distribute_strategy
        replicas = f"replicas: {strategy.num_replicas_in_sync}{workers.note(strategy)}"
        print(self._cost_of_step())
        print(f"{self.compilation}; {replicas}, precision: {', '.join(self.precision)}")
        if self.steps_at_once is None and self.execution and self.execution.single_for:
            kinds = ", ".join(self.execution.single_for)
            print(f"One step per call from Python, since these callbacks see each step: {kinds}")
        if steps is not None:
            images = images_per_step(x, self.scheme.data_minibatches, batch_size)
            for name, average in self.averages.items():
                period = self.average_periods[name]
                warning = _warning_of_young_average(name, average, period, steps, images)
                if warning:
                    print(warning)

    def _cost_of_step(self) -> str:
        """Returns what a step does and costs, for the first lines that `fit` prints."""
        scheme = self.scheme
        lines = [f"GAN: {scheme!r}, field evaluations per step: {scheme.evaluations}"]
        if self.penalties:
            lines.append(f"Penalties: {', '.join(map(repr, self.penalties))}")
        if self.top_k:
            lines.append(f"Top-k: {self.top_k}")
        if self.augment:
            lines.append(f"Augmentation: {self.augment}")
        if self.fake_labels_name:
            lines.append(f"Labels of fakes: {self.fake_labels_name}")
        return "\n".join(lines)


def planned_steps(x: Any, steps: int | None, batch_size: int | None, epochs: int) -> int | None:
    """Returns how many steps a training has from its beginning; `None` if that is not known.

    Args:
        x: What `fit` is given.
        steps: Steps of an epoch, if known already.
        batch_size: The argument of `fit`, for arrays.
        epochs: The argument of `fit`.
    """
    if steps is None and isinstance(x, np.ndarray):
        steps = -(-len(x) // (batch_size or 32))
    return None if steps is None else epochs * steps


def images_per_step(x: Any, minibatches: int, batch_size: int | None) -> int | None:
    """Returns how many real examples a step sees, `None` where the data do not say.

    Args:
        x: What `fit` is given.
        minibatches: Minibatches of a step.
        batch_size: The argument of `fit`, for arrays.
    """
    if isinstance(x, Batches):
        return x.batch_size * minibatches
    if isinstance(x, tf.data.Dataset):
        return rows_of_batch(x, batch_size)
    return (batch_size or 32) if isinstance(x, np.ndarray) else None


def _warning_of_young_average(
    name: str, average: Average, period: int, steps: int, images_per_step: int | None = None
) -> str | None:
    """Returns a sentence about an average that a training is too short for, or `None`.

    Args:
        name: The average's name.
        average: Its rule.
        period: Steps from one update to the next.
        steps: The training's steps, from the beginning.
        images_per_step: Real examples in each; `None` if that is not known.
    """
    points = steps // period - average.start // period
    if average.start and points < 1:
        return (
            f"Average {name!r} will equal the live weights: it starts after step {average.start}, "
            f"and training ends with step {steps}. Start it earlier, or train longer."
        )
    images = None if images_per_step is None else (steps - average.start) * images_per_step
    kept = average.share_of_start(points, steps - average.start, images)
    if kept is None or kept <= 0.5:
        return None
    origin = f"weights of step {average.start}" if average.start else "initial weights"
    return (
        f"Average {name!r} will still be {kept:.0%} {origin} after {points} updates ({steps} "
        f"steps): use {average.faster}, or train longer."
    )
