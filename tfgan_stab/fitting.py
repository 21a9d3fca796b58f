"""What `GAN.fit` adds to Keras' own: data that start at the right round, and resuming.

A resumed run may begin inside an epoch. Keras has no such thing, so the rest of that epoch is
trained as a short epoch of its own, and the callbacks see one training from begin to end.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import keras
import tensorflow as tf


class Progress(NamedTuple):
    """How far a run has come.

    Attributes:
        epoch: Epochs finished.
        step: Rounds finished of the epoch that follows.
    """

    epoch: int
    step: int


@runtime_checkable
class Resumer(Protocol):
    """A callback that can put a model back to where an earlier run left it."""

    def resume(self, gan: keras.Model) -> Progress | None:
        """Restores everything; returns how far that was, or `None` if there is nothing."""


def fit(
    gan: Any,
    keras_fit: Callable[..., keras.callbacks.History],
    x: Any,
    y: Any,
    *,
    epochs: int = 1,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    verbose: Any = "auto",
    **kwargs: Any,
) -> keras.callbacks.History:
    """Trains `gan` by Keras' `fit`, from where its callbacks say it stopped."""
    if not gan.compiled:
        raise ValueError("A GAN must be compiled before `fit`. Call gan.compile(...) first.")
    callbacks = _resumers_last(callbacks)
    progress = _resumed(gan, callbacks) or Progress(initial_epoch, 0)
    if not int(gan.rounds):
        gan.start_over()
    steps = _epoch_length(gan, x, steps_per_epoch)
    if steps is not None and progress.step >= steps:
        raise ValueError(
            f"Expected the epochs of the run that is resumed, longer than {progress.step} rounds. "
            f"Received: steps_per_epoch={steps}. Resume with the former value."
        )
    if _is_ours(x):
        gan.data_facts = x.description()
        gan.num_classes = gan.num_classes or x.num_classes
    if verbose:
        print(_headline(gan))
    calls = keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
        model=gan,
    )
    arguments = {"y": y, "callbacks": calls, "verbose": verbose, **kwargs}
    if isinstance(x, tf.data.Dataset):
        arguments["shuffle"] = False  # Keras would only warn that it cannot.
    if progress.step and progress.epoch < epochs:
        _finish_epoch(gan, keras_fit, x, steps, progress, arguments)
        progress = Progress(progress.epoch + 1, 0)
        if progress.epoch == epochs or gan.stop_training:
            calls.on_train_end()
            return gan.history
    return keras_fit(
        x=_from_now_on(gan, x, steps_per_epoch),
        initial_epoch=progress.epoch,
        epochs=epochs,
        steps_per_epoch=steps if _is_ours(x) else steps_per_epoch,
        **arguments,
    )


def _resumers_last(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Puts checkpoints last, so that what they save includes what the others did."""
    return sorted(callbacks or [], key=lambda callback: isinstance(callback, Resumer))


def _resumed(gan: Any, callbacks: Sequence[Any]) -> Progress | None:
    resumers = [callback for callback in callbacks if isinstance(callback, Resumer)]
    if len(resumers) > 1:
        raise ValueError(
            f"A run resumes from one place. Received: {len(resumers)} checkpoint callbacks. Keep "
            "one; `keep=` says how many checkpoints stay."
        )
    return resumers[0].resume(gan) if resumers else None


def _is_ours(x: Any) -> bool:
    return hasattr(x, "starting_at")


def _epoch_length(gan: Any, x: Any, steps_per_epoch: int | None) -> int | None:
    if steps_per_epoch is not None or not _is_ours(x):
        return steps_per_epoch or _cardinality(x)
    if x.num_examples is None:
        raise ValueError(
            f"`steps_per_epoch` is needed: {x.name!r} makes up examples without end. Received: "
            "None. Write fit(..., steps_per_epoch=500)."
        )
    return max(1, x.num_examples // (x.batch_size * gan.scheme.parts))


def _cardinality(x: Any) -> int | None:
    if not isinstance(x, tf.data.Dataset):
        return None
    count = int(x.cardinality())
    return count if count > 0 else None


def _from_now_on(gan: Any, x: Any, steps_per_epoch: int | None) -> Any:
    """Returns the data from the round that comes next."""
    rounds = int(gan.rounds)
    if _is_ours(x):
        return x.starting_at(rounds, gan.scheme.parts)
    if rounds and steps_per_epoch and isinstance(x, tf.data.Dataset) and _cardinality(x) is None:
        return x.skip(rounds)
    return x


def _finish_epoch(
    gan: Any,
    keras_fit: Callable[..., keras.callbacks.History],
    x: Any,
    steps: int | None,
    progress: Progress,
    arguments: dict[str, Any],
) -> None:
    """Trains what is left of an epoch."""
    if not isinstance(x, tf.data.Dataset) or steps is None:
        raise ValueError(
            "Resuming inside an epoch needs data in a fixed order: a data set of tgs.data, or a "
            f"tf.data.Dataset with steps_per_epoch. Received: {type(x).__name__}. Use "
            "tgs.data.arrays(...), or Checkpoint(..., every='epoch')."
        )
    rest = _from_now_on(gan, x, steps) if _is_ours(x) else x.skip(progress.step)
    calls = arguments["callbacks"]
    on_train_end, calls.on_train_end = calls.on_train_end, lambda logs=None: None
    try:
        keras_fit(
            x=rest,
            initial_epoch=progress.epoch,
            epochs=progress.epoch + 1,
            steps_per_epoch=steps - progress.step,
            **arguments,
        )
    finally:
        calls.on_train_end = on_train_end
    # What follows is the same training: it does not begin again.
    calls.on_train_begin = lambda logs=None: None


def _headline(gan: Any) -> str:
    replicas = gan.distribute_strategy.num_replicas_in_sync
    return (
        f"GAN: {gan.scheme!r}, {gan.scheme.evaluations} field evaluation(s) a round; XLA: "
        f"{gan.compilation.scope} ({gan.compilation.reason}) {replicas} replica(s), "
        f"{keras.config.dtype_policy().name}."
    )
