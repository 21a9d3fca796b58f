"""Averages of the weights, kept beside the run: training never sees them."""

from tfgan_stab.training.averaging.averaged_weights import AveragedWeights
from tfgan_stab.training.averaging.rules import (
    Average,
    CountingAverage,
    ExponentialAverage,
    Point,
    UniformAverage,
    WeightsRule,
)

__all__ = [
    "Average",
    "AveragedWeights",
    "CountingAverage",
    "ExponentialAverage",
    "Point",
    "UniformAverage",
    "WeightsRule",
]
