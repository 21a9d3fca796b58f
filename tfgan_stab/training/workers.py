"""Several processes that train one model together: who writes, what they must share, who is lost.

Every worker runs the same program and calls the same callbacks; their weights are equal to the last
bit. Files are written by the first one alone, the chief.
"""

import contextlib
import json
import os
import re
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab._utils import cluster
from tfgan_stab._utils.errors import WorkerLostError
from tfgan_stab.data.batches import Batches
from tfgan_stab.training import distribution

# What TensorFlow raises where another process does not answer.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
# In its messages, where they are of other processes.
OF_OTHERS = ("/job:", "Collective", "collective", "heartbeat", "onnection", "ocket")
# Lines of theirs that say where in this program, and not why.
WHERE = re.compile(r'^File "|^Detected at node|\{\{node')
# Seconds that a worker waits for the others, who may save, draw or score meanwhile.
PATIENCE = 1800.0
# In texts of objects, where it differs between processes.
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def strategy_of(kind: str) -> tf.distribute.Strategy:
    """Returns what spreads a training over devices; to be called before anything is computed.

    Args:
        kind: "none", "mirrored" (all GPUs of this machine), "multi_worker" (the processes that the
            environment variable TF_CONFIG names, or those of a Slurm step), "tpu" (the one that
            TPU_NAME names, or this machine's).

    Raises:
        ValueError: If "multi_worker" is to find processes that nothing names, or not clearly.
    """
    if kind == "mirrored":
        return tf.distribute.MirroredStrategy()
    if kind == "tpu":
        name = os.environ.get("TPU_NAME", "local")
        connect = tf.distribute.cluster_resolver.TPUClusterResolver.connect
        return tf.distribute.TPUStrategy(connect(name))
    if kind == "multi_worker":
        config = cluster.config_of(os.environ)
        if config is None:
            raise ValueError(
                "Several workers need to know each other. Received: neither TF_CONFIG nor Slurm's "
                "variables. Set TF_CONFIG in each, start them by srun, or try it on this machine "
                "by scripts/launch_local.py."
            )
        os.environ["TF_CONFIG"] = json.dumps(config)
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns how many processes train together, 1 without several.

    Args:
        strategy: The model's, `gan.distribute_strategy`.

    Example:
        >>> num_workers(tf.distribute.get_strategy())
        1
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    cluster = strategy.cluster_resolver.cluster_spec().as_dict()
    return max(1, sum(len(cluster.get(job, ())) for job in ("chief", "worker")))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process writes the run's files: the only one, or the first of several.

    Args:
        strategy: The model's, `gan.distribute_strategy`.

    Example:
        >>> is_chief(tf.distribute.get_strategy())
        True
    """
    return bool(strategy.extended.should_checkpoint)


def of_those_who_write(callbacks: Sequence[Any], strategy: tf.distribute.Strategy) -> list[Any]:
    """Returns the callbacks of this process: those that only write belong to the chief.

    Args:
        callbacks: All callbacks.
        strategy: The model's.
    """
    chief = is_chief(strategy)
    return [each for each in callbacks if chief or not getattr(each, "chief_only", False)]


def chiefs(strategy: tf.distribute.Strategy, number: int) -> int:
    """Returns the chief's number on all workers, so that they decide alike.

    Args:
        strategy: The model's.
        number: This worker's.
    """
    return number if num_workers(strategy) == 1 else distribution.of_all(strategy, [number])[0][0]


def check_alike(
    strategy: tf.distribute.Strategy, steps: int, data: Any, settings: Mapping[str, Any]
) -> None:
    """Refuses to train where workers differ in what must be the same, as far as that can be told.

    All of it is compared in one message. Workers that took steps of different kinds would wait for
    each other without end; of different rates their weights would drift apart.

    Args:
        strategy: The model's.
        steps: The steps that this worker's model has done.
        data: What `fit` is given; data sets of `tgs.data` are compared.
        settings: What decides a step, by name; compared by their texts.

    Raises:
        ValueError: If other workers' differ. Says in what.
    """
    if num_workers(strategy) == 1:
        return
    own = {"steps": steps, **_numbers_of(data)}
    own |= {name: _fingerprint(setting) for name, setting in settings.items()}
    found = distribution.of_all(strategy, list(own.values()))
    for name, *numbers in zip(own, *found, strict=True):
        if len(set(numbers)) > 1:
            raise ValueError(_difference(name, numbers, settings))


def _numbers_of(data: Any) -> dict[str, int]:
    """Returns what tells data sets of `tgs.data` apart; zeros for others."""
    known = isinstance(data, Batches)
    return {
        "num_examples": (data.num_examples or 0) if known else 0,
        "batch_size": data.batch_size if known else 0,
        "seed": data.seed if known else 0,
    }


def _fingerprint(setting: Any) -> int:
    return zlib.crc32(ADDRESS.sub("", repr(setting)).encode())


def _difference(name: str, numbers: Sequence[int], settings: Mapping[str, Any]) -> str:
    """Returns in what workers differ, and what to do about it."""
    if name in settings:
        return (
            f"All workers must train alike. Received: `{name}` that differ; on this worker it is "
            f"{settings[name]!r:.300}. Start the same program with the same settings on all."
        )
    if name == "steps":
        return (
            f"All workers must begin with the same step. Received: steps {numbers}, in the "
            "workers' order. Put the checkpoints on a disk that all of them share."
        )
    return (
        f"All workers must open the same data. Received: {name} of {numbers}, in the workers' "
        "order. Give each the same files, batch_size and seed; each reads its own part of every "
        "batch."
    )


@contextlib.contextmanager
def losses_explained(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Says in plain words that another worker is gone.

    Raises:
        WorkerLostError: If one does not answer any more.
    """
    try:
        yield
    except LOST as error:
        lines = (error.message or str(error)).strip().splitlines()
        told = [line.strip() for line in lines if any(word in line for word in OF_OTHERS)]
        if num_workers(strategy) == 1 or not told:
            raise
        reasons = [line for line in told if not WHERE.search(line)] or lines[-1:]
        reason = ". ".join(line.rstrip(".:") for line in reasons[:2])
        raise WorkerLostError(
            f"Expected all {num_workers(strategy)} workers to go on. Received: {reason:.500}. "
            "Start the same command on all workers again: it goes on from the newest checkpoint."
        ) from error


