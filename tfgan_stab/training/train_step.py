"""One step of a GAN as a `Game` for a scheme to play.

Schemes speak in tensors, Keras' optimizers in variables. This file translates: it writes tensors to
the networks' variables where an optimizer needs them there, and reads back what it did. The sign is
fixed here, once: slopes are minus the gradients.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab.game import top_k
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import Evaluation, Outputs
from tfgan_stab.game.penalties.weight_gradient import Regularized
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution
from tfgan_stab.training.compile import GameFunctions
from tfgan_stab.updates.scheme import Game

LOSS, PENALTY, GRADIENT, PENALIZED = "loss", "penalty", "gradient", "penalized gradient"
WEIGHT, STATE = "weight", "state"


class Observation(NamedTuple):
    """Tensors that came up in a step, in the order of time, for a monitor to check.

    Attributes:
        kind: "loss" (without penalties), "penalty" (on a loss), "gradient", "penalized gradient"
            (after penalties on gradients), "weight" (at trial points too), or "state" (batch
            statistics and the like).
        player: "generator" or "discriminator".
        values: Tensors, one for each of the player's variables; one scalar for a loss or penalty.
        evaluation: The evaluation of the step that it belongs to or follows, from 1.
        minibatch: The minibatch of that evaluation, from 1.
        penalty: The loss penalty's number, from 0.
    """

    kind: str
    player: str
    values: Sequence[tf.Tensor]
    evaluation: int
    minibatch: int
    penalty: int | None = None


class StepResult(NamedTuple):
    """What a step ends with.

    Attributes:
        state: `Players` of lists of tensors: batch statistics and the like after the step's first
            evaluation, means over replicas.
        losses: Each player's loss where its gradient was first computed; `None` without one.
        penalty_values: Each penalty's value, those of the losses first.
        images: Real images of all minibatches on all replicas, an int64 scalar.
        share: What `distribution.rows_of` says of this replica's rows.
        observations: What came up, in the order of time.
        real_images: The real images of the first evaluation that saw some.
        outputs: The networks' outputs then.
        gradients: Each player's first gradients, penalties included.
    """

    state: Players
    losses: Players
    penalty_values: list
    images: tf.Tensor
    share: tf.Tensor | None
    observations: list[Observation]
    real_images: tf.Tensor | None
    outputs: Outputs | None
    gradients: Players


class ReplicaMean:
    """The game's gradients and their vjps, averaged over replicas.

    Args:
        functions: The game's functions, compiled.
        state: `Players` of lists of tensors: batch statistics, spectral-norm vectors and seeds at
            the start of the step. Every evaluation starts from them.
        share: What `distribution.rows_of` says of this replica's rows.
        top_k_together: Whether replicas choose the fake images to learn from together.
    """

    def __init__(
        self,
        functions: GameFunctions,
        state: Players,
        share: tf.Tensor | None,
        top_k_together: bool,
    ):
        self._functions = functions
        self._state = state
        self._share = share
        self._together = top_k_together and distribution.num_replicas() > 1
        self._state_after: Players | None = None
        self.penalty_values: tuple = ()

    @property
    def state_after(self) -> Players:
        """Batch statistics and the like after the first evaluation, means over replicas."""
        return self._state if self._state_after is None else self._state_after

    def evaluate(self, params: Players, minibatch: Minibatch, players: Sequence[str]) -> Evaluation:
        """Returns the evaluation at `params`, its gradients averaged.

        Only the first evaluation's state and each penalty's first value are averaged, too.
        """
        minibatch = self._weighted(params, minibatch, players)
        found = self._functions.gradients(params, self._state, minibatch, tuple(players))
        known = self.penalty_values or (None,) * len(found.penalty_values)
        pairs = zip(found.penalty_values, known, strict=True)
        values = [value if first is None else None for value, first in pairs]
        state = found.state if self._state_after is None else None
        gradients, state, values = distribution.average(
            (found.gradients, state, values), self._share
        )
        self.penalty_values = tuple(
            value if first is None else first for value, first in zip(values, known, strict=True)
        )
        if self._state_after is None:
            self._state_after = state
        return found._replace(gradients=gradients)

    def loss_gradients(
        self, params: Players, minibatch: Minibatch, players: Sequence[str]
    ) -> Players:
        """Returns the gradients of the losses alone, averaged."""
        minibatch = self._weighted(params, minibatch.without_penalties(), players)
        found = self._functions.gradients(params, self._state, minibatch, tuple(players))
        return distribution.average(found.gradients, self._share)

    def vjp(
        self, params: Players, minibatch: Minibatch, cotangents: Players, players: Sequence[str]
    ) -> Players:
        """Returns the derivative of `<loss gradients, cotangents>` along the players' weights."""
        minibatch = self._weighted(params, minibatch.without_penalties(), BOTH)
        found = self._functions.vjp(params, self._state, minibatch, cotangents, tuple(players))
        return distribution.average(found, self._share)

    def _weighted(self, params: Players, minibatch: Minibatch, players: Sequence[str]) -> Minibatch:
        """Returns the minibatch with the fakes' weights, where replicas choose them together."""
        if not self._together or "generator" not in players:
            return minibatch
        own = self._functions.realness(params, self._state, minibatch)
        scores, first = distribution.gather(own)
        chosen = top_k.weights(scores, minibatch.num_kept)
        return minibatch._replace(fake_weights=chosen[first : first + tf.shape(own)[0]])


