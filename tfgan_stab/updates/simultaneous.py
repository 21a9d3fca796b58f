"""Both players move at once: one Euler step of the field."""

import dataclasses
from typing import Any

from tfgan_stab.game.players import Players
from tfgan_stab.updates.scheme import Game, Scheme


@dataclasses.dataclass(frozen=True)
class Simultaneous(Scheme):
    """Moves both players at once, each down its own loss as it stands.

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
    def minibatches(self) -> int:
        """One minibatch a step."""
        return 1

    @property
    def evaluations(self) -> int:
        """One evaluation a step, of both players' slopes."""
        return 1

    @property
    def first_weight(self) -> float:
        """The whole step: there is one evaluation."""
        return 1.0

    def init(self, params: Players) -> Any:
        """Remembers nothing."""
        del params
        return ()

    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Plays one step."""
        return game.update(params, game.field(params)), state
