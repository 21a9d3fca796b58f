"""Regularisers that are added to the players' losses; start with `base.py`."""

from tfgan_stab.game.penalties.base import LossPenalty, PenaltyContext, WeightGradientPenalty
from tfgan_stab.game.penalties.consistency import ConsistencyRegularization, FlipAndShift
from tfgan_stab.game.penalties.input_gradient import (
    R1,
    R2,
    Dragan,
    GradientPenalty,
    ZeroCenteredGradientPenalty,
)
from tfgan_stab.game.penalties.weight_gradient import Consensus, GeneratorGradientNorm

__all__ = [
    "Consensus",
    "ConsistencyRegularization",
    "Dragan",
    "FlipAndShift",
    "GeneratorGradientNorm",
    "GradientPenalty",
    "LossPenalty",
    "PenaltyContext",
    "R1",
    "R2",
    "WeightGradientPenalty",
    "ZeroCenteredGradientPenalty",
]
