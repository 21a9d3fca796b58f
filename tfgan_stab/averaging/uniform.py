"""The average that forgets nothing: all weights since a round count the same."""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from tfgan_stab.averaging.rule import CommonSettings, Point


@dataclasses.dataclass(frozen=True)
class UniformAverage(CommonSettings):
    """The plain mean of the weights after each round since `start`.

    The n-th point counts 1 / n, so that the first replaces the copy::

        average <- average + (weights - average) / n

    Args:
        start: Rounds during which the average stays a copy of the weights, an integer >= 0. Early
            weights spoil the mean for as long as it runs: the source starts after a tenth of it.
        at: As in `tgs.ExponentialAverage`.
        batch_statistics: As there: "average", "copy" or "recalibrate".
        recalibration_batches: As there.
        recalibration_batch_size: As there.
        discriminator: As there.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.UniformAverage(start=1000).start
        1000

    Precision: float64, which takes twice the memory of the weights. A mean in float32 stands still
        where weights differ from it by less than 6e-8 n of it: of a million rounds whose weights
        shift by 1 % on the way it was 0.6 % off, where float64 was right to 1e-13.
    Source: Yazici et al. 2019, arXiv 1806.04498, their moving average and its code, where it starts
        at iteration 50,000 of 500,000.
    Departures: float64; spectral-norm vectors, seeds and whatever else is neither trained nor a
        batch statistic are copied.
    """

    start: int = 0

    # What averages are kept in, where the weights are not more precise already.
    precision: ClassVar[str] = "float64"

    def weight_of_point(self, point: Point) -> tf.Tensor:
        """Returns `1 / n`."""
        return 1.0 / tf.cast(point.number, tf.float64)
