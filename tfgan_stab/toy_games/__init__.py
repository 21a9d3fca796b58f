"""Small games with known answers, in float64, for schemes to play.

May import `updates` and all above it.
"""

from tfgan_stab.toy_games import plotting
from tfgan_stab.toy_games.base import KnownGame
from tfgan_stab.toy_games.bilinear import Bilinear
from tfgan_stab.toy_games.linear import DampedRotation, RandomLinear
from tfgan_stab.toy_games.nonlinear import DiracGAN, Saddle
from tfgan_stab.toy_games.play import play
from tfgan_stab.toy_games.prediction import predicted_factor
from tfgan_stab.toy_games.rules import Adam, GradientSteps
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
    "predicted_factor",
]
