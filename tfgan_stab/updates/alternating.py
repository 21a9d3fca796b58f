"""The players take turns: the discriminator first, then the generator against the new one."""

import dataclasses
from typing import Any

from tfgan_stab._utils import validation
from tfgan_stab.game.players import Players
from tfgan_stab.updates.scheme import Game, Scheme


@dataclasses.dataclass(frozen=True)
class Alternating(Scheme):
    """Updates the discriminator n times, then the generator once, each against the other's latest.

    With step sizes a, b and field v = (v_G, v_D)::

        w_D <- w_D + b v_D(w_G, w_D)     n times, each on its own minibatch
        w_G <- w_G + a v_G(w_G, w_D)     once, on the last minibatch and its noise

    Args:
        discriminator_steps: Discriminator updates per generator update, an integer >= 1, unit:
            updates. The papers' n_critic, n_dis.

    Logs show the discriminator's loss before the first of its updates, and the generator's before
    its own.

    Raises:
        ValueError: If `discriminator_steps` is no integer >= 1.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.Alternating(discriminator_steps=5).minibatches
        5

    Source: Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1 (its k is n).
    Departures: the generator reuses the last minibatch's noise, as TTUR's and most DCGAN code does;
        algorithm 1 draws it anew.
    """

    discriminator_steps: int = 1

    def __post_init__(self) -> None:
        validation.integer(
            "discriminator_steps",
            self.discriminator_steps,
            unit="updates per generator update",
            fix="Use 1 for plain alternation.",
        )

    @property
    def minibatches(self) -> int:
        """One minibatch for each discriminator update."""
        return self.discriminator_steps

    @property
    def evaluations(self) -> int:
        """One evaluation for each update; each of one player's slopes only."""
        return self.discriminator_steps + 1

    @property
    def first_weight(self) -> float:
        """The whole of the discriminator's first update."""
        return 1.0

    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Takes one step."""
        for minibatch in range(self.discriminator_steps):
            slopes = game.field(params, minibatch, players=("discriminator",))
            params = game.update(params, slopes)
        slopes = game.field(params, self.discriminator_steps - 1, players=("generator",))
        return game.update(params, slopes), state
