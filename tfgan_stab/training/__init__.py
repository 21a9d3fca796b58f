"""Everything that touches variables: compile, one step, fit; `distribution` alone writes weights.

May import `_utils`, `data`, `game` and `updates`.
"""

from tfgan_stab.training.gan import GAN

__all__ = [
    "GAN",
]


def __dir__() -> list[str]:
    return sorted(__all__)
