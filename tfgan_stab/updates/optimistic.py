"""Corrects each step by what the last one got wrong: one evaluation a step."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from tfgan_stab.game.players import Players
from tfgan_stab.updates.scheme import Game, Scheme


class OptimisticState(NamedTuple):
    """What the optimistic gradient remembers between steps.

    Attributes:
        steps: Players' displacements by their optimizers in the last step, before correction.
        begun: bool scalar, whether there was a last step.
    """

    steps: Players
    begun: tf.Tensor


@dataclasses.dataclass(frozen=True)
class OptimisticGradient(Scheme):
    """Steps by twice the new displacement minus the old one.

    With field v and the displacement of the players' optimizers d_t = update(w_t, v(w_t)) - w_t::

        w_{t+1} = w_t + 2 d_t - d_{t-1},    d_{-1} = d_0

    It converges on rotations as extragradient does, for one evaluation of the field instead of two:
    with `SGD` the points it visits are the trial points of past extragradient. With `Adam` this is
    optimistic Adam.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.OptimisticGradient().evaluations
        1

    Source: Daskalakis et al. 2018, arXiv 1711.00141, equation 6 and algorithm 1 (optimistic Adam);
        past extragradient: Gidel et al. 2019, arXiv 1802.10551, equation 22. (All numbers from
        memory.)
    Departures: the first step is a plain step; with d_{-1} = 0 it would be a double one.
    """

    @property
    def minibatches(self) -> int:
        """One minibatch a step."""
        return 1

    @property
    def evaluations(self) -> int:
        """One evaluation of both players' slopes."""
        return 1

    @property
    def first_weight(self) -> float:
        """The whole step: there is one evaluation."""
        return 1.0

    def init(self, params: Players) -> OptimisticState:
        """Remembers no step yet."""
        return OptimisticState(tf.nest.map_structure(tf.zeros_like, params), tf.constant(False))

    def step(
        self, game: Game, params: Players, state: OptimisticState
    ) -> tuple[Players, OptimisticState]:
        """Plays one step."""
        moved = game.update(params, game.field(params))
        steps = tf.nest.map_structure(tf.subtract, moved, params)
        former = tf.nest.map_structure(
            lambda old, new: tf.where(state.begun, old, new), state.steps, steps
        )
        corrected = tf.nest.map_structure(lambda w, d, e: w + (d - e), moved, steps, former)
        return corrected, OptimisticState(steps, tf.constant(True))
