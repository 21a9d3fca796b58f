"""The contract between a game and the schemes that play it.

A scheme is an integrator: it evaluates a game's gradients and returns new weights. It knows nothing
of networks, losses or devices, so the same scheme trains a GAN and solves `min max x y`. To write
your own, derive from `Scheme`.
"""

import abc
from collections.abc import Sequence
from typing import Any

from tfgan_stab._utils import validation
from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.players import BOTH, Players


class Game(abc.ABC):
    """What a scheme may ask of a game. A GAN's batch is one; so is `min max x y`."""

    @property
    @abc.abstractmethod
    def step_sizes(self) -> Players:
        """The players' learning rates in this step, scalars."""

    @abc.abstractmethod
    def field(self, params: Players, minibatch: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns the vector field at `params`: each player's slope, averaged over replicas.

        A slope is minus the gradient of the player's own loss. It points downhill, so that schemes
        only ever add it.

        Args:
            params: Where to evaluate, nested tensors for each player.
            minibatch: Which of the step's minibatches to use, from 0.
            players: Whose slopes are wanted; a player that is left out costs nothing and is `None`
                in the answer.
        """

    @abc.abstractmethod
    def update(self, params: Players, slopes: Players) -> Players:
        """Returns where the players' optimizers take them from `params`.

        A player whose slopes are `None` stays, and its optimizer is not touched.
        """

    def extrapolate(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the players' optimizers reach from `params`.

        The same as `update`, unless the game keeps other optimizers for trial points.
        """
        return self.update(params, slopes)

    def project(self, params: Players) -> Players:
        """Returns the weights that the players may have nearest to `params`.

        `update` projects by itself, and what `Scheme.step` returns is projected after it; a scheme
        that keeps other weights projects those. The same as `params`, unless the game has
        constraints.
        """
        return params


class Scheme(Serializable, abc.ABC):
    """Takes one step of both players. Derive from it to write your own.

    A subclass is a frozen dataclass: its fields are its settings, and Keras saves it by them. It
    must have `step`; everything else has a default.
    """

    @property
    def minibatches(self) -> int:
        """How many minibatches one step has."""
        return 1

    @property
    def data_minibatches(self) -> int:
        """How many minibatches of data one step consumes: as many, unless it sees some again.

        A step's minibatches take them in turn, each with noise of its own.
        """
        return self.minibatches

    @property
    def evaluations(self) -> int:
        """Calls of `Game.field` that one step makes: what a step costs."""
        return 1

    @property
    def first_weight(self) -> float | None:
        """The part of the step that the first evaluation makes; `None` if it is not known.

        0 if the first evaluation only leads to a trial point.
        """
        return None

    @property
    def separate_extrapolation(self) -> bool:
        """Whether trial points are reached by optimizers of their own."""
        return False

    @property
    def synchronization_period(self) -> int | None:
        """Steps from one synchronization of slow and fast weights to the next; `None` without."""
        return None

    def init(self, params: Players) -> Any:
        """Returns the scheme's state before the first step: nested tensors, or `()`.

        Args:
            params: Both players' initial weights.
        """
        del params
        return ()

    @abc.abstractmethod
    def step(self, game: Game, params: Players, state: Any) -> tuple[Players, Any]:
        """Takes one step.

        Args:
            game: The game of this step.
            params: Both players' weights.
            state: What `init` or the step before returned.

        Returns:
            Both players' new weights, and the new state.
        """

    def restarted(self, state: Any, params: Players) -> Any:
        """Returns the state after a scheme around this one has set the weights to `params`.

        A scheme that keeps weights of its own, such as slow ones, sets them to `params` too.
        """
        del params
        return state


def check_scheme(scheme: Any) -> Scheme:
    """Returns `scheme` if it is one.

    Raises:
        TypeError: If it is a class instead of an instance, or does not derive from `Scheme`.
    """
    if isinstance(scheme, Scheme):
        return scheme
    what, fix = repr(scheme), "Derive your own from tgs.updates.Scheme."
    if isinstance(scheme, type):
        what, fix = f"{scheme.__name__} itself", f"Write `{scheme.__name__}(...)`, an instance."
    raise TypeError(
        "`scheme` must be an update scheme such as `tgs.Alternating()`, an instance of "
        f"tgs.updates.Scheme. Received: {what}. {fix}"
    )


def check_batches(batches: Any) -> None:
    """Raises ValueError unless `batches` is "shared" or "fresh"."""
    validation.choice(
        "batches",
        batches,
        ("shared", "fresh"),
        'Use "shared" for one minibatch for all evaluations of a step, "fresh" for one each.',
    )
