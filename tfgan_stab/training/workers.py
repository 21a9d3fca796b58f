"""Several processes that train one model together: who writes, what they must share, who is lost.

Every worker runs the same program and calls the same callbacks; their weights are equal to the last
bit. Files are written by the first one alone, the chief.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

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


def strategy_of(kind: str) -> tf.distribute.Strategy:
    """Returns what spreads a training over devices; to be called before anything is computed.

    Args:
        kind: "none", "mirrored" (all GPUs of this machine), "multi_worker" (the processes that the
            environment variable TF_CONFIG names, or those of a Slurm step), "tpu" (the one that
            TPU_NAME names, or this machine's).

    Raises:
        ValueError: If "multi_worker" is to find processes that nothing names.
    """
    if kind == "mirrored":
        return tf.distribute.MirroredStrategy()
    resolvers = tf.distribute.cluster_resolver
    if kind == "tpu":
        resolver = resolvers.TPUClusterResolver.connect(os.environ.get("TPU_NAME", "local"))
        return tf.distribute.TPUStrategy(resolver)
    if kind == "multi_worker":
        if "TF_CONFIG" in os.environ:
            return tf.distribute.MultiWorkerMirroredStrategy()
        if "SLURM_STEP_NODELIST" in os.environ:
            return tf.distribute.MultiWorkerMirroredStrategy(resolvers.SlurmClusterResolver())
        raise ValueError(
            "Several workers need to know each other. Received: neither TF_CONFIG nor Slurm's "
            "variables. Set TF_CONFIG in each, start them by srun, or try it on this machine by "
            "scripts/launch_local.py."
        )
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


def chiefs(strategy: tf.distribute.Strategy, number: float) -> float:
    """Returns the chief's number on all workers, so that they decide alike.

    Args:
        strategy: The model's.
        number: This worker's.
    """
    return number if num_workers(strategy) == 1 else distribution.of_all(strategy, number)[0]


def check_alike(strategy: tf.distribute.Strategy, steps: int) -> None:
    """Refuses to train from states that differ between workers.

    Args:
        strategy: The model's.
        steps: The steps that this worker's model has done.

    Raises:
        ValueError: If other workers' models have done other numbers of steps.
    """
    if num_workers(strategy) == 1:
        return
    found = [int(each) for each in distribution.of_all(strategy, steps)]
    if len(set(found)) > 1:
        raise ValueError(
            f"All workers must begin with the same step. Received: steps {found}, in the workers' "
            "order. Put the checkpoints on a disk that all of them share."
        )


def check_same_data(strategy: tf.distribute.Strategy, data: Any) -> None:
    """Refuses to train on data that differ between workers, as far as numbers tell.

    Args:
        strategy: The model's.
        data: What `fit` is given.

    Raises:
        ValueError: If other workers' data sets of `tgs.data` have other sizes, batches or seeds.
    """
    if num_workers(strategy) == 1 or not isinstance(data, Batches):
        return
    numbers = {
        "num_examples": data.num_examples or 0,
        "batch_size": data.batch_size,
        "seed": data.seed,
    }
    for name, number in numbers.items():
        found = [int(each) for each in distribution.of_all(strategy, number)]
        if len(set(found)) > 1:
            raise ValueError(
                f"All workers must open the same data. Received: {name} of {found}, in the "
                "workers' order. Give each the same files, batch_size and seed; each reads its own "
                "part of every batch."
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
        # The message may begin with a whole traceback.
        lines = (error.message or str(error)).strip().splitlines()
        told = [line for line in lines if any(word in line for word in OF_OTHERS)]
        if num_workers(strategy) == 1 or not told:
            raise
        reason = told[0].strip()
        raise WorkerLostError(
            f"Expected all {num_workers(strategy)} workers to go on. Received: {reason:.300} "
            "Start the same command on all workers again: it goes on from the newest checkpoint."
        ) from error


def note(strategy: tf.distribute.Strategy) -> str:
    """Returns what the first lines of a training say of its workers; "" with a single one."""
    count = num_workers(strategy)
    return f" on {count} workers, of which this one writes" if count > 1 else ""
