"""The model: a pair of networks that trains as a GAN through `fit`."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.data.latents import as_sampler
from tfgan_stab.game import losses
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.penalties.base import (
    LossPenalty,
    SlopePenalty,
    check_penalties,
    check_placements,
    loss_penalties,
    names_of,
    slope_penalties,
)
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.game.top_k import TopK, check_selection
from tfgan_stab.game.validation import check_pair
from tfgan_stab.training import distribution, minibatches
from tfgan_stab.training.averaging import averaged_weights
from tfgan_stab.training.averaging.averaged_weights import AveragedWeights
from tfgan_stab.training.averaging.rules import WeightsRule, check_averages
from tfgan_stab.training.averaging.swap import LIVE, WeightsInUse
from tfgan_stab.training.clock import Clock
from tfgan_stab.training.compile import assembled
from tfgan_stab.training.distribution import StoredTensors
from tfgan_stab.training.minibatches import Equipment, own_rows
from tfgan_stab.training.optimizers import checked_optimizers, checked_seed, copied, count_steps
from tfgan_stab.training.penalizing import StepPenalties
from tfgan_stab.training.resume import Setbacks
from tfgan_stab.training.sampling import Sampling
from tfgan_stab.training.selecting import StepSelection
from tfgan_stab.training.train_step import TrainStep
from tfgan_stab.training.workflows import KerasWorkflows
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.scheme import Scheme, check_scheme, first_weight, separate_extrapolation


@keras.saving.register_keras_serializable("tfgan_stab")
class GAN(KerasWorkflows, Sampling):
    """A generator and a discriminator that train each other through `fit`.

    Each step reads a batch, draws noise, lets the update scheme move both players through the
    vector field of their losses, and takes the new weights into the averages.

    Args:
        generator: Keras model from latents `[batch, size]` to examples `[batch, ...]`, images as
            float `[batch, height, width, channels]` in [-1, 1].
        discriminator: Keras model from examples to logits `[batch, ...]`, larger for more real.
        latents: Size of N(0, I) noise, an integer, or a sampler of `tgs.data.latents`.
        num_classes: Classes to sample from when no labels are given, an integer; only for networks
            that take int32 labels `[batch]` as a second input. `fit` fills it in from `tgs.data`.
        name: The model's name.

    Raises:
        TypeError: If a network is no Keras model.
        ValueError: If the networks do not fit each other.

    Example:
        >>> import keras, numpy as np, tfgan_stab as tgs
        >>> gan = tgs.GAN(
        ...     generator=keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]),
        ...     discriminator=keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
        ...     latents=2,
        ... )
        >>> gan.compile(
        ...     generator_optimizer=keras.optimizers.Adam(1e-4),
        ...     discriminator_optimizer=keras.optimizers.Adam(4e-4),
        ... )
        >>> history = gan.fit(np.ones([64, 2], "float32"), batch_size=32, verbose=0)
        >>> gan.steps
        2

    Source: Goodfellow et al. 2014, arXiv 1406.2661.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        latents: Any = 128,
        num_classes: int | None = None,
        name: str = "gan",
    ):
        super().__init__(name=name)
        with self.distribute_strategy.scope():
            self.pair = check_pair(generator, discriminator, latents, num_classes)
        self.generator = generator
        self.discriminator = discriminator
        self.latents = as_sampler(latents)
        self.num_classes = num_classes
        self._step_counter = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="steps"
        )
        self._image_counter = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="images_seen"
        )
        self._epoch_counter = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="epochs"
        )
        self.clock = Clock()
        self.data_metadata: dict[str, Any] | None = None
        self.listeners: list[Callable[[Any], None]] = []
        # Keras tracks what is put into these two, and what is taken out no more.
        self._averages: dict[str, AveragedWeights] = {}
        self._scheme_memory: dict[str, StoredTensors] = {}
        self.weights_in_use = WeightsInUse(self.networks, self._averages)
        self.generate = tf.function(self._generated, autograph=False)
        self.built = True

    # -- Settings ---------------------------------------------------------------------------------

    def compile(
        self,
        generator_optimizer: Any,
        discriminator_optimizer: Any,
        loss: Any = "non_saturating",
        scheme: Scheme | None = None,
        penalties: Sequence[LossPenalty | SlopePenalty] | None = None,
        top_k: TopK | None = None,
        averages: dict[str, WeightsRule] | None = None,
        jit_compile: bool | str = "auto",
        seed: int = 0,
        check_derivatives: bool = True,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
    ) -> None:
        """Chooses how the players move; builds both optimizers and starts counting steps at 0.

        Args:
            generator_optimizer: A Keras optimizer or its name. Its learning rate is the paper's a;
                a schedule counts steps.
            discriminator_optimizer: Another one; the paper's b. Two rates make TTUR.
            loss: A name of `tgs.game.losses`, an `AdversarialLoss`, or your own pair of functions.
            scheme: How the players move; `tgs.Alternating()` unless given.
            penalties: What they pay beside their losses, such as `[tgs.R1(10.0)]`. Logs show what
                each comes to, weight included.
            top_k: Lets the generator learn from the most real of its fakes only, such as
                `tgs.TopK(decay=0.99, every=2000, floor=0.75)`. Logs show k.
            averages: Averages of the weights by name, such as
                `{"ema": tgs.ExponentialAverage(0.999), "mean": tgs.UniformAverage(start=1000)}`.
            jit_compile: `True`, `False`, or "auto" to use XLA where the networks allow it.
                `gan.compilation` says what was chosen and why.
            seed: Decides all noise, an integer. The data have a seed of their own.
            check_derivatives: Whether `fit` compares each penalty's derivative with a finite
                difference before it trains: some layers' second derivatives are silently wrong.
            run_eagerly: Whether to run without graphs, for debugging.
            steps_per_execution: Steps per call from Python, an integer >= 1.

        Raises:
            TypeError: If an argument is of a wrong kind.
            ValueError: If an argument is out of range, or an optimizer is used for both players.
        """
        self.weights_in_use.switch(LIVE)
        self.loss_pair = losses.get(loss)
        self.scheme = check_scheme(Alternating() if scheme is None else scheme)
        self.penalties = check_penalties(penalties, self.pair.example_shape)
        check_placements(slope_penalties(self.penalties), first_weight(self.scheme))
        self.top_k = check_selection(
            top_k, self.loss_pair, self.penalties, self.networks, self.pair.conditional
        )
        self.check_derivatives = check_derivatives
        self.derivatives_checked = False
        rules = check_averages(averages)
        self.seed = checked_seed(seed)
        optimizers = checked_optimizers(generator_optimizer, discriminator_optimizer)
        self.generator_optimizer, self.discriminator_optimizer = optimizers
        with self.distribute_strategy.scope():
            looks = Players(
                *(copied(o) if separate_extrapolation(self.scheme) else None for o in optimizers)
            )
            self.generator_extrapolation_optimizer: Any = looks.generator
            self.discriminator_extrapolation_optimizer: Any = looks.discriminator
            for players in [optimizers, looks] if looks.generator else [optimizers]:
                for optimizer, variables in zip(players, self._variables, strict=True):
                    optimizer.build(variables)
                    distribution.adopt(optimizer)
                    count_steps(optimizer, self._step_counter)
            self._averages.clear()
            self._averages.update(averaged_weights.built(self, rules))
            params = Players(*map(distribution.read, self._variables))
            self._scheme_memory.clear()
            remembered = self.scheme.init(params)
            if tf.nest.flatten(remembered):
                self._scheme_memory["state"] = StoredTensors(remembered, "scheme_state")
        self.weights_in_use = WeightsInUse(self.networks, self._averages)
        self.loss_means = Players(*(keras.metrics.Mean(f"{player}_loss") for player in BOTH))
        self.equipment = Equipment(loss_penalties(self.penalties), self.top_k, self.seed)
        paid = [*loss_penalties(self.penalties), *slope_penalties(self.penalties)]
        self.penalty_means = [keras.metrics.Mean(name) for name in names_of(paid)]
        self.top_k_means = [keras.metrics.Mean("top_k")] if self.top_k else []
        self.monitor: Any = None
        self.adversarial, self.compilation, self._functions = assembled(
            self, jit_compile, run_eagerly
        )
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=self.compilation.scope == "step",
        )
        self._compile_settings = {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "loss": losses.name_or_pair(loss),
            "scheme": self.scheme,
            "penalties": list(self.penalties),
            "top_k": self.top_k,
            "averages": rules,
            "jit_compile": jit_compile,
            "seed": seed,
            "check_derivatives": check_derivatives,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
        }
        self.start_over()

    def start_over(self) -> None:
        """Sets the steps to 0; averages and scheme start from the weights as they are."""
        averaged_weights.start(self._averages, self.networks)
        params = Players(*map(distribution.read, self._variables))
        self._remember(self.scheme.init(params))
        counters = [self._step_counter, self._image_counter, self._epoch_counter]
        distribution.write(counters, [0, 0, 0])
        self.setbacks = Setbacks()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means over an epoch: losses, what is paid beside them, k, and what is watched."""
        if not self.compiled:
            return []
        watched = [] if self.monitor is None else self.monitor.means.values()
        return [*self.loss_means, *self.penalty_means, *self.top_k_means, *watched]

    @property
    def steps(self) -> int:
        """Steps done since `compile`."""
        return distribution.number(self._step_counter)

    @property
    def epochs(self) -> int:
        """Whole epochs of `fit` done since `compile`."""
        return distribution.number(self._epoch_counter)

    @epochs.setter
    def epochs(self, count: int) -> None:
        """Notes how many are done; `fit` does so by itself, loops of your own must."""
        distribution.write([self._epoch_counter], [count])

    @property
    def steps_played(self) -> int:
        """Steps played since `compile`, those that rollbacks have undone included."""
        return self.steps + self.setbacks.steps_lost

    @property
    def images_seen(self) -> int:
        """Real examples that all replicas have seen since `compile`."""
        return distribution.number(self._image_counter)

    @property
    def precision(self) -> list[str]:
        """The networks' dtype policies."""
        return sorted({network.dtype_policy.name for network in self.networks})

    @property
    def averages(self) -> dict[str, WeightsRule]:
        """The rules of the averages, by name."""
        return {name: average.average for name, average in self._averages.items()}

    @property
    def average_periods(self) -> dict[str, int]:
        """Steps from one update of an average to the next, by name."""
        return {name: average.period for name, average in self._averages.items()}

    @property
    def optimizers(self) -> Players:
        """Both players' optimizers."""
        return Players(self.generator_optimizer, self.discriminator_optimizer)

    @property
    def extrapolation_optimizers(self) -> Players:
        """The optimizers that take trial steps: the players' own, unless the scheme separates."""
        if not separate_extrapolation(self.scheme):
            return self.optimizers
        return Players(
            self.generator_extrapolation_optimizer, self.discriminator_extrapolation_optimizer
        )

    # -- Training ---------------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Plays one step: one update of the generator and all that comes before it."""
        # Data that end unannounced must end the step before it counts, not after.
        arrived = [minibatch for minibatch in tf.nest.flatten(data) if minibatch is not None]
        with tf.control_dependencies(arrived):
            return self._played(data)

    def _played(self, data: Any) -> dict[str, tf.Tensor]:
        reals, labels = minibatches.unpacked(data, self.pair)
        steps = tf.convert_to_tensor(self._step_counter.value)
        epochs = tf.convert_to_tensor(self._epoch_counter.value)
        batches = [
            self.equipment.given_to(minibatch, number, steps, epochs)
            for number, minibatch in enumerate(
                minibatches.split(reals, labels, self.scheme, self.draw, steps)
            )
        ]
        game = TrainStep(
            self._functions,
            StepPenalties(self.penalties, first_weight(self.scheme)),
            self._variables,
            self.optimizers,
            self.extrapolation_optimizers,
            batches,
            self._state,
            StepSelection(self.top_k, self.loss_pair.larger_is_real, self._functions, self._state),
            self.monitor,
        )
        params = game.start()
        params, scheme_state = self.scheme.step(game, params, self._remembered(params))
        self._commit(game, params, scheme_state)
        seen = tf.convert_to_tensor(self._image_counter.value) + game.rows
        distribution.write([self._image_counter], [seen])
        for mean, loss in zip(self.loss_means, game.losses, strict=True):
            if loss is not None:
                mean.update_state(loss)
        k = self.equipment.k(game.rows // self.scheme.minibatches, steps, epochs)
        others = zip(self.penalty_means + self.top_k_means, game.penalty_values + k, strict=True)
        for mean, value in others:
            if value is not None:
                mean.update_state(value)
        return self.get_metrics_result()

    def _commit(self, game: TrainStep, params: Players, scheme_state: Any) -> None:
        game.finish(params)
        for network, state in zip(self.networks, game.state_after, strict=True):
            distribution.write(network.non_trainable_variables, state)
        self._remember(scheme_state)
        steps = tf.convert_to_tensor(self._step_counter.value) + 1
        distribution.write([self._step_counter], [steps])
        compiled = self.compilation.scope == "field"
        averaged_weights.follow(self._averages, self.networks, steps, game.rows, compiled)

    def _remembered(self, params: Players) -> Any:
        """Returns what the scheme remembers; what has no tensors in it is not kept but made."""
        memory = self._scheme_memory.get("state")
        return self.scheme.init(params) if memory is None else memory.read()

    def _remember(self, scheme_state: Any) -> None:
        for memory in self._scheme_memory.values():
            memory.write(scheme_state)

    def draw(self, count: Any, *counters: Any) -> tf.Tensor:
        """Returns this replica's rows of the latents that belong to a path of counters."""
        return own_rows(self.latents, count, random.key(self.seed, *counters))

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Returns both players' losses in inference mode."""
        reals, labels = minibatches.unpacked(data, self.pair)
        seen = tf.cast(self.loss_means.generator.count.value, tf.int32)
        latents = self.draw(tf.shape(reals)[0], random.TESTING, seen)
        params = Players(*map(distribution.read, self._variables))
        both = self.adversarial.losses(params, self._state, Batch(reals, labels, latents))
        share, _ = distribution.rows_of(reals)
        for mean, loss in zip(self.loss_means, both, strict=True):
            mean.update_state(distribution.weighted(loss, share))
        return {mean.name: mean.result() for mean in self.loss_means}

    @property
    def networks(self) -> Players:
        """Both networks."""
        return Players(self.generator, self.discriminator)

    @property
    def _variables(self) -> Players:
        return Players(*(network.trainable_variables for network in self.networks))

    @property
    def _state(self) -> Players:
        return Players(*(distribution.read(n.non_trainable_variables) for n in self.networks))

    def publish(self, event: Any) -> None:
        """Calls the listeners (a run's log, say) with an event, such as a score."""
        for listener in list(self.listeners):
            listener(event)
