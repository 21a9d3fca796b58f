"""Everything that touches variables: compile, one step, fit; `distribution` alone writes weights.

May import everything above it but `toy_games`.
"""

from tfgan_stab.training.gan import GAN

__all__ = [
    "GAN",
]
