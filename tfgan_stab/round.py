"""One round of a GAN as a `Game`: the field of this batch and noise, the players' own optimizers.

Schemes speak in tensors; Keras optimizers speak in variables. This file translates: it writes the
tensors to the networks' variables where an optimizer needs them there, and reads back what it did.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab import distribution
from tfgan_stab.game.field import Batch, Evaluation
from tfgan_stab.game.players import BOTH, Players


class Round:
    """The game that one batch and one draw of noise define.

    Args:
        field: Function `(params, state, batch, players) -> Evaluation`.
        variables: `Players` of the networks' trainable variables.
        optimizers: `Players` of built Keras optimizers.
        parts: The minibatches of this round.
        state: `Players` of lists of tensors: batch statistics, spectral-norm vectors and seeds at
            the start of the round. Every evaluation starts from them.
    """

    def __init__(
        self,
        field: Callable[..., Evaluation],
        variables: Players,
        optimizers: Players,
        parts: Sequence[Batch],
        state: Players,
    ):
        rows = parts[0].reals
        self._share = distribution.share_of(rows.shape[0], tf.shape(rows)[0])
        self._field = field
        self._variables = variables
        self._optimizers = optimizers
        self._parts = parts
        self._state = state
        self._state_after: Players | None = None
        self._losses: dict[str, tf.Tensor] = {}
        self._held = Players(None, None)

    @property
    def step_sizes(self) -> Players:
        """The players' learning rates in this round, float scalars."""
        return Players(*(tf.convert_to_tensor(o.learning_rate) for o in self._optimizers))

    @property
    def losses(self) -> Players:
        """Each player's loss where it first evaluated its slopes in this round."""
        found = (self._losses.get(name) for name in BOTH)
        return Players(
            *(None if loss is None else distribution.weighted(loss, self._share) for loss in found)
        )

    @property
    def state_after(self) -> Players:
        """Batch statistics and the like after the round's first evaluation, means over replicas."""
        return self._state if self._state_after is None else self._state_after

    def start(self) -> Players:
        """Returns the weights as they are, and remembers that the variables hold them."""
        self._held = Players(*map(distribution.read, self._variables))
        return self._held

    def field(self, params: Players, part: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns the downhill slopes at `params` on a minibatch, averaged over replicas."""
        evaluation = self._field(params, self._state, self._parts[part], tuple(players))
        for name, loss in zip(BOTH, evaluation.losses, strict=True):
            if loss is not None:
                self._losses.setdefault(name, loss)
        slopes = evaluation.slopes
        if self._state_after is None:
            both = (slopes, evaluation.state)
            slopes, self._state_after = distribution.average(both, self._share)
            return slopes
        return distribution.average(slopes, self._share)

    def move(self, params: Players, slopes: Players) -> Players:
        """Returns where the players' optimizers take them from `params`."""
        self.write(params)
        for name, own in zip(BOTH, slopes, strict=True):
            if own is not None:
                self._apply(name, own)
        return self._held

    def look(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the players' optimizers reach; their state moves too."""
        return self.move(params, slopes)

    def write(self, params: Players) -> None:
        """Makes the networks' variables hold `params`, where they do not hold them already."""
        for variables, values, held in zip(self._variables, params, self._held, strict=True):
            if values is not held:
                distribution.write(variables, values)
        self._held = params

    def _apply(self, name: str, slopes: Any) -> None:
        variables = getattr(self._variables, name)
        distribution.apply(getattr(self._optimizers, name), variables, slopes)
        self._held = self._held._replace(**{name: distribution.read(variables)})
