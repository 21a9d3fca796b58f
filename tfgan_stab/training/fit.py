"""What a Keras user calls: `fit`, `evaluate`, `predict`, with what a GAN needs added."""

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.progress import Clock
from tfgan_stab.data.batches import Batches
from tfgan_stab.game.players import Players
from tfgan_stab.training import data_checks, label_checks, workers
from tfgan_stab.training.averaging.averaged_weights import AveragedWeights
from tfgan_stab.training.averaging.swap import LIVE, WeightsInUse
from tfgan_stab.training.distribution import spread
from tfgan_stab.training.epoch_lines import lines_for
from tfgan_stab.training.execution import ExecutedSteps
from tfgan_stab.training.fit_checks import (
    UNREADABLE,
    CheckFloor,
    CountEpochs,
    check_data,
    check_files,
    in_order,
    listed,
    one_pass,
)
from tfgan_stab.training.gradient_check import check_gradients
from tfgan_stab.training.headline import Described, planned_steps
from tfgan_stab.training.iterators import destroy
from tfgan_stab.training.minibatches import check_batch
from tfgan_stab.training.nan_monitor import DiagnosticsSettings, Monitor, watchers_among
from tfgan_stab.training.optimizers import (
    TwoOptimizers,
    check_trained,
    trained,
    warn_of_lost_training,
)
from tfgan_stab.training.resume import (
    Progress,
    callbacks_of_one_training,
    data_from,
    finish_epoch,
    num_batches,
    released,
    resume_from,
)
from tfgan_stab.training.saving import Saving
from tfgan_stab.training.train_step import Counters, RollbackState