class Watchdog:
    """Ends this process, should what it waits for inside not come: another worker hangs then.

    A process that is gone or stopped sends no heartbeats, and TensorFlow says so. One that lives
    and waits for a disk, say, sends them for ever, and nothing but its own end frees one that waits
    for it in a collective operation.

    `with watchdog.running(strategy)` starts the thread that watches; inside, `with watchdog` notes
    when a wait begins and ends, and costs next to nothing.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._runs = False

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._since = None

    @contextlib.contextmanager
    def running(self, strategy: tf.distribute.Strategy) -> Iterator[None]:
        """Watches, where several workers train.

        Args:
            strategy: The model's.
        """
        count = num_workers(strategy)
        if count == 1 or self._runs:
            yield
            return
        ended = threading.Event()
        given = count, PATIENCE, ended
        thread = threading.Thread(target=self._watch, args=given, name="watchdog", daemon=True)
        thread.start()
        self._runs = True
        try:
            yield
        finally:
            self._runs = False
            ended.set()
            thread.join()

    def _watch(self, count: int, patience: float, ended: threading.Event) -> None:
        """Sleeps until a wait that began now, or the one that goes on, would be too long."""
        left = patience
        while not ended.wait(left):
            since = self._since
            left = patience if since is None else since + patience - time.monotonic()
            if left <= 0.0:
                _give_up(count, patience)
                return


def _give_up(count: int, seconds: float) -> None:
    print(
        f"error: Expected all {count} workers to come to the same step within {seconds:.0f} "
        "seconds. Received: nothing of at least one, which lives. See what it waits for, end it, "
        "and start the same command on all workers again: it goes on from the newest checkpoint.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


def note(strategy: tf.distribute.Strategy) -> str:
    """Returns what the first lines of a training say of its workers; "" with a single one."""
    count = num_workers(strategy)
    return f" on {count} workers, of which this one writes" if count > 1 else ""
