"""Averages of the generator's weights, kept beside the run.

Training never sees them. After each round an average takes in the weights the round ended with,
all of them: batch statistics by the same rule as the weights, integers (seeds) by copy.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import keras
import tensorflow as tf

from tfgan_stab.serializing import Serializable


@runtime_checkable
class Average(Protocol):
    """A rule for averaging weights over rounds."""

    def weight_of_new(self, round_number: tf.Tensor) -> tf.Tensor:
        """Returns the weight in [0, 1] that the newest weights get.

        Args:
            round_number: int64 scalar, the rounds done, this one included (>= 1).
        """


@dataclasses.dataclass(frozen=True)
class ExponentialAverage(Serializable):
    """Follows the weights slowly: an exponential moving average.

    After each round, with a decay of beta::

        average <- beta average + (1 - beta) weights

    It starts as a copy of the weights. There is no bias correction: about 1 / (1 - beta) rounds
    pass before it means something.

    Args:
        decay: What is kept per update, in [0, 1). The paper's beta. 0.999 suits thousands of
            rounds, 0.9999 hundreds of thousands.
        start: Rounds during which the average stays a copy of the weights, an integer >= 0.
        at: "round" to take in the weights after each round; "sync" only after those rounds in which
            a `Lookahead` synchronizes, when fast and slow weights are the same (lookahead-minmax's
            EMA-slow). With a period of k the same decay then lasts k times as long.

    Raises:
        ValueError: If an argument is no number or outside its range.

    Example:
        >>> float(ExponentialAverage(0.75).weight_of_new(tf.constant(10, tf.int64)))
        0.25

    Source: Yazici et al. 2019, arXiv 1806.04498, equation 2 (number from memory); the batch
        statistics as in their code; "sync": Chavdarova et al. 2021, arXiv 2006.14567, their code.
    Departures: `start` is ours.
    """

    decay: float = 0.999
    start: int = 0
    at: str = "round"

    def __post_init__(self) -> None:
        number = isinstance(self.decay, (int, float)) and not isinstance(self.decay, bool)
        if not number or not 0.0 <= self.decay < 1.0:
            raise ValueError(
                "`decay` must be in [0, 1), the part of the average that is kept per round. "
                f"Received: {self.decay!r}. Use 0.999 for thousands of rounds."
            )
        count = isinstance(self.start, int) and not isinstance(self.start, bool)
        if not count or self.start < 0:
            raise ValueError(
                f"`start` must be a number of rounds, an integer >= 0. Received: {self.start!r}. "
                "Use 0 to average from the first round."
            )
        if self.at not in ("round", "sync"):
            raise ValueError(
                '`at` must be "round" (after each one) or "sync" (after those in which a Lookahead '
                f"synchronizes). Received: {self.at!r}."
            )

    def weight_of_new(self, round_number: tf.Tensor) -> tf.Tensor:
        """Returns `1 - decay`, and 1 in the first `start` rounds."""
        return tf.where(
            round_number <= self.start,
            tf.constant(1.0, tf.float64),
            tf.constant(1.0 - self.decay, tf.float64),
        )


class AveragedWeights(keras.layers.Layer):
    """One average's copy of a network's variables; a layer only so that Keras saves it.

    Args:
        average: The rule.
        variables: The network's variables. Floats are kept in float32 or better.
        name: The average's name.
        period: Rounds from one update to the next, an integer >= 1.
    """

    def __init__(
        self, average: Average, variables: Sequence[keras.Variable], name: str, period: int = 1
    ):
        super().__init__(name=name, trainable=False)
        self.average = average
        self.period = period
        for i, variable in enumerate(variables):
            self.add_weight(
                shape=variable.shape,
                initializer="zeros",
                dtype=_at_least_float32(variable.dtype),
                trainable=False,
                name=f"average_{i}",
            )
        self.built = True

    def updated(self, new: Sequence[tf.Tensor], round_number: tf.Tensor) -> list[tf.Tensor]:
        """Returns the averages after a round.

        Args:
            new: The network's variables' values after the round.
            round_number: int64 scalar, the rounds done, this one included.
        """
        share = self.average.weight_of_new(round_number)
        old = [tf.convert_to_tensor(variable.value) for variable in self.weights]
        mixed = [_mix(own, value, share) for own, value in zip(old, new, strict=True)]
        if self.period == 1:
            return mixed
        copied = round_number <= getattr(self.average, "start", 0)
        due = tf.equal(round_number % self.period, 0) | copied
        return [tf.where(due, *pair) for pair in zip(mixed, old, strict=True)]


def _mix(old: tf.Tensor, new: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    new = tf.cast(new, old.dtype)
    if not old.dtype.is_floating:
        return new
    share = tf.cast(share, old.dtype)
    # A weighted mean, not old + share (new - old), so that a share of 1 copies bit for bit.
    return (1 - share) * old + share * new


def _at_least_float32(dtype: str) -> str:
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def update_period(average: Average, sync_period: int | None) -> int:
    """Returns how many rounds lie between an average's updates.

    Args:
        average: The rule; one that does not say when is updated after each round.
        sync_period: Rounds between a scheme's synchronizations; `None` if it has none.

    Raises:
        ValueError: If the average waits for synchronizations that never come.
    """
    if getattr(average, "at", "round") == "round":
        return 1
    if sync_period is None:
        raise ValueError(
            f"{average!r} is updated when a Lookahead synchronizes. Received: a scheme that never "
            'does. Wrap it, tgs.Lookahead(scheme, sync_period=5), or use at="round".'
        )
    return sync_period


def check_averages(averages: Any) -> dict[str, Average]:
    """Returns the averages by name.

    Raises:
        ValueError: If a name is not usable, "live" included, which names the trained weights.
        TypeError: If it is no dictionary of averages.
    """
    if averages is None:
        return {}
    if not isinstance(averages, dict) or not all(
        isinstance(average, Average) and not isinstance(average, type)
        for average in averages.values()
    ):
        raise TypeError(
            '`averages` must be a dictionary such as {"ema": tgs.ExponentialAverage(0.999)}. '
            f"Received: {averages!r}."
        )
    for name in averages:
        if name == "live" or not isinstance(name, str) or not name.isidentifier():
            raise ValueError(
                "A name of `averages` must be an identifier other than 'live', which means the "
                f"trained weights. Received: {name!r}. Use a name such as 'ema'."
            )
    return dict(averages)
