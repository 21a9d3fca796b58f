"""Small games with known answers, played in float64: what a scheme does without a network.

May import `_utils`, `game` and `updates`.
"""

from tfgan_stab.toy_games import plotting
from tfgan_stab.toy_games.base import KnownGame
from tfgan_stab.toy_games.bilinear import Bilinear
from tfgan_stab.toy_games.linear import DampedRotation, RandomLinear
from tfgan_stab.toy_games.nonlinear import DiracGAN, Saddle
from tfgan_stab.toy_games.play import Adam, GradientSteps, play
from tfgan_stab.toy_games.trajectory import Trajectory

__all__ = [
    "Adam",
    "Bilinear",
    "DampedRotation",
    "DiracGAN",
    "GradientSteps",
    "KnownGame",
    "RandomLinear",
    "Saddle",
    "Trajectory",
    "play",
    "plotting",
]


def __dir__() -> list[str]:
    return sorted(__all__)
