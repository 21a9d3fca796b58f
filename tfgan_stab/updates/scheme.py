"""The contract between a game and the schemes that play it.

A scheme is an integrator: it asks a `Game` for slopes and says where the players go. It knows
nothing of networks, losses or devices, so the same scheme trains a GAN and solves `min max x y`.
To write your own, give a class `parts`, `evaluations`, `init` and `step`.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from tfgan_stab.game.players import BOTH, Players


class Game(Protocol):
    """What a scheme may ask of a game. A GAN's batch is one; so is `min max x y`.

    Attributes:
        step_sizes: The players' learning rates in this round.
    """

    @property
    def step_sizes(self) -> Players: ...  # noqa: D102

    def field(self, params: Players, part: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns the players' downhill slopes at `params`, averaged over replicas.

        Args:
            params: Where to look.
            part: Which of the round's minibatches to look at.
            players: Whose slopes are wanted; a player that is left out costs nothing and is `None`
                in the answer.
        """

    def move(self, params: Players, slopes: Players) -> Players:
        """Returns where the players' optimizers take them from `params`.

        A player whose slopes are `None` stays and its optimizer is not touched.
        """

    def look(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the players' optimizers reach from `params`."""


@runtime_checkable
class Scheme(Protocol):
    """Moves both players once per round.

    Attributes:
        parts: Minibatches that one round consumes.
        evaluations: Calls of `Game.field` that one round makes: what a round costs.
    """

    @property
    def parts(self) -> int: ...  # noqa: D102

    @property
    def evaluations(self) -> int: ...  # noqa: D102

    def init(self, params: Players) -> Any:
        """Returns what the scheme remembers before the first round: tensors, nested, or `()`."""

    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Plays one round.

        Args:
            game: The game of this round.
            params: Where the players are.
            state: What `init` or the round before returned.

        Returns:
            Where the players are now, and what to remember.
        """


def check_scheme(scheme: Any) -> Scheme:
    """Returns `scheme` if it is one.

    Raises:
        TypeError: If it lacks something of the contract, or is a class instead of an instance.
    """
    if isinstance(scheme, Scheme) and not isinstance(scheme, type):
        return scheme
    lacks = [name for name in ("parts", "evaluations", "init", "step") if not hasattr(scheme, name)]
    what = f"{scheme.__name__} itself" if isinstance(scheme, type) else repr(scheme)
    fix = (
        f"Write `{scheme.__name__}(...)`, an instance."
        if isinstance(scheme, type)
        else f"It lacks {lacks}."
    )
    raise TypeError(
        "`scheme` must be an update scheme such as `tgs.Alternating()`, with `parts`, "
        f"`evaluations`, `init` and `step`. Received: {what}. {fix}"
    )
