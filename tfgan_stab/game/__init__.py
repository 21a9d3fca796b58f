"""What each player minimises, and its gradient.

May import `_utils` and `data`; knows nothing of update schemes.
"""

from tfgan_stab.game import losses, penalties
from tfgan_stab.game.players import Players
from tfgan_stab.game.top_k import TopK

__all__ = [
    "Players",
    "TopK",
    "losses",
    "penalties",
]


def __dir__() -> list[str]:
    return sorted(__all__)
