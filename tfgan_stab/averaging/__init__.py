"""Averages of the weights, kept beside the run.

Training never sees them. After each round, or after each synchronization of a lookahead, an average
takes in the weights that the round ended with, all of them.
"""

from tfgan_stab.averaging.averaged_weights import AveragedWeights
from tfgan_stab.averaging.exponential import ExponentialAverage
from tfgan_stab.averaging.rule import (
    Average,
    CountingAverage,
    Point,
    WeightsRule,
    check_averages,
    update_period,
)
from tfgan_stab.averaging.uniform import UniformAverage

__all__ = [
    "Average",
    "AveragedWeights",
    "CountingAverage",
    "ExponentialAverage",
    "Point",
    "UniformAverage",
    "WeightsRule",
    "check_averages",
    "update_period",
]
