"""A run tried out: everything built, a few steps on made-up examples, and what it would take.

Nothing is opened and nothing is left behind. What a run does beside its steps (samples,
checkpoints, the saved generator) is done once, in a temporary folder; scores are only built.
"""

import functools
import inspect
import math
import pathlib
import re
import resource
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab import callbacks
from tfgan_stab._utils.progress import EpochClock, milliseconds
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.jobs.train import Prepared, check_length, prepare, train
from tfgan_stab.cli.workdir import Workdir
from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.mixtures import mixture
from tfgan_stab.game.validation import SIDE, Pair
from tfgan_stab.training import data_checks
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.nan_monitor import Watcher

__all__ = [
    "Measured",
    "Plan",
    "dry_run",
    "measure",
    "peak_memory",
    "plan",
    "report",
    "steps_to_time",
]

SECONDS = 5.0  # To time steps for, and how many at least and at most.
LEAST, MOST = 3, 500
FIRST = ord("!")  # Of the characters of texts that are made up.


class Plan(NamedTuple):
    """A run on made-up examples, built and not tried yet.

    Attributes:
        prepared: Networks, examples, scores and callbacks.
        data: What would be opened, such as "@tgs.data.digits()".
        epochs: Epochs of the whole run.
        steps_per_epoch: Steps of each; `None` where one pass over the data decides.
    """

    prepared: Prepared
    data: str
    epochs: int
    steps_per_epoch: int | None

    @property
    def steps(self) -> int | None:
        """Steps of the whole run."""
        return None if self.steps_per_epoch is None else self.epochs * self.steps_per_epoch

    @property
    def evaluations(self) -> int | None:
        """Field evaluations of the whole run."""
        steps = self.steps
        return None if steps is None else steps * self.prepared.gan.scheme.evaluations


class Measured(NamedTuple):
    """What steps on made-up examples took.

    Attributes:
        steps: How many were timed.
        seconds: Of a step, in the mean.
        memory: Bytes that this process has taken at most.
        device_memory: Bytes that TensorFlow has taken of each GPU at most, by its name.
        losses: Both players' losses in the last steps, by name.
    """

    steps: int
    seconds: float
    memory: int
    device_memory: dict[str, int]
    losses: dict[str, float]


def dry_run(bindings: Sequence[str] = ()) -> str:
    """Tries out the run that the gin configuration describes; returns what it would take, as text.

    Args:
        bindings: Settings of the command line: each must have an effect.

    Raises:
        TypeError: If a setting is of a wrong kind.
        ValueError: If a setting is out of range, or things do not fit each other.
    """
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(Workdir(folder), bindings)
        return report(planned, measure(planned))


def plan(workdir: Workdir, bindings: Sequence[str] = ()) -> Plan:
    """Builds what the gin configuration describes, with made-up examples in place of the data.

    Args:
        workdir: Where callbacks may write.
        bindings: Settings of the command line: each must have an effect.
    """
    call = configuring.asked_call(train, "data")
    defaults = inspect.signature(train).parameters
    names = defaults.keys() - {"workdir", "ready", "started", "data"}
    settings = configuring.arguments(train, names)
    length = [settings.pop(name, defaults[name].default) for name in ("epochs", "steps_per_epoch")]
    check_length(*length)
    settings["profile_steps"] = 0
    settings["scores"] = _without_inception(settings.get("scores", ()))
    prepared = prepare(workdir, lambda: None, data=made_up_data(call), **settings)
    prepared.gan.too_short = MOST  # On a CPU, a run compares with XLA on its first batch.
    configuring.check_used(bindings, known=(train, call.function))
    return Plan(prepared, call.text, *length)


def _without_inception(scores: Any) -> Any:
    """Returns what makes the same scores with random features in the place of a network's.

    Inception may not be on this machine, and nothing is to be downloaded.
    """
    if not isinstance(scores, (list, tuple)):
        return scores
    return [_with_random_features(make) for make in scores]


def _with_random_features(make: Any) -> Any:
    """Returns what makes the same score without Inception, in a score of each class too."""
    changes: dict[str, Any] = {}
    if configuring.setting(make, "extractor") == "inception":
        changes["extractor"] = "random"
    nested = configuring.setting(make, "score")
    if nested is not None:
        changes["score"] = _with_random_features(nested)
    return functools.partial(make, **changes) if changes else make


