"""The contract between a game and the schemes that play it.

A scheme is an integrator: it asks a `Game` for slopes and says where the players go. It knows
nothing of networks, losses or devices, so the same scheme trains a GAN and solves `min max x y`.
To write your own, give a class `minibatches`, `evaluations`, `init` and `step`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.players import BOTH, Players


class Game(Protocol):
    """What a scheme may ask of a game. A GAN's batch is one; so is `min max x y`.

    Attributes:
        step_sizes: The players' learning rates in this step.
    """

    @property
    def step_sizes(self) -> Players: ...  # noqa: D102

    def field(self, params: Players, minibatch: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns the players' downhill slopes at `params`, averaged over replicas.

        Args:
            params: Where to look.
            minibatch: Which of the step's minibatches to look at.
            players: Whose slopes are wanted; a player that is left out costs nothing and is `None`
                in the answer.
        """

    def update(self, params: Players, slopes: Players) -> Players:
        """Returns where the players' optimizers take them from `params`.

        A player whose slopes are `None` stays and its optimizer is not touched.
        """

    def extrapolate(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the players' optimizers reach from `params`."""


class Scheme(Serializable):
    """Takes one step of both players. Derive from it to write your own."""

    @property
    def minibatches(self) -> int:
        """How many minibatches one step consumes."""
        return 1

    @property
    def evaluations(self) -> int:
        """Calls of `Game.field` that one step makes: what a step costs."""
        return 1

    @property
    def separate_extrapolation(self) -> bool:
        """Whether trial points are reached by optimizers of their own."""
        return False

    @property
    def first_weight(self) -> float | None:
        """The part of the step that the first evaluation makes; `None` if it is not known."""
        return None

    @property
    def synchronization_period(self) -> int | None:
        """Steps from one synchronization of slow and fast weights to the next; `None` without."""
        return None

    def init(self, params: Players) -> Any:
        """Returns the scheme's state before the first step: nested tensors, or `()`."""
        del params
        return ()

    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Takes one step; returns both players' new weights, and the new state."""
        raise NotImplementedError(f"{type(self).__name__} must define `step`.")


def check_scheme(scheme: Any) -> Scheme:
    """Returns `scheme` if it is one.

    Raises:
        TypeError: If it lacks something of the contract, or is a class instead of an instance.
    """
    lacks = [
        name for name in ("minibatches", "evaluations", "init", "step") if not hasattr(scheme, name)
    ]
    if not lacks and not isinstance(scheme, type):
        checked: Scheme = scheme
        return checked
    what = f"{scheme.__name__} itself" if isinstance(scheme, type) else repr(scheme)
    fix = (
        f"Write `{scheme.__name__}(...)`, an instance."
        if isinstance(scheme, type)
        else f"It lacks {lacks}."
    )
    raise TypeError(
        "`scheme` must be an update scheme such as `tgs.Alternating()`, with `minibatches`, "
        f"`evaluations`, `init` and `step`. Received: {what}. {fix}"
    )


def separate_extrapolation(scheme: Scheme) -> bool:
    """Returns whether a scheme wants optimizers of its own for trial steps.

    A scheme says so by an attribute `separate_extrapolation`; those that take no trial steps need
    none.
    """
    return bool(getattr(scheme, "separate_extrapolation", False))


def first_weight(scheme: Scheme) -> float | None:
    """Returns the part of a scheme's step that the slope of its first evaluation makes.

    A scheme says so by an attribute `first_weight`; 0 if that slope only leads to trial points.
    `None` if the scheme does not say.
    """
    return getattr(scheme, "first_weight", None)


def shortest_period(scheme: Scheme) -> int | None:
    """Returns how many steps lie between the synchronizations of a scheme; `None` without any.

    A scheme says so by an attribute `sync_period`; where one wraps another, the inner one's counts.
    """
    inner = getattr(scheme, "inner", None)
    period = None if inner is None else shortest_period(inner)
    return getattr(scheme, "sync_period", None) if period is None else period


def restarted(scheme: Scheme, state: Any, params: Players) -> Any:
    """Returns a scheme's state after something around it has pulled the players to `params`.

    A scheme that keeps weights of its own, slow ones for example, has a method `restarted(state,
    params)`; what others remember stays as it is.
    """
    restart = getattr(scheme, "restarted", None)
    return state if restart is None else restart(state, params)