class TrainStep(Game):
    """The game that one batch and one draw of noise define.

    Args:
        functions: The game's functions, compiled.
        penalties: All penalties.
        first_weight: The part of the scheme's step that its first evaluation makes.
        variables: `Players` of the networks' trainable variables.
        optimizers: `Players` of built Keras optimizers.
        extrapolation_optimizers: `Players` of those that take trial steps; the same ones where
            trial steps and updates share their state.
        minibatches: The step's minibatches, with all that penalties and top-k need.
        state: `Players` of lists of tensors: the non-trainable variables at the start of the step.
        top_k_together: Whether replicas choose the fake images to learn from together.
    """

    def __init__(
        self,
        functions: GameFunctions,
        penalties: Sequence[Any],
        first_weight: float | None,
        variables: Players,
        optimizers: Players,
        extrapolation_optimizers: Players,
        minibatches: Sequence[Minibatch],
        state: Players,
        top_k_together: bool = False,
    ):
        self.start = Players(*map(distribution.read, variables))
        self._variables = variables
        self._optimizers = optimizers
        self._extrapolation_optimizers = extrapolation_optimizers
        self._minibatches = minibatches
        self._share, self._rows = distribution.rows_of(minibatches[0].real_images)
        self._mean = ReplicaMean(functions, state, self._share, top_k_together)
        self._regularized = Regularized(
            self._mean, penalties, first_weight, self.start, minibatches[0]
        )
        self._written = self.start
        self._evaluation, self._minibatch = 0, 0
        self._observations: list[Observation] = []
        self._losses: dict[str, tf.Tensor] = {}
        self._gradients: dict[str, Any] = {}
        self._outputs: tuple[Any, Outputs | None] = (None, None)

    @property
    def step_sizes(self) -> Players:
        """The players' learning rates in this step, float scalars."""
        return Players(*(tf.convert_to_tensor(o.learning_rate) for o in self._optimizers))

    def field(self, params: Players, minibatch: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns minus the gradients at `params` on a minibatch, averaged over replicas."""
        chosen = self._minibatches[minibatch]
        gradients, evaluation = self._regularized.evaluate(params, chosen, tuple(players))
        self._evaluation, self._minibatch = self._evaluation + 1, minibatch + 1
        self._note(evaluation, gradients, players)
        if self._outputs[1] is None and evaluation.outputs.real_logits is not None:
            self._outputs = chosen.real_images, evaluation.outputs
        return _negative(gradients)

    def update(self, params: Players, slopes: Players) -> Players:
        """Returns where the players' optimizers take them from `params`."""
        gradients = _negative(slopes)
        penalized = self._regularized.for_update(gradients)
        self._observe_changed(gradients, penalized)
        return self._apply(self._optimizers, params, penalized)

    def extrapolate(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the players' optimizers for trial steps reach."""
        return self._apply(self._extrapolation_optimizers, params, _negative(slopes))

    def finish(self, params: Players) -> StepResult:
        """Makes the networks' variables hold the scheme's answer; returns what the step did.

        Raises:
            ValueError: If a penalty was not added to any update.
        """
        self._regularized.check_added()
        self._write(params)
        state = self._mean.state_after
        observed = {id(each.values) for each in self._observations if each.kind == WEIGHT}
        for name, weights, values in zip(BOTH, params, state, strict=True):
            if id(weights) not in observed:
                self._observe(WEIGHT, name, weights)
            self._observe(STATE, name, values)
        losses = (self._losses.get(name) for name in BOTH)
        return StepResult(
            state,
            Players(*(None if each is None else self._weigh(each) for each in losses)),
            [*self._mean.penalty_values, *self._regularized.values],
            self._rows * len(self._minibatches),
            self._share,
            self._observations,
            *self._outputs,
            Players(*(self._gradients.get(name) for name in BOTH)),
        )

    def _note(self, evaluation: Evaluation, gradients: Players, players: Sequence[str]) -> None:
        """Keeps what an evaluation showed."""
        for name, loss in zip(BOTH, evaluation.losses, strict=True):
            if loss is not None:
                self._observe(LOSS, name, [self._weigh(loss)])
                if name in players:
                    self._losses.setdefault(name, loss)
        for number, value in enumerate(evaluation.penalty_values):
            if value is not None:
                # The value is the term of the last of the penalty's players.
                last = [n for n in BOTH if getattr(evaluation.gradients, n) is not None][-1]
                self._observe(PENALTY, last, [self._weigh(value)], number)
        for name, own in zip(BOTH, evaluation.gradients, strict=True):
            if own is not None:
                self._observe(GRADIENT, name, own)
        self._observe_changed(evaluation.gradients, gradients)
        for name, own in zip(BOTH, gradients, strict=True):
            if own is not None:
                self._gradients.setdefault(name, own)

    def _observe_changed(self, before: Players, after: Players) -> None:
        """Keeps gradients that penalties have changed."""
        for name, old, new in zip(BOTH, before, after, strict=True):
            if new is not None and new is not old:
                self._observe(PENALIZED, name, new)

    def _observe(self, kind: str, player: str, values: Any, penalty: int | None = None) -> None:
        self._observations.append(
            Observation(kind, player, values, self._evaluation, self._minibatch, penalty)
        )

    def _weigh(self, value: tf.Tensor) -> tf.Tensor:
        return distribution.weighted(value, self._share)

    def _apply(self, optimizers: Players, params: Players, gradients: Players) -> Players:
        """Lets the players' optimizers update their variables from `params`, and reads them."""
        self._write(params)
        for name, own, optimizer in zip(BOTH, gradients, optimizers, strict=True):
            if own is not None:
                variables = getattr(self._variables, name)
                distribution.apply(optimizer, variables, own)
                weights = distribution.read(variables)
                self._written = self._written._replace(**{name: weights})
                self._observe(WEIGHT, name, weights)
        return self._written

    def _write(self, params: Players) -> None:
        """Makes the networks' variables hold `params`, where they do not hold them already."""
        for variables, values, old in zip(self._variables, params, self._written, strict=True):
            if values is not old:
                distribution.write(variables, values)
        self._written = params


def _negative(values: Players) -> Players:
    return tf.nest.map_structure(lambda v: None if v is None else -v, values)
