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

    With `reuse_batch` all n + 1 updates of a step see the same real batch, each with noise of its
    own, the generator's too: as in the Keras examples, where a step is one batch.

    Args:
        discriminator_steps: Discriminator updates per generator update, an integer >= 1, unit:
            updates. The papers' n_critic, n_dis.
        reuse_batch: Whether a step takes one minibatch of data instead of n. `images_seen` counts
            it once.

    Logs show the discriminator's loss before the first of its updates, and the generator's before
    its own.

    Raises:
        ValueError: If `discriminator_steps` is no integer >= 1, or `reuse_batch` no truth value.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.Alternating(discriminator_steps=5).data_minibatches
        5
        >>> tgs.Alternating(discriminator_steps=5, reuse_batch=True).data_minibatches
        1

    Source: Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1 (its k is n).
    Departures: without `reuse_batch` the generator takes the last minibatch's noise, as TTUR's and
        most DCGAN code does; algorithm 1 draws it anew. With it the noise is drawn anew, and the
        data are not.
    """

    discriminator_steps: int = 1
    reuse_batch: bool = False

    def __post_init__(self) -> None:
        validation.integer(
            "discriminator_steps",
            self.discriminator_steps,
            unit="updates per generator update",
            fix="Use 1 for plain alternation.",
        )
        validation.choice("reuse_batch", self.reuse_batch, (True, False))

    @property
    def minibatches(self) -> int:
        """One for each discriminator update, and with `reuse_batch` one for the generator's."""
        return self.discriminator_steps + self.reuse_batch

    @property
    def data_minibatches(self) -> int:
        """One for each discriminator update, or the same for all."""
        return 1 if self.reuse_batch else self.discriminator_steps

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
        slopes = game.field(params, self.minibatches - 1, players=("generator",))
        return game.update(params, slopes), state
