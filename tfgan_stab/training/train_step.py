"""One step of a GAN as a `Game`: the field of this batch and noise, the players' own optimizers.

Schemes speak in tensors; Keras optimizers speak in variables. This file translates: it writes the
tensors to the networks' variables where an optimizer needs them there, and reads back what it did.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab.game.batch import Batch
from tfgan_stab.game.gradients import Evaluation
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution
from tfgan_stab.training.compile import FieldFunctions
from tfgan_stab.training.penalizing import StepPenalties
from tfgan_stab.training.selecting import StepSelection


class TrainStep:
    """The game that one batch and one draw of noise define.

    Args:
        functions: The field, its derivative and its fakes' realness, compiled.
        penalties: What the players pay beside their losses in this step.
        variables: `Players` of the networks' trainable variables.
        optimizers: `Players` of built Keras optimizers.
        extrapolation_optimizers: `Players` of those that take trial steps; the same ones where
            trial steps and updates share their state.
        parts: The minibatches of this step, with all that penalties and top-k need.
        state: `Players` of lists of tensors: batch statistics, spectral-norm vectors and seeds at
            the start of the step. Every evaluation starts from them.
        selection: Which fakes the generator learns from.
        monitor: The `Monitor` that watches the step; `None` if none does.
    """

    def __init__(
        self,
        functions: FieldFunctions,
        penalties: StepPenalties,
        variables: Players,
        optimizers: Players,
        extrapolation_optimizers: Players,
        minibatches: Sequence[Batch],
        state: Players,
        selection: StepSelection,
        monitor: Any = None,
    ):
        self._share, self._rows = distribution.rows_of(minibatches[0].reals)
        self._functions = functions
        self._penalties = penalties
        self._variables = variables
        self._optimizers = optimizers
        self._extrapolation_optimizers = extrapolation_optimizers
        self._minibatches = minibatches
        self._state = state
        self._state_after: Players | None = None
        self._selection = selection
        self._losses: dict[str, tf.Tensor] = {}
        self._paid: tuple = ()
        self._held = Players(None, None)
        self._watch = None if monitor is None else monitor.of_step(self._share)

    @property
    def step_sizes(self) -> Players:
        """The players' learning rates in this step, float scalars."""
        return Players(*(tf.convert_to_tensor(o.learning_rate) for o in self._optimizers))

    @property
    def losses(self) -> Players:
        """Each player's loss where it first evaluated its slopes in this step."""
        found = (self._losses.get(name) for name in BOTH)
        return Players(
            *(None if loss is None else distribution.weighted(loss, self._share) for loss in found)
        )

    @property
    def penalty_values(self) -> list[tf.Tensor]:
        """What each penalty came to, those of the losses first, the same on all replicas."""
        return [*self._paid, *self._penalties.values]

    @property
    def rows(self) -> tf.Tensor:
        """Real examples of all parts on all replicas, an int64 scalar."""
        return self._rows * len(self._minibatches)

    @property
    def state_after(self) -> Players:
        """Batch statistics and the like after the step's first evaluation, means over replicas."""
        return self._state if self._state_after is None else self._state_after

    def start(self) -> Players:
        """Returns the weights as they are, and remembers that the variables hold them."""
        self._held = Players(*map(distribution.read, self._variables))
        self._penalties.begin(self, self._held, self._minibatches[0])
        return self._held

    def field(self, params: Players, minibatch: int = 0, players: Sequence[str] = BOTH) -> Players:
        """Returns the downhill slopes at `params` on a minibatch, averaged over replicas."""
        measured = self._penalties.measured(tuple(players))
        evaluation = self._evaluation(params, self._minibatches[minibatch], measured)
        for name, loss in zip(BOTH, evaluation.losses, strict=True):
            if loss is not None and name in players:
                self._losses.setdefault(name, loss)
        slopes = self._averaged(evaluation)
        paid = self._penalties.evaluated(params, self._minibatches[minibatch], slopes, players)
        if self._watch:
            self._watch.evaluated(
                minibatch, self._minibatches[minibatch].reals, evaluation, slopes, paid
            )
        return paid

    def update(self, params: Players, slopes: Players) -> Players:
        """Returns where the players' optimizers take them from `params`."""
        paid = self._penalties.moved(slopes)
        if self._watch:
            self._watch.paid(slopes, paid)
        return self._applied(self._optimizers, params, paid)

    def extrapolate(self, params: Players, slopes: Players) -> Players:
        """Returns the trial point that the players' optimizers for trial steps reach."""
        return self._applied(self._extrapolation_optimizers, params, slopes)

    def slopes(self, params: Players, batch: Batch, players: Sequence[str]) -> Players:
        """Returns slopes of the losses alone, for slope penalties, averaged over replicas."""
        found = self._evaluation(params, batch.without_penalties(), tuple(players)).slopes
        return distribution.average(found, self._share)

    def pulled_back(
        self, params: Players, batch: Batch, cotangents: Players, payers: Sequence[str]
    ) -> Players:
        """Returns cotangents pulled back through the losses' field, averaged over replicas."""
        pulled = self._pull(params, batch.without_penalties(), cotangents, tuple(payers))
        return distribution.average(pulled, self._share)

    def finish(self, params: Players) -> None:
        """Makes the networks' variables hold the scheme's answer, and checks that all was paid."""
        self._penalties.check_paid()
        self.write(params)
        if self._watch:
            self._watch.finished(params, self.state_after)

    def write(self, params: Players) -> None:
        """Makes the networks' variables hold `params`, where they do not hold them already."""
        for variables, values, held in zip(self._variables, params, self._held, strict=True):
            if values is not held:
                distribution.write(variables, values)
        self._held = params

    def _averaged(self, evaluation: Evaluation) -> Players:
        """Returns the slopes, averaged over replicas; notes what only first evaluations tell."""
        former = self._paid or (None,) * len(evaluation.paid)
        news = [n if f is None else None for n, f in zip(evaluation.paid, former, strict=True)]
        state = evaluation.state if self._state_after is None else None
        slopes, state, news = distribution.average((evaluation.slopes, state, news), self._share)
        self._paid = tuple(n if f is None else f for n, f in zip(news, former, strict=True))
        if self._state_after is None:
            self._state_after = state
        return slopes

    def _evaluation(self, params: Players, batch: Batch, players: tuple[str, ...]) -> Evaluation:
        """Returns the field's evaluation; of each player's own fakes where they differ."""
        field = self._functions.field
        if "generator" not in players or not self._selection.alone:
            evaluation = field(params, self._state, self._weighed(params, batch, players), players)
            self._selection.note(batch, evaluation)
            return evaluation
        whole = None
        if "discriminator" in players:
            whole = field(params, self._state, batch, ("discriminator",))
            self._selection.note(batch, whole)
        own = field(params, self._state, self._selection.kept(params, batch), ("generator",))
        if whole is None:
            return own
        return whole._replace(
            slopes=whole.slopes._replace(generator=own.slopes.generator),
            losses=whole.losses._replace(generator=own.losses.generator),
        )

    def _pull(
        self, params: Players, batch: Batch, cotangents: Players, payers: tuple[str, ...]
    ) -> Players:
        """Returns cotangents pulled back; each player's through its own fakes where they differ."""
        pull = self._functions.pulled_back
        if cotangents.generator is None or not self._selection.alone:
            batch = self._weighed(params, batch, BOTH)
            return pull(params, self._state, batch, cotangents, payers)
        own = self._selection.kept(params, batch)
        pulled = pull(params, self._state, own, cotangents._replace(discriminator=None), payers)
        if cotangents.discriminator is None:
            return pulled
        others = cotangents._replace(generator=None)
        rest = pull(params, self._state, batch, others, payers)
        return tf.nest.map_structure(lambda a, b: None if a is None else a + b, pulled, rest)

    def _weighed(self, params: Players, batch: Batch, players: Sequence[str]) -> Batch:
        return self._selection.weighed(params, batch) if "generator" in players else batch

    def _applied(self, optimizers: Players, params: Players, slopes: Players) -> Players:
        self.write(params)
        for name, own, optimizer in zip(BOTH, slopes, optimizers, strict=True):
            if own is not None:
                variables = getattr(self._variables, name)
                distribution.apply(optimizer, variables, own)
                self._held = self._held._replace(**{name: distribution.read(variables)})
                if self._watch:
                    self._watch.moved(name, getattr(self._held, name))
        return self._held