class KerasWorkflows(ExecutedSteps, Saving, Described):
    """Keras' own workflows on a pair of networks whose weights can be swapped."""

    generator: keras.Model
    discriminator: keras.Model
    latents: Any
    num_classes: int | None
    check_derivatives: bool
    derivatives_checked: bool
    weights_in_use: WeightsInUse
    loss_means: Players
    clock: Clock
    listeners: list[Callable[[Any], None]]
    data_metadata: dict[str, Any] | None
    start_over: Callable[[], None]
    rollback_state: RollbackState
    _counters: Counters
    _averages: dict[str, AveragedWeights]
    build_monitor: Callable[[DiagnosticsSettings | None], Monitor]
    scores_now: Callable[..., dict[str, float]]
    optimizer = TwoOptimizers()

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles as Keras does, and notes what each optimizer was built for."""
        if self.steps:
            averages = getattr(self, "_compile_settings", {}).get("averages", {})
            warn_of_lost_training(self.steps, averages)
        super().compile(*args, **kwargs)
        self._trained = trained(self.networks)
        self.weights_in_use.use_shares(self.class_shares)
        self._unseen = frozenset({"batch", "test batch"})
        data_checks.warn_of_sigmoid(self.discriminator, self.loss_pair)

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Returns the generator's examples for latents (and labels): the model's prediction."""
        return self.generator(inputs, training=training)

    def fit(self, x: Any = None, y: Any = None, **kwargs: Any) -> keras.callbacks.History:
        """Trains, as `keras.Model.fit` does; see there for all arguments.

        Args:
            x: A data set of `tgs.data`, a `tf.data.Dataset` of examples or `(examples,
                conditions)`, or an array of examples. A data set of `tgs.data` is endless: an epoch
                is `steps_per_epoch` steps, and one pass over the examples unless given.
            y: Labels or other conditions, if `x` is an array and the networks take some.
            **kwargs: `epochs`, `steps_per_epoch`, `batch_size`, `callbacks`, `verbose`, ... A
                `tgs.callbacks.Checkpoint` among the callbacks is called last and, where its
                directory holds a checkpoint, resumes that run; `epochs` counts from its beginning.

        Returns:
            The history of the epochs trained now.
        """
        if not self.compiled:
            raise ValueError("A GAN must be compiled before `fit`. Call gan.compile(...) first.")
        listeners = list(self.listeners)
        with self._weights_restored(), self.clock.running():
            self.weights_in_use.switch(LIVE)  # Training an average would be undone by a switch.
            try:
                with (
                    released(listed(kwargs.get("callbacks"))),
                    data_checks.plain_errors(),
                    workers.losses_explained(self.distribute_strategy),
                    self.watchdog.running(self.distribute_strategy),
                ):
                    return self._fit(x, y, **kwargs)
            except UNREADABLE as error:
                check_files(x, error)
                raise
            finally:
                # Who began to listen in this training stops with it, should it end in an exception.
                self.listeners = listeners
                # Keras', which holds the validation data; an exception would leave it there.
                destroy([self.__dict__.pop("_eval_epoch_iterator", None)])
                self.iterators.let_go("fit", "test")

    def _fit(
        self,
        x: Any,
        y: Any,
        *,
        epochs: int = 1,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        callbacks: Any = None,
        verbose: Any = "auto",
        **kwargs: Any,
    ) -> keras.callbacks.History:
        strategy = self.distribute_strategy
        verbose = verbose if workers.is_chief(strategy) else 0
        given = workers.of_those_who_write(in_order(callbacks), strategy)
        callbacks = [CountEpochs(), CheckFloor(), *given, *lines_for(verbose)]
        rows = kwargs.get("batch_size")
        for name, count in (("steps_per_epoch", steps_per_epoch), ("batch_size", rows)):
            if count is not None:
                validation.integer(name, count, fix="Use // instead of / to divide.")
        steps = self._epoch_length(x, steps_per_epoch)
        self._check_before_fit(x, y, steps_per_epoch, kwargs)
        check_data(x, rows, self.scheme, self.top_k, self.maker.classes)
        if self.fake_labels == "uniform":
            label_checks.warn_of_classes_without_examples(x, y, self.pair, self.maker.classes)
        self.class_shares = label_checks.class_shares(x, y, self.pair) or self.class_shares
        resumed = self._prepare(x, callbacks, steps, Progress(initial_epoch, 0))
        progress = resumed or Progress(initial_epoch, 0)
        planned = planned_steps(x, steps, rows, epochs)
        self.begin_execution(callbacks, planned, verbose)
        if verbose:
            self.print_headline(planned, x, rows)
        arguments = {"y": y, "callbacks": callbacks, "verbose": verbose, **kwargs}
        if isinstance(x, tf.data.Dataset | Generator):
            arguments["shuffle"] = False  # Keras would only warn that it cannot.
        if kwargs.get("validation_steps") is None:
            arguments.update(one_pass(kwargs.get("validation_data"), "validation_steps"))
        if progress.step_in_epoch and progress.epoch < epochs:
            calls = callbacks_of_one_training(callbacks, self, epochs, steps, verbose)
            callbacks[0].first_step = progress.step_in_epoch
            arguments["callbacks"] = calls
            remaining = self._data_from_now(x, steps_per_epoch, progress.step_in_epoch)
            finish_epoch(super().fit, remaining, steps, progress, arguments)
            progress = Progress(progress.epoch + 1, 0)
            if progress.epoch == epochs or self.stop_training:
                calls.on_train_end()
                return self.history
        ours = isinstance(x, Batches)
        return super().fit(
            x=self._data_from_now(x, steps_per_epoch) if resumed or ours else spread(x, strategy),
            initial_epoch=progress.epoch,
            epochs=epochs,
            steps_per_epoch=steps if ours else steps_per_epoch,
            **arguments,
        )

    def _check_before_fit(self, x: Any, y: Any, steps: int | None, others: dict[str, Any]) -> None:
        """Checks what can be known before the first batch."""
        check_trained(self._trained, self.networks)
        data_checks.check_batch_size(x, others.get("batch_size"))
        data_checks.check_unweighted(others)
        self._check_given("fit", x, y, steps, "steps_per_epoch")
        if others.get("validation_data") is not None:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(others["validation_data"])
            self._check_given("test", x, y, others.get("validation_steps"), "validation_steps")

    def _check_given(self, kind: str, x: Any, y: Any, steps: int | None, name: str) -> None:
        """Checks data as far as they are known, and notes whether their first batch is not."""
        data_checks.check_kind(x, y)
        data_checks.check_end(x, steps, name)
        self._unseen -= {kind}
        if isinstance(x, tf.data.Dataset):
            data_checks.check_elements(x.element_spec, self.pair, check_batch)
        if isinstance(x, np.ndarray | tf.Tensor):
            self.examine((x, y), "`x`")
        elif not isinstance(x, Batches):  # Those were looked at when they were opened.
            self._unseen |= {kind}

    def examine(self, batch: Any, where: str = "the first batch") -> None:
        """Raises where a batch is not what the networks expect, by its values too.

        Args:
            batch: Examples, or `(examples, labels)`; of several replicas too.
            where: What they are called in messages.
        """
        parts = keras.utils.unpack_x_y_sample_weight(batch)
        images, labels, weights = map(data_checks.whole, parts)
        check_batch(images, labels, weights, self.pair)
        label_checks.check_classes(labels, self.maker.classes)
        if isinstance(images, np.ndarray):
            ends_with = data_checks.last_activation(self.generator)
            data_checks.check_values(where, images, ends_with)
        if isinstance(labels, np.ndarray) and labels.dtype.kind == "f":
            data_checks.check_values(f"the conditions of {where}", labels, "")

    def _prepare(
        self, x: Any, callbacks: Sequence[Any], steps: int | None, begin: Progress
    ) -> Progress | None:
        """Resumes a run or starts a new one, and makes the last checks before training."""
        ordered = steps is not None and isinstance(x, tf.data.Dataset)
        resumed = resume_from(callbacks, self, ordered)
        self._check_workers(x, callbacks, steps)
        progress = resumed or begin
        if not self.steps:
            self.start_over()
            self.clock.set(0.0)
        if steps is not None and progress.step_in_epoch >= steps:
            raise ValueError(
                f"`steps_per_epoch` must be larger than {progress.step_in_epoch}: the resumed run "
                f"has taken so many steps of this epoch. Received: {steps}. Use the earlier value."
            )
        self._check_gradients_once()
        self._attach_monitor(callbacks, progress, ordered)
        self.data_metadata = x.description() if isinstance(x, Batches) else None
        if isinstance(x, Batches):
            self.num_classes = self.num_classes or x.num_classes
        self.weights_in_use.use_classes(self.num_classes, self.class_shares)
        return resumed

    def _check_workers(self, x: Any, callbacks: Sequence[Any], steps: int | None) -> None:
        """Checks that all workers begin with the same step, data and settings."""
        if workers.num_workers(self.distribute_strategy) == 1:
            return
        names = ("scheme", "penalties", "top_k", "averages", "augment", "fake_labels", "precision")
        settings = {
            **{name: getattr(self, name) for name in names},
            "loss": self.loss_pair.name,
            "optimizers": [each.get_config() for each in self.optimizers],
            "seed of compile": self.seed,
            "callbacks that watch": [type(each).__name__ for each in watchers_among(callbacks)[0]],
            "steps_per_epoch": steps,
        }
        with self.watchdog:
            workers.check_alike(self.distribute_strategy, self.steps, x, settings)

    def _attach_monitor(self, callbacks: Sequence[Any], progress: Progress, ordered: bool) -> None:
        """Lets the steps be watched if one of the callbacks asks for it, and only then."""
        watchers, wanted = watchers_among(callbacks)
        known = self.monitor.diagnostics if self.monitor else None
        if bool(watchers) != (self.monitor is not None) or known != wanted:
            self.monitor = self.build_monitor(wanted) if watchers else None
            self.train_function = None  # Keras builds another one, which watches or does not.
        if self.monitor is not None:
            self.monitor.reset()
            for watcher in watchers:
                watcher.begin(self.monitor, self.steps_taken, progress, ordered)

    def _data_from_now(self, x: Any, steps_per_epoch: int | None, step_in_epoch: int = 0) -> Any:
        remaining = data_from(
            x, self.steps_taken, self.scheme.data_minibatches, steps_per_epoch, step_in_epoch
        )
        return spread(remaining, self.distribute_strategy)

    def _epoch_length(self, x: Any, steps_per_epoch: int | None) -> int | None:
        if steps_per_epoch is not None or not isinstance(x, Batches):
            return steps_per_epoch or num_batches(x)
        return one_pass(x, "steps_per_epoch", self.scheme.data_minibatches)["steps_per_epoch"]

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        scores: Sequence[Any] = (),
        labels: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Returns both players' losses on the data in inference mode, and the scores asked for.

        Args:
            x: Data as for `fit`; of an endless data set one pass, or `steps` batches.
            y: Labels as for `fit`.
            scores: Scores such as `tgs.FID(...)`, for the weights that the losses are of.
            labels: The conditions of the images that are scored, for a conditional pair; see
                `sample`. Needed unless they are classes.
            **kwargs: `steps`, `batch_size`, `callbacks`, `return_dict`, ..., as in Keras.

        Returns:
            A list in the order losses, scores; a dictionary with `return_dict=True`.
        """
        as_dictionary = kwargs.pop("return_dict", False)
        if kwargs.get("steps") is None:
            kwargs.update(one_pass(x, "steps"))
        measured: dict[str, float] = {}
        if scores:
            # First of all callbacks, so that an average that another one swaps in is still there.
            scoring = keras.callbacks.LambdaCallback(
                on_test_end=lambda logs: measured.update(self.scores_now(scores, labels))
            )
            kwargs["callbacks"] = [scoring, *listed(kwargs.get("callbacks"))]
        if self.compiled and not kwargs.get("_use_cached_eval_dataset"):  # That one is looked at.
            data_checks.check_batch_size(x, kwargs.get("batch_size"))
            data_checks.check_unweighted(kwargs)
            self._check_given("test", x, y, kwargs.get("steps"), "steps")
        try:
            with self._weights_restored(), data_checks.plain_errors():
                found = super().evaluate(x, y, return_dict=True, **kwargs)
        finally:
            self.iterators.let_go("test")
        results = {name: found.pop(name) for name in (m.name for m in self.loss_means)}
        results.update(found, **measured)
        return results if as_dictionary else list(results.values())

    def _check_gradients_once(self) -> None:
        if self.check_derivatives and not self.derivatives_checked:
            check_gradients(self.networks, self.loss_pair, self.penalties, self.maker)
            self.derivatives_checked = True

    def train_on_batch(self, x: Any, y: Any = None, **kwargs: Any) -> Any:
        """Takes one step on a batch, as `keras.Model.train_on_batch`."""
        if self.weights_in_use.current != LIVE:
            raise RuntimeError(
                "Training needs the trained weights in the generator. Received: "
                f"{self.weights_in_use.current!r} in use. Leave the `using` block first."
            )
        if self.compiled and not self.steps:
            self.start_over()  # From weights that may have been set since `compile`.
            self._check_gradients_once()
        self._examine_alone("batch", x, y, kwargs)
        with self.watchdog.running(self.distribute_strategy):
            return super().train_on_batch(x, y, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, **kwargs: Any) -> Any:
        """Returns both players' losses on a batch, as `keras.Model.test_on_batch`."""
        self._examine_alone("test batch", x, y, kwargs)
        return super().test_on_batch(x, y, **kwargs)

    def _examine_alone(self, kind: str, x: Any, y: Any, others: dict[str, Any]) -> None:
        """Looks at all of the first batch that comes alone, then at what costs next to nothing."""
        data_checks.check_kind(x, y)
        data_checks.check_unweighted(others)
        if kind in self._unseen:
            self._unseen -= {kind}
            self.examine((x, y), "the batch")
        elif self.compiled:
            label_checks.check_classes(data_checks.whole(y), self.maker.classes)
            if isinstance(x, np.ndarray):
                ends_with = data_checks.last_activation(self.generator)
                data_checks.check_values("the batch", x, ends_with, warn=False)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """Returns the generator's examples for latents (and labels), as `keras.Model.predict`."""
        with self._weights_restored():
            return super().predict(x, **kwargs)

    def publish(self, event: Any) -> None:
        """Tells the listeners (a run's log, say) of an event, such as a score."""
        for listener in list(self.listeners):
            listener(event)

    @contextlib.contextmanager
    def _weights_restored(self) -> Iterator[None]:
        """Puts back the weights that were in use, should a callback have been kept from it."""
        before = self.weights_in_use.current
        try:
            yield
        finally:
            self.weights_in_use.switch(before)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds nothing: all is built in the constructor and `compile`, and no batch is eaten."""
