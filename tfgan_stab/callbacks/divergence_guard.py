"""Detects divergence in the step where it occurs, and restores the last good state."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.errors import DivergenceError
from tfgan_stab._utils.files import user_path
from tfgan_stab.callbacks.base import GANCallback, TextEvent, usable_directory
from tfgan_stab.callbacks.checkpoint_files import owned_variables, save
from tfgan_stab.training import distribution
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.data_checks import OF_NAN
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.nan_monitor import Fault, Monitor
from tfgan_stab.training.optimizers import rate_scales, set_rate_scales, slow_down
from tfgan_stab.training.resume import Progress


class GoodState:
    """What a checkpoint would hold of a step, and the means of the epoch so far.

    Args:
        gan: The model, between two steps.
        progress: How far the run is.
    """

    def __init__(self, gan: GAN, progress: Progress):
        self._gan = gan
        self._variables = [v for owned in owned_variables(gan).values() for v in owned]
        self._metrics = [v for metric in gan.metrics for v in metric.variables]
        self._rate_scales = rate_scales(gan.optimizers)
        self.progress = progress
        self.step = gan.steps
        self.rollbacks = gan.rollback_state.rollbacks
        with gan.using(LIVE):
            self._values = distribution.read(self._variables)
        self._means = distribution.read(self._metrics)

    @property
    def not_finite(self) -> keras.Variable | None:
        """The first variable that is not finite; `None` if all are."""
        places = [i for i, value in enumerate(self._values) if value.dtype.is_floating]
        finite = [tf.reduce_all(tf.math.is_finite(self._values[i])) for i in places]
        wrong = np.flatnonzero(~tf.stack(finite).numpy())
        return self._variables[places[wrong[0]]] if len(wrong) else None

    def restore(self) -> None:
        """Makes the model, its optimizers and its means what they were."""
        self._gan.weights_in_use.switch(LIVE)
        try:
            self._write()
        except KeyboardInterrupt:
            self._write()  # Half a state is no state: all of it first.
            raise

    def _write(self) -> None:
        distribution.write(self._variables, self._values)
        distribution.write(self._metrics, self._means)
        for optimizers in (self._gan.optimizers, self._gan.optimizers_for_extrapolation):
            set_rate_scales(optimizers, self._rate_scales)


ADVICE = (
    "Use smaller learning rates, a penalty such as tgs.GeneratorGradientNorm(0.02), or clipnorm "
    "in the optimizers."
)


class DivergenceGuard(GANCallback):
    """Checks losses, gradients and weights for NaN and infinity in every step, and acts.

    The first such number is named: whose it is, what it is, of which variable, in which evaluation
    of which step. Gradients and weights with a norm above 1e19 (in float32) count as not finite.
    Then the model gets back the last good state: all that a checkpoint holds, averages and
    optimizers included, as it was at the latest copy (the copy before that, if training fails again
    in the first step after a rollback). Copies are taken every so often, and whenever a
    `Checkpoint` saves, and only of states that are finite. With the policy

    - "stop", that state is saved, and `fit` ends with a `DivergenceError`;
    - "rollback", training goes on from there with both learning rates multiplied by `rate_factor`
      (both, so that their ratio stays); constant rates and schedules alike. What comes next are new
      examples, with the noise of the steps that are taken again. After `max_rollbacks`, counted
      over resumed runs too, the next fault stops as above. A resumed run goes on with the smaller
      rates.

    The guard is called before all other callbacks, wherever it stands in the list, so none of them
    finds numbers that are not finite, and no checkpoint holds them. Steps that a rollback undoes
    still count as taken: epochs do not grow.

    Where an example of the step's batch is not finite, the message says which, and learning rates
    stay as they are: none of them mends data.

    While it watches, the logs have the means over the epoch of `generator_gradient_l2` and
    `discriminator_gradient_l2`; see `tgs.callbacks.Diagnostics` for them and for more.

    Args:
        policy: "stop" or "rollback".
        every: Steps from one copy to the next, an integer >= 1. Two are kept, each as large as the
            checkpoint.
        max_rollbacks: Rollbacks of a run, an integer >= 1.
        rate_factor: Both learning rates are multiplied by it at each rollback, in (0, 1].
        directory: Where to save the last good state before stopping, as a checkpoint that
            `tgs.callbacks.Checkpoint` resumes from; may be that callback's own. Not saved unless
            given.

    Raises:
        DivergenceError: In `fit`, as said above.
        TypeError: In `fit`, if the model is no GAN.
        ValueError: If an argument is out of range; in `fit`, if the model is not finite to begin
            with, or there are several guards.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.DivergenceGuard("rollback", every=500).max_rollbacks
        3

    Source: ours.
    """

    counterpart = "keras.callbacks.TerminateOnNaN"
    # Beside finiteness nothing is measured: see `tgs.callbacks.Diagnostics`.
    diagnostics = None

    def __init__(
        self,
        policy: str = "stop",
        every: int = 100,
        max_rollbacks: int = 3,
        rate_factor: float = 0.5,
        directory: str | os.PathLike[str] | None = None,
    ):
        super().__init__()
        self.policy = validation.choice(
            "policy",
            policy,
            ("stop", "rollback"),
            'Use "stop" to save the last good state and end, "rollback" to go on from it.',
        )
        self.every = validation.integer("every", every, unit="steps", fix="Use 100.")
        self.max_rollbacks = validation.integer(
            "max_rollbacks", max_rollbacks, unit="rollbacks", fix="Use 3."
        )
        self.rate_factor = validation.number(
            "rate_factor", rate_factor, above=0, most=1, fix="Use 0.5."
        )
        self.directory = None if directory is None else user_path(directory)
        self._good: GoodState
        self._older: GoodState | None = None
        self._restored = -1  # The step that the last rollback went back to.
        self._of_data: list[int] = []  # The rollbacks that no learning rate is to blame for.
        self._ordered = False
        self._epoch, self._epoch_began = 0, 0

    def begin(self, monitor: Monitor, steps_taken: int, progress: Progress, ordered: bool) -> None:
        """Takes note of where training begins."""
        self._monitor = monitor
        self._ordered = ordered
        self._epoch = progress.epoch
        self._epoch_began = steps_taken - progress.step_in_epoch

    # -- Watching ---------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes the first copy, and checks that there is a place for the last one."""
        if self.directory is not None and self.is_chief:
            usable_directory(self.directory)
        self.gan.reset_metrics()  # A training before this one may have left some.
        start = GoodState(self.gan, self._progress())
        if start.not_finite is not None:
            raise ValueError(
                "The weights must be finite before training. Received: NaN or infinity in "
                f"{start.not_finite.path!r}. Set other weights, or resume another checkpoint."
            )
        self._good, self._older, self._restored = start, None, -1
        self._of_data = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes where the epoch began."""
        if epoch != self._epoch:  # Not the one that a resumed run begins inside.
            self._epoch, self._epoch_began = epoch, self.gan.steps_taken

    def steps_until_needed(self) -> int | None:
        """Returns after how many steps it takes the next copy; a fault ends a block by itself."""
        return self.every - self.gan.steps % self.every

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Takes a copy of what has just been saved: no rollback undoes a checkpoint."""
        if self._good.step < self.gan.rollback_state.saved_step == self.gan.steps:
            self._copy()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Acts if something was not finite; takes a copy if it is time."""
        fault: Fault | str | None = self._monitor.fault
        if fault is None and self.gan.steps // self.every > self._good.step // self.every:
            fault = self._copy()
        if fault is None:
            return
        if self.policy == "stop" or self.gan.rollback_state.rollbacks >= self.max_rollbacks:
            self._stop(fault)
        else:
            self._roll_back(fault)
            if logs is not None:  # Other callbacks look at the logs.
                found = self.gan.get_metrics_result()
                logs.update({name: float(value) for name, value in found.items()})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Takes the copy of the epoch's last step again: now the epoch counts as done."""
        if self._good.step == self.gan.steps and self._progress().epoch > epoch:
            self._copy()

    def _copy(self) -> str | None:
        """Copies the state; returns what is wrong with it instead, if something is."""
        state = GoodState(self.gan, self._progress())
        if state.not_finite is not None:
            return f"{state.not_finite.path!r} after step {state.step}"
        if state.step > self._good.step:
            self._older = self._good
        self._good = state
        return None

    def _progress(self) -> Progress:
        step = self.gan.steps_taken - self._epoch_began
        steps = (self.params or {}).get("steps")
        if steps is not None and step >= steps:
            return Progress(self._epoch + 1, 0)
        # Data in no order cannot go on inside an epoch: it begins again.
        return Progress(self._epoch, step if self._ordered else 0)

    # -- Acting -----------------------------------------------------------------------------------

    def _origin(self, fault: Fault | str) -> GoodState:
        """Returns the latest copy, or the one before if the latest is lost though it is finite.

        That is so if the first step after it fails twice; no rate changes a first evaluation.
        """
        good, older = self._good, self._older
        failed = getattr(fault, "step", None)  # Of a weight that is found in a copy there is none.
        if older is None or (good.step, good.step + 1) != (self._restored, failed):
            return good
        return good if older.step < self.gan.rollback_state.saved_step else older

    def _roll_back(self, fault: Fault | str) -> None:
        gan, good = self.gan, self._origin(fault)
        lost = gan.steps - good.step
        epochs = gan.epochs  # Those go on, as Keras' own count does.
        good.restore()
        gan.epochs = epochs
        gan.rollback_state.steps_lost += lost
        gan.rollback_state.rollbacks += 1
        if _is_of_data(fault):
            self._of_data.append(gan.rollback_state.rollbacks)
        since = range(good.rollbacks + 1, gan.rollback_state.rollbacks + 1)
        times = len(set(since).difference(self._of_data))
        slow_down([*gan.optimizers, *gan.optimizers_for_extrapolation], self.rate_factor**times)
        self._monitor.reset()
        if good is self._older:
            self._older = None
        self._restored = good.step
        self._good = GoodState(gan, self._progress())  # With the smaller rates.
        rates = [float(tf.convert_to_tensor(o.learning_rate)) for o in gan.optimizers]
        self._log(
            "rollback",
            f"Not finite: {fault}. Back to step {good.step}, rollback "
            f"{gan.rollback_state.rollbacks} of {self.max_rollbacks}; learning rates are "
            f"{rates[0]:.3g} and {rates[1]:.3g} now.",
            restored=good.step,
            steps_lost=lost,
            learning_rates=rates,
            fault=_metadata(fault),
        )

    def _stop(self, fault: Fault | str) -> None:
        gan, good = self.gan, self._origin(fault)
        tried = gan.rollback_state.rollbacks
        good.restore()
        self._monitor.reset()
        path = None
        if self.directory is not None and self.is_chief:
            path = save(gan, self.directory, good.progress)
        place = "" if path is None else f", saved as {path}"
        of_data = _is_of_data(fault)
        expected = "real examples" if of_data else "losses, gradients and weights"
        message = (
            f"Expected {expected} that are finite. Received: "
            f"{fault}, after {tried} rollback(s). The model holds the last good state, that of "
            f"step {good.step}{place}. {OF_NAN if of_data else ADVICE}"
        )
        saved = None if path is None else str(path)
        self._log("stop", message, restored=good.step, path=saved, fault=_metadata(fault))
        raise DivergenceError(message, fault, good.step, path)

    def _log(self, kind: str, text: str, **metadata: Any) -> None:
        print(f"\nDivergenceGuard: {text}")
        self.gan.publish(TextEvent(self.gan.steps, self.gan.clock.seconds, kind, text, metadata))


def _is_of_data(fault: Fault | str) -> bool:
    return isinstance(fault, Fault) and fault.is_of_data


def _metadata(fault: Fault | str) -> dict[str, Any]:
    """Returns a fault in values that JSON can hold."""
    if isinstance(fault, str):
        return {"text": fault}
    found = fault._asdict()
    del found["of"]
    return {"text": str(fault), **found}
