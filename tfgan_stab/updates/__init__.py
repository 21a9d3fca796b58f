"""Update schemes: pure integrators of the game's vector field.

May import `_utils` and `game.players`; knows nothing of Keras models. Start with `scheme.py`.
"""

from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.extragradient import Extragradient
from tfgan_stab.updates.lookahead import Lookahead
from tfgan_stab.updates.optimistic import OptimisticGradient
from tfgan_stab.updates.runge_kutta import EULER, HEUN, MIDPOINT, RALSTON, RK4, RungeKutta, Tableau
from tfgan_stab.updates.scheme import Game, Scheme
from tfgan_stab.updates.simultaneous import Simultaneous

__all__ = [
    "Alternating",
    "EULER",
    "Extragradient",
    "Game",
    "HEUN",
    "Lookahead",
    "MIDPOINT",
    "OptimisticGradient",
    "RALSTON",
    "RK4",
    "RungeKutta",
    "Scheme",
    "Simultaneous",
    "Tableau",
]


def __dir__() -> list[str]:
    return sorted(__all__)
