"""Sees a run diverge in the step it does, and leaves the last good state, or goes on from it."""

import math
import os
import pathlib
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils.errors import DivergenceError
from tfgan_stab.callbacks.base import TextEvent, usable_directory
from tfgan_stab.callbacks.checkpoint_files import save
from tfgan_stab.callbacks.good_state import GoodState
from tfgan_stab.training.fit import Progress
from tfgan_stab.training.monitor import Monitor
from tfgan_stab.training.optimizers import slow_down

ADVICE = (
    "Use smaller learning rates, a penalty such as tgs.GeneratorGradientNorm(0.02), or clipnorm "
    "in the optimizers."
)


class DivergenceGuard(keras.callbacks.Callback):
    """Watches every step for losses, slopes and weights that are not finite, and acts.

    The first one is named: whose it is, what it is, of which variable, in which evaluation of which
    step. Slopes and weights longer than 1e19 (in float32) count as not finite. Then the model gets
    back the last good state: all that a checkpoint holds, averages and optimizers included, as it
    was at the latest copy (at the one before, if the first step after the latest fails twice).
    Copies are taken every so often, and whenever a `Checkpoint` saves, and only of states that are
    finite. With the policy

    - "stop", that state is saved, and `fit` ends with a `DivergenceError`;
    - "rollback", training goes on from there with both learning rates multiplied by `rate_factor`
      (both, so that their ratio stays); constant rates and schedules alike. What comes next are new
      examples, with the noise of the steps that are played again. After `max_rollbacks`, counted
      over resumed runs too, the next fault stops as above. A resumed run goes on with the smaller
      rates.

    The guard is called before all other callbacks, wherever it stands in the list, so none of them
    finds numbers that are not finite, and no checkpoint holds them. Steps that a rollback undoes
    still count as played: epochs do not grow.

    While it watches, the logs have means over the epoch of

    - `generator_slope_norm`, `discriminator_slope_norm`: the length (L2) of a player's slopes where
      it first evaluated them in a step, in units of the loss per unit of weight;
    - `field_angle`: the angle in degrees, 0 to 180, between both players' slopes (jointly) in a
      step and in the step before; 90 and more means going in circles or to and fro. The first
      step has none;
    - `accuracy_on_reals`, `accuracy_on_fakes`: which part of them the discriminator gets right,
      0 to 1, where it first saw both in a step. The line is a logit of 0; 0.5 for "least_squares".
      "wasserstein" and "relativistic_average" draw no line, and your own losses draw one if they
      have a `boundary`: without, these two are not logged;
    - `spread_ratio`: the mean squared distance of two fakes over that of two reals, pixel by pixel.

    Fakes that have collapsed into one another are warned of, once per fall, and nothing is undone.

    Args:
        policy: "stop" or "rollback".
        every: Steps from one copy to the next, an integer >= 1. Two are kept, each as large as the
            checkpoint.
        max_rollbacks: Rollbacks of a run, an integer >= 1.
        rate_factor: What is left of the learning rates at each rollback, in (0, 1].
        directory: Where to save the last good state before stopping, as a checkpoint that
            `tgs.callbacks.Checkpoint` resumes from; may be that callback's own. Not saved unless
            given.
        collapse_ratio: A `spread_ratio` below this is a collapse, in (0, 1).
        collapse_steps: For how many steps on end, an integer >= 1.

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

    def __init__(
        self,
        policy: str = "stop",
        every: int = 100,
        max_rollbacks: int = 3,
        rate_factor: float = 0.5,
        directory: str | os.PathLike[str] | None = None,
        collapse_ratio: float = 0.05,
        collapse_steps: int = 200,
    ):
        super().__init__()
        if policy not in ("stop", "rollback"):
            raise ValueError(
                '`policy` must be "stop" (save the last good state and end) or "rollback" (go on '
                f"from it). Received: {policy!r}."
            )
        self.policy = policy
        self.every = _count("every", every, "steps", 100)
        self.max_rollbacks = _count("max_rollbacks", max_rollbacks, "rollbacks", 3)
        self.collapse_steps = _count("collapse_steps", collapse_steps, "steps", 200)
        self.rate_factor = _number("rate_factor", rate_factor, "(0, 1]", 0.5)
        self.collapse_ratio = _number("collapse_ratio", collapse_ratio, "(0, 1)", 0.05)
        self.directory = None if directory is None else pathlib.Path(directory)
        self._good: GoodState
        self._older: GoodState | None = None
        self._restored = -1  # The step that the last rollback went back to.
        self._ordered = False
        self._epoch, self._epoch_began = 0, 0
        self._falls = 0

    @property
    def gan(self) -> Any:
        """The model that is trained."""
        return self.model

    def set_model(self, model: Any) -> None:
        """Checks that the model is one that can be watched."""
        super().set_model(model)
        if not hasattr(model, "monitor"):
            raise TypeError(
                "DivergenceGuard expects a tgs.GAN. Received: "
                f"{type(model).__name__}. For other models see keras.callbacks.TerminateOnNaN."
            )

    def watched(self, gan: Any, progress: Progress, ordered: bool) -> Monitor:
        """Returns what watches the steps, and notes where training begins."""
        self._ordered = ordered
        self._epoch = progress.epoch
        self._epoch_began = gan.steps_played - progress.step_in_epoch
        settings = (self.collapse_ratio, self.collapse_steps)
        known = gan.monitor
        if known is not None and (known.collapse_ratio, known.collapse_steps) == settings:
            return known
        return Monitor(gan, *settings)

    # -- Watching ---------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes the first copy, and checks that there is a place for the last one."""
        if self.directory is not None:
            usable_directory(self.directory)
        self._falls = 0
        self.gan.reset_metrics()  # A training before this one may have left some.
        start = GoodState(self.gan, self._progress())
        if start.unsound is not None:
            raise ValueError(
                f"Expected a model that is finite to begin with. Received: {start.unsound.path!r} "
                "with numbers that are not. Set other weights, or resume another checkpoint."
            )
        self._good, self._older, self._restored = start, None, -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes where the epoch began."""
        if epoch != self._epoch:  # Not the one that a resumed run begins inside.
            self._epoch, self._epoch_began = epoch, self.gan.steps_played

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Takes a copy of what has just been saved: no rollback undoes a checkpoint."""
        if self._good.step < self.gan.setbacks.saved_step == self.gan.steps:
            self._copy()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Acts if something was not finite; warns of a collapse; takes a copy if it is time."""
        fault = self.gan.monitor.fault
        if fault is None and self.gan.steps // self.every > self._good.step // self.every:
            fault = self._copy()
        if fault is None:
            self._warn_of_collapse()
        elif self.policy == "stop" or self.gan.setbacks.rollbacks >= self.max_rollbacks:
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

    def _copy(self) -> Any:
        """Copies the state; returns what is wrong with it instead, if something is."""
        state = GoodState(self.gan, self._progress())
        if state.unsound is not None:
            return f"{state.unsound.path!r} after step {state.step}"
        if state.step > self._good.step:
            self._older = self._good
        self._good = state
        return None

    def _progress(self) -> Progress:
        step = self.gan.steps_played - self._epoch_began
        steps = (self.params or {}).get("steps")
        if steps is not None and step >= steps:
            return Progress(self._epoch + 1, 0)
        # Data in no order cannot go on inside an epoch: it begins again.
        return Progress(self._epoch, step if self._ordered else 0)

    def _warn_of_collapse(self) -> None:
        falls = self.gan.monitor.falls
        if falls > self._falls:
            self._tell(
                "collapse",
                f"The fakes have collapsed: for {self.collapse_steps} steps their spread has "
                f"been less than {self.collapse_ratio} of the reals'. {ADVICE}",
            )
        self._falls = falls

    # -- Acting -----------------------------------------------------------------------------------

    def _origin(self, fault: Any) -> GoodState:
        """Returns the latest copy, or the one before if the latest is lost though it is finite.

        That is so if the first step after it fails twice; no rate changes a first evaluation.
        """
        good, older = self._good, self._older
        failed = getattr(fault, "step", None)  # Of a weight that is found in a copy there is none.
        if older is None or (good.step, good.step + 1) != (self._restored, failed):
            return good
        return good if older.step < self.gan.setbacks.saved_step else older

    def _roll_back(self, fault: Any) -> None:
        gan, good = self.gan, self._origin(fault)
        lost = gan.steps - good.step
        epochs = gan.epochs  # Those go on, as Keras' own count does.
        good.restore()
        gan.epochs = epochs
        gan.setbacks.steps_lost += lost
        gan.setbacks.rollbacks += 1
        times = gan.setbacks.rollbacks - good.rollbacks
        slow_down([*gan.optimizers, *gan.extrapolation_optimizers], self.rate_factor**times)
        gan.monitor.forget()
        self._falls = 0
        if good is self._older:
            self._older = None
        self._restored = good.step
        self._good = GoodState(gan, self._progress())  # With the smaller rates.
        rates = [float(tf.convert_to_tensor(o.learning_rate)) for o in gan.optimizers]
        self._tell(
            "rollback",
            f"Not finite: {fault}. Back to step {good.step}, rollback {gan.setbacks.rollbacks} "
            f"of {self.max_rollbacks}; learning rates are {rates[0]:.3g} and {rates[1]:.3g} now.",
            restored=good.step,
            steps_lost=lost,
            learning_rates=rates,
            fault=_facts(fault),
        )

    def _stop(self, fault: Any) -> None:
        gan, good = self.gan, self._origin(fault)
        tried = gan.setbacks.rollbacks
        good.restore()
        gan.monitor.forget()
        path = None if self.directory is None else save(gan, self.directory, good.progress)
        place = "" if path is None else f", saved as {path}"
        message = (
            "Expected losses, slopes and weights that are finite. Received: "
            f"{fault}, after {tried} rollback(s). The model holds the last good state, that of "
            f"step {good.step}{place}. {ADVICE}"
        )
        saved = None if path is None else str(path)
        self._tell("stop", message, restored=good.step, path=saved, fault=_facts(fault))
        raise DivergenceError(message, fault, good.step, path)

    def _tell(self, kind: str, text: str, **facts: Any) -> None:
        print(f"\nDivergenceGuard: {text}")
        self.gan.publish(TextEvent(self.gan.steps, self.gan.clock.seconds, kind, text, facts))


def _facts(fault: Any) -> dict[str, Any]:
    """Returns a fault in values that JSON can hold."""
    if isinstance(fault, str):
        return {"text": fault}
    return {"text": str(fault), "step": fault.step, **fault.point._asdict()}


def _count(name: str, value: Any, unit: str, example: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"`{name}` must be a number of {unit}, an integer >= 1. Received: {value!r}. Use "
            f"{example}."
        )
    return value


def _number(name: str, value: Any, interval: str, example: float) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = number and math.isfinite(value) and 0.0 < value <= 1.0
    if not inside or (value == 1.0 and interval.endswith(")")):
        raise ValueError(
            f"`{name}` must be a number in {interval}. Received: {value!r}. Use {example}."
        )
    return float(value)
