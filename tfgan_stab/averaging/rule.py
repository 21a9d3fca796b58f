"""What an average is: a rule that says how much the newest weights count."""

import dataclasses
from typing import Any, NamedTuple, Protocol, runtime_checkable

import tensorflow as tf

from tfgan_stab.serializing import Serializable


@runtime_checkable
class Average(Protocol):
    """A rule for averaging weights over rounds, in its simplest form.

    A rule may also have a `start` (rounds during which the average is a copy of the weights) and
    the other fields of `WeightsRule`.
    """

    def weight_of_new(self, round_number: tf.Tensor) -> tf.Tensor:
        """Returns the weight in [0, 1] that the newest weights get.

        Args:
            round_number: int64 scalar, the rounds done, this one included (>= 1).
        """


class Point(NamedTuple):
    """Weights that an average takes in, and what lies between them and those before.

    All are int64 scalars. They count from the average's start.

    Attributes:
        number: Which point this is, 1 for the first.
        round: Rounds done, counted from the beginning of training.
        rounds: Rounds since the point before; 1 unless the average waits for synchronizations.
        images: Real examples of those rounds, of all parts on all replicas.
        all_rounds: Rounds since the start, up to this point.
        all_images: Real examples since the start, up to this point.
    """

    number: tf.Tensor
    round: tf.Tensor
    rounds: tf.Tensor
    images: tf.Tensor
    all_rounds: tf.Tensor
    all_images: tf.Tensor


@runtime_checkable
class CountingAverage(Protocol):
    """A rule that asks for more than the number of the round."""

    def weight_of_point(self, point: Point) -> tf.Tensor:
        """Returns the weight in [0, 1] that a point's weights get."""


WeightsRule = Average | CountingAverage
"""Either kind of rule."""

AT = ("round", "sync")
BATCH_STATISTICS = ("average", "copy", "recalibrate")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommonSettings(Serializable):
    """What the averages of this package have in common; see them."""

    start: int = 0
    at: str = "round"
    batch_statistics: str = "average"
    recalibration_batches: int = 16
    recalibration_batch_size: int = 64
    discriminator: bool = False

    def __post_init__(self) -> None:
        if not _is_count(self.start, 0):
            raise ValueError(
                f"`start` must be a number of rounds, an integer >= 0. Received: {self.start!r}. "
                "Use 0 to average from the first round."
            )
        if self.at not in AT:
            raise ValueError(
                '`at` must be "round" (after each one) or "sync" (after those in which a Lookahead '
                f"synchronizes). Received: {self.at!r}."
            )
        if self.batch_statistics not in BATCH_STATISTICS:
            raise ValueError(
                '`batch_statistics` must be "average" (like the weights), "copy" (the live ones) '
                'or "recalibrate" (measured anew under the averaged weights). Received: '
                f"{self.batch_statistics!r}."
            )
        for name, least in (("recalibration_batches", 1), ("recalibration_batch_size", 2)):
            value = getattr(self, name)
            if not _is_count(value, least):
                raise ValueError(
                    f"`{name}` must be an integer >= {least}. Received: {value!r}. Use "
                    f"{type(self).__dataclass_fields__[name].default}."
                )
        if not isinstance(self.discriminator, bool):
            raise ValueError(
                "`discriminator` must be True to average the discriminator's weights too, or "
                f"False. Received: {self.discriminator!r}."
            )


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def update_period(average: WeightsRule, sync_period: int | None) -> int:
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


def check_averages(averages: Any) -> dict[str, WeightsRule]:
    """Returns the averages by name.

    Raises:
        ValueError: If a name is not usable, "live" included, which names the trained weights.
        TypeError: If it is no dictionary of averages.
    """
    if averages is None:
        return {}
    if not isinstance(averages, dict) or not all(
        isinstance(average, (Average, CountingAverage)) and not isinstance(average, type)
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