def made_up_data(call: configuring.Call) -> Callable[[GAN], Batches]:
    """Returns a function of a model that makes examples up, as many as the data would give.

    Where the data's own settings say so, they have a size, channels and labels; they are of the
    networks' otherwise.

    Args:
        call: What would open the data.

    Raises:
        ConfigError: If it does not say how many examples a minibatch has.
    """
    parameters = inspect.signature(call.function).parameters
    own = {name: each.default for name, each in parameters.items()} | call.settings
    if "batch_size" not in own:
        raise configuring.ConfigError(
            f"--dry_run expects data whose function has an argument `batch_size`. Received: "
            f"{call.text}, with {', '.join(parameters) or 'no arguments'}. Add it."
        )

    def make(gan: GAN) -> Batches:
        if call.function is mixture:  # It opens nothing, and scores ask it for its modes.
            return mixture(**call.settings)
        count, pair = own["batch_size"], gan.pair
        examples = _examples(count, _shape(pair, own), gan.generator)
        labels, classes = None, None
        if own.get("labels", pair.conditional):
            labels = _conditions(count, pair, gan.maker.classes or 1)
            if labels.ndim == 1:  # As many as the networks expect, though a batch has fewer.
                classes = gan.maker.classes or int(labels.max()) + 1
        name = call.text.strip("@()")
        made_up = _MadeUp(f"{name}, not opened", examples, labels, classes)
        if examples.ndim == 3:
            made_up.characters = "".join(map(chr, range(FIRST, FIRST + examples.shape[-1])))
        return Batches(made_up, count)

    return make


class _MadeUp(InMemory):
    """Noise in the place of examples.

    Attributes:
        characters: What texts are written with; `None` where examples are no texts.
    """

    characters: str | None = None


def _shape(pair: Pair, own: Mapping[str, Any]) -> list[int]:
    """Returns the shape of an example: of the data where they say it, or else of the networks."""
    shape = list(pair.example_shape)
    if len(shape) == 3:
        size, channels = own.get("size"), own.get("channels")
        sides = [size, size] if isinstance(size, int) else shape[:2]
        shape = [*sides, channels if isinstance(channels, int) else shape[2]]
    return [side or SIDE for side in shape]


def _examples(count: int, shape: Sequence[int], generator: keras.Model) -> np.ndarray:
    """Returns noise that such a generator could have made, float32 `[count, ...]`."""
    ends_with = data_checks.last_activation(generator)
    low, high = data_checks.BOUNDS.get(ends_with, (-1.0, 1.0))
    noise = np.random.default_rng(0).uniform(low, high, [count, *shape]).astype(np.float32)
    if ends_with == "softmax":
        return np.eye(shape[-1], dtype=np.float32)[noise.argmax(-1)]
    return noise


def _conditions(count: int, pair: Pair, classes: int) -> np.ndarray:
    """Returns what stands beside the examples: classes in turn, int32 `[count]`, or noise."""
    if pair.condition is None or pair.condition.classes:
        return np.arange(count, dtype=np.int32) % classes
    return pair.condition.examples(count).numpy()


def measure(planned: Plan, seconds: float = SECONDS) -> Measured:
    """Takes steps on made-up examples.

    Args:
        planned: What to try.
        seconds: How long to time steps, about.
    """
    gan, data, _, run_callbacks = planned.prepared
    # Scores compare with real examples.
    scoring = (callbacks.Evaluate, callbacks.BestCheckpoint)
    beside = [each for each in run_callbacks if not isinstance(each, scoring)]
    watchers = [each for each in run_callbacks if isinstance(each, Watcher)]
    clock = _Clock()
    gan.fit(data, steps_per_epoch=1, callbacks=beside, verbose=0)  # Traces.
    gan.fit(data, steps_per_epoch=LEAST, callbacks=[*watchers, clock], verbose=0)
    intervals = [getattr(penalty, "interval", 1) for penalty in gan.penalties]
    count = steps_to_time(int(seconds / clock.seconds), intervals)
    history = gan.fit(data, steps_per_epoch=count, callbacks=[*watchers, clock], verbose=0)
    losses = {mean.name: history.history[mean.name][-1] for mean in gan.loss_means}
    return Measured(count, clock.seconds, peak_memory(), _device_memory(), losses)


