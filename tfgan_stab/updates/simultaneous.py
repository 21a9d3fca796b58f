"""Both players are updated at once: one Euler step of the field."""

import dataclasses
from typing import Any

from tfgan_stab.game.players import Players
from tfgan_stab.updates.scheme import Game, Scheme


@dataclasses.dataclass(frozen=True)
class Simultaneous(Scheme):
    """Updates both players at once, each down its own loss at the current weights.

    With step sizes h and field v::

        w <- w + h v(w)

    One evaluation of the field serves both players, which makes it the cheapest scheme. With two
    learning rates it is TTUR as its authors analyse it.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.Simultaneous().evaluations
        1

    Source: Heusel et al. 2017, arXiv 1706.08500, section "Two Time-Scale Update Rule".
    Departures: none.
    """

    @property
    def first_weight(self) -> float:
        """The whole step: there is one evaluation."""
        return 1.0

    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Takes one step."""
        return game.update(params, game.field(params)), state
