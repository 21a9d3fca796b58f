"""Where a run stands, and how it goes on from there.

A resumed run may begin inside an epoch. Keras has no such thing, so the rest of that epoch is
trained as a short epoch of its own, and the callbacks see one training from begin to end.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import keras
import tensorflow as tf

from tfgan_stab.data.batches import Batches

# Of data that end, when a run goes on inside them: more than any training takes.
PASSES = 2**32

_IN_ORDER = (tf.data.Dataset, tf.distribute.DistributedDataset)


class Progress(NamedTuple):
    """How far a run has come.

    Attributes:
        epoch: Epochs finished.
        step_in_epoch: Steps finished of the epoch that follows.
    """

    epoch: int
    step_in_epoch: int


@runtime_checkable
class Resumer(Protocol):
    """A callback that can put its model back to where an earlier run left it."""

    def set_model(self, model: keras.Model) -> None:
        """Learns which model that is, as every callback does."""

    def expect(self, ordered: bool) -> None:
        """Takes note of whether the data have an order, so that a run can go on inside an epoch."""

    def resume(self) -> Progress | None:
        """Restores everything; returns how far that was, or `None` if there is nothing."""

    def release(self, error: BaseException | None) -> None:
        """Lets go of what it holds during a training, however that ended."""


def resume_from(callbacks: Sequence[Any], model: keras.Model, ordered: bool) -> Progress | None:
    """Lets the one callback that can do so restore a model; returns how far that was.

    Raises:
        ValueError: If several callbacks can.
    """
    resumers = [callback for callback in callbacks if isinstance(callback, Resumer)]
    if len(resumers) > 1:
        raise ValueError(
            f"A run resumes from one place. Received: {len(resumers)} checkpoint callbacks. Keep "
            "one; `keep=` says how many checkpoints stay."
        )
    for resumer in resumers:
        resumer.set_model(model)
        resumer.expect(ordered)
    return resumers[0].resume() if resumers else None


@contextlib.contextmanager
def released(callbacks: Sequence[Any]) -> Iterator[None]:
    """Lets callbacks that resume let go of what they hold, however a training ends."""
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        for callback in callbacks:
            if isinstance(callback, Resumer):
                callback.release(error)


def data_from(
    x: Any, steps: int, minibatches: int, steps_per_epoch: int | None, step_in_epoch: int = 0
) -> Any:
    """Returns the data from the step that comes next.

    Args:
        x: What `fit` is given.
        steps: Steps taken so far.
        minibatches: Minibatches of a step.
        steps_per_epoch: What `fit` is given.
        step_in_epoch: Steps taken of the epoch that is not finished.
    """
    if isinstance(x, Batches):
        return x.starting_at(steps, minibatches)
    if not steps or not isinstance(x, tf.data.Dataset):
        return x
    if steps_per_epoch is None:  # Each epoch is one pass.
        return x.skip(step_in_epoch)
    # Keras reads on where the epoch before ended, and begins again where the data end.
    size = num_batches(x)
    if size is None:
        return x.skip(steps)
    if not steps % size:
        return x
    if size % steps_per_epoch:
        warnings.warn(
            f"The data have {size} batches, no multiple of steps_per_epoch={steps_per_epoch}: "
            "Keras ends the epoch in which they end, and the resumed run reads on, so that it has "
            "other epochs than an uninterrupted one. Train on `data.repeat()` to avoid that.",
            stacklevel=2,
        )
    # Workers know the rows of a batch where data have no end only, and round differently then.
    return x.repeat(PASSES).skip(steps % size)


def num_batches(x: Any) -> int | None:
    """Returns how many batches a data set has; `None` if that is not known."""
    if not isinstance(x, tf.data.Dataset):
        return None
    count = int(x.cardinality())
    return count if count > 0 else None


def callbacks_of_one_training(
    callbacks: Sequence[Any], model: keras.Model, epochs: int, steps: int | None, verbose: Any
) -> keras.callbacks.CallbackList:
    """Returns callbacks that two calls of Keras' `fit` can share."""
    return keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
        model=model,
    )


def finish_epoch(
    keras_fit: Callable[..., keras.callbacks.History],
    remaining: Any,
    steps: int | None,
    progress: Progress,
    arguments: dict[str, Any],
) -> None:
    """Trains what is left of an epoch.

    Args:
        keras_fit: Keras' `fit`.
        remaining: The data from the next step.
        steps: Steps of a whole epoch.
        progress: How far the run has come.
        arguments: The other arguments of Keras' `fit`; their callbacks see no end of training, and
            no second begin.

    Raises:
        ValueError: If the data are in no fixed order.
    """
    if not isinstance(remaining, _IN_ORDER) or steps is None:
        raise ValueError(
            "Resuming inside an epoch needs data in a fixed order: a data set of tgs.data, or a "
            f"tf.data.Dataset with steps_per_epoch. Received: {type(remaining).__name__}. Give "
            "`fit` the data of the run that is resumed."
        )
    calls = arguments["callbacks"]
    on_train_end, calls.on_train_end = calls.on_train_end, lambda logs=None: None
    try:
        keras_fit(
            x=remaining,
            initial_epoch=progress.epoch,
            epochs=progress.epoch + 1,
            steps_per_epoch=steps - progress.step_in_epoch,
            **arguments,
        )
    finally:
        calls.on_train_end = on_train_end
    # What follows is the same training: it does not begin again.
    calls.on_train_begin = lambda logs=None: None
