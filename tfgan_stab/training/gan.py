"""The model: a pair of networks that trains as a GAN through `fit`."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils import random, validation
from tfgan_stab._utils.progress import Clock
from tfgan_stab.data.latents import as_sampler
from tfgan_stab.game import losses
from tfgan_stab.game.augmentation import PROBABILITY, Adaptive, Augmentation, check_augmentation
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.penalties.base import (
    LossPenalty,
    WeightGradientPenalty,
    check_names,
    check_penalties,
    loss_penalties,
    names_of,
)
from tfgan_stab.game.penalties.weight_gradient import check_placements
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.game.top_k import TopK, check_top_k
from tfgan_stab.game.validation import check_pair
from tfgan_stab.training import distribution, label_checks, minibatches, workers, xla
from tfgan_stab.training.averaging.averaged_weights import AveragedWeights, build_averages
from tfgan_stab.training.averaging.batch_statistics import Recalibration
from tfgan_stab.training.averaging.rules import Average, check_averages
from tfgan_stab.training.averaging.swap import LIVE, WeightsInUse
from tfgan_stab.training.distribution import StoredTensors
from tfgan_stab.training.fit import KerasWorkflows
from tfgan_stab.training.fit_checks import FOR_COMPILE, FOR_GAN, check_networks
from tfgan_stab.training.iterators import KeptIterators
from tfgan_stab.training.nan_monitor import LOGGED, DiagnosticsSettings, Monitor
from tfgan_stab.training.optimizers import PairOfOptimizers, check_optimizers
from tfgan_stab.training.sampling import Sampling
from tfgan_stab.training.steps_per_execution import checked_steps
from tfgan_stab.training.train_step import (
    ACCURACIES,
    Counters,
    RollbackState,
    StepResult,
    TrainState,
    TrainStep,
    accuracies,
)
from tfgan_stab.updates.alternating import Alternating
from tfgan_stab.updates.scheme import Scheme, check_scheme


@keras.saving.register_keras_serializable("tfgan_stab")
class GAN(KerasWorkflows, Sampling, PairOfOptimizers):
    """A generator and a discriminator that train each other through `fit`.

    Each step takes a batch, draws noise, lets the update scheme integrate the vector field of the
    two losses, and updates the averages with the new weights.

    Args:
        generator: Keras model from latents `[batch, size]` to examples `[batch, ...]`, images as
            float `[batch, height, width, channels]` in [-1, 1].
        discriminator: Keras model from examples to logits `[batch, ...]`, larger for more real.
        latents: Size of N(0, I) noise, an integer, or a sampler of `tgs.data.latents`; 0 for a
            generator that takes a condition alone.
        num_classes: Classes, an integer, where a second input takes classes: int32 `[batch]`, or
            one-hot `[batch, num_classes]`, which networks of one input get joined to it. Samples
            are of all classes in turn unless asked otherwise. `fit` fills it in from `tgs.data`.
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

    @validation.known_arguments("GAN", FOR_GAN)
    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        latents: Any = 128,
        num_classes: int | None = None,
        name: str = "gan",
    ):
        super().__init__(name=name)
        check_networks(Players(generator, discriminator))
        with self.distribute_strategy.scope():
            self.pair = check_pair(generator, discriminator, latents, num_classes)
        self.generator = generator
        self.discriminator = discriminator
        self.latents = as_sampler(latents)
        self.num_classes = num_classes
        self._counters = Counters(*(self._counter(n) for n in ("steps", "images_seen", "epochs")))
        self.clock = Clock()
        self.iterators = KeptIterators()
        self.watchdog = workers.Watchdog()
        self.data_metadata: dict[str, Any] | None = None
        self.listeners: list[Callable[[Any], None]] = []
        # Keras tracks what is put into these two, and what is taken out no more.
        self._averages: dict[str, AveragedWeights] = {}
        self._scheme_memory: dict[str, StoredTensors] = {}
        self.weights_in_use = WeightsInUse(self.networks, self._averages)
        self.generate = tf.function(self._generated, autograph=False)
        self.built = True

    def _counter(self, name: str) -> keras.Variable:
        return self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name=name
        )

    # -- Settings ---------------------------------------------------------------------------------

    @validation.known_arguments("compile", FOR_COMPILE)
    def compile(
        self,
        generator_optimizer: Any,
        discriminator_optimizer: Any,
        loss: Any = "non_saturating",
        scheme: Scheme | None = None,
        penalties: Sequence[LossPenalty | WeightGradientPenalty] | None = None,
        top_k: TopK | None = None,
        averages: dict[str, Average] | None = None,
        augment: Augmentation | None = None,
        fake_labels: str | Callable[..., tf.Tensor] | None = None,
        jit_compile: bool | str = "auto",
        seed: int = 0,
        check_derivatives: bool = True,
        run_eagerly: bool = False,
        steps_per_execution: int | str = "auto",
        deterministic: bool = False,
    ) -> None:
        """Chooses how to train; builds both optimizers and sets the steps to 0.

        Args:
            generator_optimizer: A Keras optimizer for the generator, or its name. A learning-rate
                schedule counts steps.
            discriminator_optimizer: One for the discriminator, a separate instance. Two learning
                rates make TTUR.
            loss: A name of `tgs.game.losses`, an `AdversarialLoss`, or your own pair of functions.
            scheme: How the players are updated; `tgs.Alternating()` unless given.
            penalties: Regularisers to add, such as `[tgs.R1(10.0)]`. Logs show the value of each,
                weight included.
            top_k: Lets the generator learn from the most real of its fakes only, such as
                `tgs.TopK(decay=0.99, every=2000, floor=0.75)`. Logs show k.
            averages: Averages of the weights by name, such as
                `{"ema": tgs.ExponentialAverage(0.999), "mean": tgs.UniformAverage(start=1000)}`.
            augment: Changes what the discriminator sees, for small data sets, such as
                `tgs.augment.Adaptive(target=0.6)`; logs then show `augmentation_probability`.
            fake_labels: The classes that fakes are made and judged for: `None` for those of the
                reals; "uniform" for all classes alike; or a function `(count, seed) -> classes`,
                integers `[count]` that operations of TensorFlow make of `seed`, two integers.
            jit_compile: `True`, `False`, or "auto" to use XLA where it is possible and faster; on
                a CPU `fit` compares both on its first batch, unless the run is so short that this
                would not pay. `gan.compilation` says what was chosen and why.
            seed: Decides all noise, an integer. The data have a seed of their own.
            check_derivatives: Whether `fit` compares each penalty's derivative with a finite
                difference before it trains: some layers' second derivatives are silently wrong.
            run_eagerly: Whether to run without graphs, for debugging.
            steps_per_execution: Steps per call from Python, an integer >= 1, or "auto" for as many
                as take about 50 ms; one, where a callback needs every step.
            deterministic: Whether operations of this process use forms that repeat bit for bit on
                GPUs, which are slower; for all of a run, give scripts `--deterministic`.

        Raises:
            TypeError: If an argument is of a wrong kind.
            ValueError: If an argument is out of range, or an optimizer is used for both players.
        """
        given = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if validation.choice("deterministic", deterministic, (True, False)):
            xla.use_deterministic_operations(validation.seed(seed))
        self.weights_in_use.switch(LIVE)
        self.loss_pair = losses.get(loss)
        self.scheme = check_scheme(Alternating() if scheme is None else scheme)
        self.penalties = check_penalties(penalties, self.pair.example_shape)
        check_placements(self.penalties, self.scheme.first_weight)
        classes = label_checks.known_classes(self.networks, self.num_classes)
        self.fake_labels = fake_labels
        draw = label_checks.fake_label_sampler(
            fake_labels, self.pair.condition, classes, self.loss_pair, self.penalties
        )
        self.top_k = check_top_k(top_k, self.loss_pair)
        self.augment = check_augmentation(augment, self.pair.example_shape, self.loss_pair)
        self.check_derivatives = check_derivatives
        self.derivatives_checked = False
        rules = check_averages(averages)
        self.seed = validation.seed(seed)
        self._build_optimizers(check_optimizers(generator_optimizer, discriminator_optimizer))
        self._build_state(rules)
        self._build_metrics()
        self.steps_at_once = checked_steps(steps_per_execution)
        self._build_functions(classes, draw, jit_compile, run_eagerly)
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            steps_per_execution=self.steps_at_once or 1,
            jit_compile=self.compilation.scope == "step",
        )
        self._compile_settings = given | {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "loss": losses.name_or_pair(loss),
            "scheme": self.scheme,
            "penalties": list(self.penalties),
            "averages": rules,
        }
        self.start_over()

    def _build_state(self, rules: dict[str, Average]) -> None:
        recalibration = functools.partial(
            Recalibration,
            self.networks,
            self.pair.condition,
            self.num_classes,
            self.latents,
            self.seed,
        )
        with self.distribute_strategy.scope():
            self._averages.clear()
            self._averages.update(
                build_averages(
                    rules, self.networks, self.scheme.synchronization_period, recalibration
                )
            )
            self._scheme_memory.clear()
            state = self.scheme.init(Players(*map(distribution.read, self._variables)))
            if tf.nest.flatten(state):
                self._scheme_memory["state"] = StoredTensors(state, "scheme_state")
            if isinstance(self.augment, Adaptive):
                memory = StoredTensors(self.augment.init(), "augmentation_state")
                self._scheme_memory["augmentation"] = memory
        self.weights_in_use = WeightsInUse(self.networks, self._averages)
        own = self._counters, self._scheme_memory, self._averages, self.augment
        self.train_state = TrainState(self.networks, self.scheme, *own)

    def _build_metrics(self) -> None:
        self.loss_means = Players(*(keras.metrics.Mean(f"{player}_loss") for player in BOTH))
        terms = loss_penalties(self.penalties)
        names = names_of([*terms, *(each for each in self.penalties if each not in terms)])
        check_names(names, LOGGED)
        self.penalty_means = [keras.metrics.Mean(name) for name in names]
        adaptive = isinstance(self.augment, Adaptive)
        names = [*(["top_k"] if self.top_k else []), *([PROBABILITY] if adaptive else [])]
        self.setting_means = [keras.metrics.Mean(name) for name in names]
        known = () if self.loss_pair.boundary is None else ACCURACIES
        self.accuracy_means = [keras.metrics.Mean(name) for name in known]
        self.monitor: Monitor | None = None

    def build_monitor(self, diagnostics: DiagnosticsSettings | None) -> Monitor:
        """Returns what watches the steps of this model."""
        watched = self.networks, self.scheme, self.penalties, self._counters.steps
        return Monitor(*watched, self.distribute_strategy, diagnostics)

    def _build_functions(
        self, classes: int | None, draw: Any, jit_compile: bool | str, run_eagerly: bool
    ) -> None:
        terms = loss_penalties(self.penalties)
        self.maker = minibatches.MinibatchMaker(
            self.pair,
            self.scheme,
            self.latents,
            terms,
            self.top_k,
            self.seed,
            classes=classes,
            augment=self.augment,
            fake_labels=draw,
        )
        self.game = GameGradients(self.networks, self.loss_pair, terms, self.augment)
        self.too_short = 0
        chosen = xla.choose_compilation(
            jit_compile,
            xla.step_without_scheme(self.game, self.maker, self.penalties),
            xla.example_arguments(self.networks, self.maker),
            self.networks,
            self.distribute_strategy.num_replicas_in_sync,
            self.scheme.evaluations,
            run_eagerly,
        )
        graphs = functools.partial(xla.compile_functions, self.game, run_eagerly=run_eagerly)
        self._graphs = {scope: graphs(scope) for scope in ("off", "field")}
        self.use_compilation(chosen)

    def start_over(self) -> None:
        """Sets the steps to 0; averages and scheme start from the weights as they are."""
        self.train_state.reset()
        self.rollback_state = RollbackState()

    # -- Training ---------------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes one step: one update of the generator and all that comes before it."""
        if self.maker.is_undecided:  # In a loop of a user's own.
            kinds = self.kinds_of_steps
            return kinds.take_next(kinds.each(self.train_step), data)
        data = self.maker.checked_for_step(data)
        # Data that end unannounced must end the step before it counts, not after.
        arrived = [tensor for tensor in tf.nest.flatten(data) if tensor is not None]
        with tf.control_dependencies(arrived):
            steps, epochs = self.train_state.steps, self.train_state.epochs
            probability = self.train_state.augmentation_probability
            game = TrainStep(
                self._functions,
                self.penalties,
                self.scheme.first_weight,
                self._variables,
                self.optimizers,
                self.optimizers_for_extrapolation,
                self.maker.make(data, steps, epochs, probability),
                self._state,
                self.top_k is not None and self.top_k.scope == "global",
            )
            params, state = self.scheme.step(game, game.start, self.train_state.scheme_state)
            result = game.finish(params)
            found = accuracies(result, self.loss_pair)
            self.train_state.commit(result, state, found, self.compilation.scope == "field")
            if self.monitor is not None:
                self.monitor.observe(result, data)
            used = self.maker.k(result.images // self.scheme.data_minibatches, steps, epochs)
            used += [probability] if isinstance(self.augment, Adaptive) else []
            self._update_metrics(result, used, found)
            return self.get_metrics_result()

    def _update_metrics(self, result: StepResult, used: list, found: list) -> None:
        means = [*self.loss_means, *self.penalty_means, *self.setting_means, *self.accuracy_means]
        values = [*result.losses, *result.penalty_values, *used, *found]
        for mean, value in zip(means, values, strict=True):
            if value is not None:
                mean.update_state(value)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Returns both players' losses in inference mode."""
        images, labels = minibatches.unpack(self.maker.checked(data), self.pair)
        seen = tf.cast(self.loss_means.generator.count.value, tf.int32)
        latents = self.maker.latents(images, random.TESTING, seen)
        own = self.maker.labels_for_fake_images(images, random.TESTING, seen)
        minibatch = Minibatch(images, labels, latents, fake_labels=own)
        params = Players(*map(distribution.read, self._variables))
        both = self.game.losses(params, self._state, minibatch)
        share, _ = distribution.rows_of(images)
        for mean, loss in zip(self.loss_means, both, strict=True):
            mean.update_state(distribution.weighted(loss, share))
        return distribution.as_logs(self.loss_means)

    # -- What is known of the run -----------------------------------------------------------------

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means over an epoch: losses, penalties, k, accuracies, and what is monitored."""
        if not self.compiled:
            return []
        others = [*self.accuracy_means, *(self.monitor.means.values() if self.monitor else ())]
        return [*self.loss_means, *self.penalty_means, *self.setting_means, *others]

    @property
    def networks(self) -> Players:
        """Both networks."""
        return Players(self.generator, self.discriminator)

    @property
    def optimizers(self) -> Players:
        """Both players' optimizers."""
        return Players(self.generator_optimizer, self.discriminator_optimizer)

    @property
    def optimizers_for_extrapolation(self) -> Players:
        """The optimizers that take trial steps: the players' own, unless the scheme separates."""
        # Keras saves what it finds first, by the alphabet: this name must come after
        # `generator_optimizer`, under which files hold that optimizer.
        if self.generator_extrapolation_optimizer is None:
            return self.optimizers
        return Players(
            self.generator_extrapolation_optimizer, self.discriminator_extrapolation_optimizer
        )

    @property
    def _variables(self) -> Players:
        return Players(*(network.trainable_variables for network in self.networks))

    @property
    def _state(self) -> Players:
        return Players(*(distribution.read(n.non_trainable_variables) for n in self.networks))