def steps_to_time(count: int, intervals: Sequence[int]) -> int:
    """Returns about `count` steps, in which each kind comes as often as in the whole run.

    Args:
        count: Steps that there is time for.
        intervals: Steps from one to the next that each penalty takes part in.

    Example:
        >>> steps_to_time(100, [16]), steps_to_time(2, [16]), steps_to_time(2, [])
        (96, 16, 3)
    """
    period = math.lcm(*intervals)
    return min(MOST, max(LEAST, period, count // period * period))


class _Clock(keras.callbacks.Callback):
    """Times the steps of a training, without what comes before and after them.

    Attributes:
        seconds: Of a step, in the mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self._clock = EpochClock()
        self.seconds = math.nan

    def steps_until_needed(self) -> int | None:
        """Returns `None`: it looks at no step."""
        return None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._clock.begin(self.model.steps_taken)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._clock.step_done()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds = self._clock.seconds_per_step(self.model.steps_taken)


def peak_memory() -> int:
    """Returns how many bytes of memory this process has taken at most."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        # What `getrusage` says begins, on Linux, with the peak of the process that started it.
        match = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))
        if match:
            return int(match[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _device_memory() -> dict[str, int]:
    devices = [device.name.split("device:")[-1] for device in tf.config.list_logical_devices("GPU")]
    return {name: tf.config.experimental.get_memory_info(name)["peak"] for name in devices}


# -- What it says ---------------------------------------------------------------------------------


def report(planned: Plan, measured: Measured) -> str:
    """Returns the table that the command prints.

    Args:
        planned: The run.
        measured: What its steps took.
    """
    gan, data = planned.prepared.gan, planned.prepared.data
    rows = [
        (name, f"{_parameters(network):,} parameters")
        for name, network in gan.networks._asdict().items()
    ]
    of_run = _of_run(planned, data.batch_size * gan.scheme.data_minibatches)
    rows += [
        ("data", f"{planned.data}, not opened: noise of shape {list(data.example_shape)}"),
        ("batch", _batch(gan, data.batch_size)),
        ("step", f"{gan.scheme.evaluations} field evaluations, {gan.compilation}"),
        ("run", of_run),
        ("memory", _memory(measured)),
        ("time", _time(planned, measured)),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {text}" for name, text in rows]
    return "\n".join(["Everything fits together; nothing was written.", *lines])


def _parameters(network: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


def _batch(gan: GAN, batch_size: int) -> str:
    count, of_data = gan.scheme.minibatches, gan.scheme.data_minibatches
    kinds = "minibatch" if count == 1 else "minibatches"
    again = "" if count == of_data else f", {of_data * batch_size} of them different"
    labels = ", with conditions" if gan.pair.conditional else ""
    return f"{count} {kinds} of {batch_size} examples a step{again}{labels}"


def _of_run(planned: Plan, examples: int) -> str:
    if planned.steps is None:
        return (
            f"{planned.epochs} epochs of one pass over the data each; "
            "tgs.train.steps_per_epoch would say how many steps"
        )
    return (
        f"{planned.epochs} epochs of {planned.steps_per_epoch:,} steps: {planned.steps:,} steps, "
        f"{planned.evaluations:,} field evaluations, {planned.steps * examples:,} examples"
    )


def _memory(measured: Measured) -> str:
    taken = {"main memory": measured.memory, **measured.device_memory}
    shown = ", ".join(f"{count / 2**30:.2f} GiB of {where}" for where, count in taken.items())
    return f"{shown} at the peak, TensorFlow included; without data and scores"


def _time(planned: Plan, measured: Measured) -> str:
    step = f"{milliseconds(measured.seconds)} ms a step here (mean of {measured.steps})"
    if planned.steps is None:
        return step
    hours = planned.steps * measured.seconds / 3600
    return f"{step}, {hours:.2g} hours for the run; without data and scores"
