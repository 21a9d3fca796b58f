"""One step of a GAN as a `Game` for a scheme to play, and the state that it changes.

Schemes speak in tensors, Keras' optimizers in variables. This file translates: it writes tensors to
the networks' variables where an optimizer needs them there, and reads back what it did. The sign is
fixed here, once: slopes are minus the gradients.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab.game.augmentation import Adaptive, Augmentation
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import Evaluation, GameFunctions, NetworkOutputs
from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.penalties.base import LossPenalty, Penalty, WeightGradientPenalty
from tfgan_stab.game.penalties.weight_gradient import Regularized
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution
from tfgan_stab.training.averaging.averaged_weights import (
    AveragedWeights,
    start_averages,
    update_averages,
)
from tfgan_stab.training.distribution import ReplicaMean, StoredTensors
from tfgan_stab.updates.scheme import Game, Scheme

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
        images: Real images of all minibatches on all replicas, an int64 scalar; those that several
            minibatches share count once.
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
    outputs: NetworkOutputs | None
    gradients: Players


ACCURACIES = ("accuracy_on_real", "accuracy_on_fake")


def accuracies(result: StepResult, loss: AdversarialLoss) -> list[tf.Tensor | None]:
    """Returns this replica's share in each of `ACCURACIES`; none for a loss without a boundary."""
    if loss.boundary is None:
        return []
    if result.outputs is None:
        return [None for _ in ACCURACIES]
    found = loss.accuracies(result.outputs.real_logits, result.outputs.fake_logits)
    return [distribution.weighted(each, result.share) for each in found]


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
        penalties: Sequence[Penalty],
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
        self._regularized = None
        if any(isinstance(penalty, WeightGradientPenalty) for penalty in penalties):
            self._regularized = Regularized(
                self._mean, penalties, first_weight, self.start, minibatches[0]
            )
        self._written = self.start
        self._loss_penalties = [p for p in penalties if isinstance(p, LossPenalty)]
        self._evaluation, self._minibatch = 0, 0
        self._observations: list[Observation] = []
        self._losses: dict[str, tf.Tensor] = {}
        self._gradients: dict[str, Any] = {}
        self._outputs: tuple[Any, NetworkOutputs | None] = (None, None)

    @property
    def step_sizes(self) -> Players:
        """The players' learning rates in this step, float scalars."""
        return Players(*(tf.convert_to_tensor(o.learning_rate) for o in self._optimizers))

    def field(self, params: Players, minibatch: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns minus the gradients at `params` on a minibatch, averaged over replicas."""
        chosen = self._minibatches[minibatch]
        gradients, evaluation = self._evaluate(params, chosen, tuple(players))
        self._evaluation, self._minibatch = self._evaluation + 1, minibatch + 1
        self._note(evaluation, gradients, players)
        if self._outputs[1] is None and evaluation.outputs.real_logits is not None:
            self._outputs = chosen.real_images, evaluation.outputs
        return _negative(gradients)

    def update(self, params: Players, slopes: Players) -> Players:
        """Returns where the players' optimizers take them from `params`."""
        gradients = _negative(slopes)
        if self._regularized is not None:
            penalized = self._regularized.for_update(gradients)
            self._observe_changed(gradients, penalized)
            gradients = penalized
        return self._apply(self._optimizers, params, gradients)

    def extrapolate(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the players' optimizers for trial steps reach."""
        return self._apply(self._extrapolation_optimizers, params, _negative(slopes))

    def project(self, params: Players) -> Players:
        """Returns weights that keep the constraints that layers declare, as optimizers do."""
        return Players(
            *(
                [v if w.constraint is None else w.constraint(v) for w, v in zip(*each, strict=True)]
                for each in zip(self._variables, params, strict=True)
            )
        )

    def finish(self, params: Players) -> StepResult:
        """Makes the networks' variables hold the scheme's answer; returns what the step did.

        Raises:
            ValueError: If a penalty was not added to any update.
        """
        penalty_values = list(self._mean.penalty_values)
        if self._regularized is not None:
            self._regularized.check_added()
            penalty_values += self._regularized.values
        pairs = zip(params, self.project(params), self._written, strict=True)
        params = Players(*(own if own is old else kept for own, kept, old in pairs))
        self._write(params)
        state = self._mean.state_after
        observed = {id(each.values) for each in self._observations if each.kind == WEIGHT}
        for name, weights, values in zip(BOTH, params, state, strict=True):
            if id(weights) not in observed:
                self._observe(WEIGHT, name, weights)
            self._observe(STATE, name, values)
        losses = (self._losses.get(name) for name in BOTH)
        distinct = {id(minibatch.real_images) for minibatch in self._minibatches}
        return StepResult(
            state,
            Players(*(None if each is None else self._weigh(each) for each in losses)),
            penalty_values,
            self._rows * len(distinct),
            self._share,
            self._observations,
            *self._outputs,
            Players(*(self._gradients.get(name) for name in BOTH)),
        )

    def _evaluate(
        self, params: Players, minibatch: Minibatch, players: Sequence[str]
    ) -> tuple[Players, Evaluation]:
        """Returns the players' gradients, penalties on them included, and the evaluation."""
        if self._regularized is not None:
            return self._regularized.evaluate(params, minibatch, players)
        evaluation = self._mean.evaluate(params, minibatch, players)
        return evaluation.gradients, evaluation

    def _note(self, evaluation: Evaluation, gradients: Players, players: Sequence[str]) -> None:
        """Keeps what an evaluation showed."""
        for name, loss in zip(BOTH, evaluation.losses, strict=True):
            if loss is not None:
                self._observe(LOSS, name, [self._weigh(loss)])
                if name in players:
                    self._losses.setdefault(name, loss)
        computed = [n for n in BOTH if getattr(evaluation.gradients, n) is not None]
        values = zip(self._loss_penalties, evaluation.penalty_values, strict=True)
        for number, (penalty, value) in enumerate(values):
            if value is not None:
                # The value is the term of the last of the penalty's players.
                last = [name for name in computed if name in penalty.players][-1]
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


class Counters(NamedTuple):
    """What a run counts, int64 variables.

    Attributes:
        steps: Steps done.
        images: Real images that all replicas have seen.
        epochs: Whole epochs done.
    """

    steps: keras.Variable
    images: keras.Variable
    epochs: keras.Variable


@dataclasses.dataclass
class RollbackState:
    """A training's rollbacks.

    Attributes:
        rollbacks: How often earlier weights were restored.
        steps_lost: Steps whose outcome was undone by that.
        saved_step: Steps done at the newest checkpoint of this training.
    """

    rollbacks: int = 0
    steps_lost: int = 0
    saved_step: int = 0


class TrainState:
    """Counters, what scheme and augmentation remember, and the averages.

    Args:
        networks: Both networks.
        scheme: The update scheme.
        counters: The counters.
        memory: The variables of the scheme's state, under "state", and of the augmentation's,
            under "augmentation"; none where there is nothing to remember.
        averages: The averages by name.
        augment: Changes the images that the discriminator sees; `None` for no changes.
    """

    def __init__(
        self,
        networks: Players,
        scheme: Scheme,
        counters: Counters,
        memory: Mapping[str, StoredTensors],
        averages: Mapping[str, AveragedWeights],
        augment: Augmentation | None = None,
    ):
        self._networks = networks
        self._scheme = scheme
        self._counters = counters
        self._memory = memory
        self._averages = averages
        self._augment = augment

    @property
    def steps(self) -> tf.Tensor:
        """Steps done, an int64 scalar."""
        return tf.convert_to_tensor(self._counters.steps.value)

    @property
    def epochs(self) -> tf.Tensor:
        """Whole epochs done, an int64 scalar."""
        return tf.convert_to_tensor(self._counters.epochs.value)

    @property
    def scheme_state(self) -> Any:
        """The scheme's state; `()` for one without tensors."""
        return self._read("state")

    @property
    def augmentation_probability(self) -> Any:
        """How probable each change of an image is now, a number or a float32 scalar."""
        rule = self._augment
        return 0.0 if rule is None else rule.probability_at(self._read("augmentation"))

    def reset(self) -> None:
        """Sets the counters to 0; averages and scheme start from the weights as they are."""
        start_averages(self._averages, self._networks)
        params = Players(*(distribution.read(n.trainable_variables) for n in self._networks))
        self._store("state", self._scheme.init(params))
        if self._augment is not None:
            self._store("augmentation", self._augment.init())
        distribution.write(self._counters, [0, 0, 0])

    def commit(
        self, result: StepResult, scheme_state: Any, accuracies: Sequence, compiled: bool
    ) -> None:
        """Stores what a step ended with, and updates the averages.

        Args:
            result: What the step ended with; the trained weights are written already.
            scheme_state: The scheme's new state.
            accuracies: What the function `accuracies` says of it.
            compiled: Whether XLA should compile the averages' arithmetic by itself.
        """
        for network, state in zip(self._networks, result.state, strict=True):
            distribution.write(network.non_trainable_variables, state)
        self._store("state", scheme_state)
        steps = self.steps + 1
        if isinstance(self._augment, Adaptive) and accuracies[0] is not None:
            seen = distribution.average(accuracies[0]), result.images, steps
            self._store("augmentation", self._augment.adapted(self._read("augmentation"), *seen))
        images = tf.convert_to_tensor(self._counters.images.value) + result.images
        distribution.write([self._counters.steps, self._counters.images], [steps, images])
        update_averages(self._averages, self._networks, steps, result.images, compiled)

    def _read(self, name: str) -> Any:
        return self._memory[name].read() if name in self._memory else ()

    def _store(self, name: str, tensors: Any) -> None:
        if name in self._memory:
            self._memory[name].write(tensors)
