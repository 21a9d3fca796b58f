"""One value per player, always in the same order.

Weights, gradients, step sizes, optimizers, losses: whatever both players have is a `Players`.
"""

from typing import Any, NamedTuple


class Players(NamedTuple):
    """One value per player, the generator's first.

    Attributes:
        generator: The generator's value; `None` where it takes no part.
        discriminator: The discriminator's value; `None` where it takes no part.

    Example:
        >>> learning_rates = Players(generator=1e-4, discriminator=4e-4)
        >>> learning_rates.discriminator / learning_rates.generator
        4.0
    """

    generator: Any
    discriminator: Any


BOTH = Players._fields
"""The players' names, in order."""
