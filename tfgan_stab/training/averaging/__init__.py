"""Averages of the weights, kept beside the run: training never sees them.

May import `_utils`, `game` and `training.distribution`.
"""

from tfgan_stab.training.averaging.rules import (
    Average,
    ExponentialAverage,
    Point,
    UniformAverage,
)

__all__ = [
    "Average",
    "ExponentialAverage",
    "Point",
    "UniformAverage",
]


def __dir__() -> list[str]:
    return sorted(__all__)
