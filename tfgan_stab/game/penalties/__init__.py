"""Regularisers that are added to the players' losses; start with `base.py`.

May import `_utils`, `game.functional` and `game.players`.
"""

from tfgan_stab.game.penalties.base import (
    LossPenalty,
    Penalty,
    PenaltyContext,
    WeightGradientPenalty,
)
from tfgan_stab.game.penalties.consistency import (
    ConsistencyRegularization,
    FlipAndShift,
    Reconstruction,
)
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
    "Penalty",
    "PenaltyContext",
    "R1",
    "R2",
    "Reconstruction",
    "WeightGradientPenalty",
    "ZeroCenteredGradientPenalty",
]


def __dir__() -> list[str]:
    return sorted(__all__)
