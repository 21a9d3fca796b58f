"""What `GAN.fit` adds to Keras' own: data that start at the right step, and resuming.

A resumed run may begin inside an epoch. Keras has no such thing, so the rest of that epoch is
trained as a short epoch of its own, and the callbacks see one training from begin to end.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.data.images import check_range
from tfgan_stab.training.announcing import headline, images_per_step, young_averages
from tfgan_stab.training.averaging.averaged_weights import check_classes
from tfgan_stab.training.averaging.swap import LIVE
from tfgan_stab.training.floor_check import CheckFloor, check_floor
from tfgan_stab.training.gradient_check import check_once
from tfgan_stab.training.minibatches import check_divides, is_ours
from tfgan_stab.training.monitor import Watcher, attend


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
    """A callback that can put a model back to where an earlier run left it."""

    def expect(self, ordered: bool) -> None:
        """Hears whether the data have an order, so that a run can go on inside an epoch."""

    def resume(self, gan: keras.Model) -> Progress | None:
        """Restores everything; returns how far that was, or `None` if there is nothing."""


class _CountEpochs(keras.callbacks.Callback):
    """Counts whole epochs: first of all callbacks, so that checkpoints hold the new count."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.model.stop_training:
            self.model.epochs += 1


def fit(gan: Any, *args: Any, **kwargs: Any) -> keras.callbacks.History:
    """Trains `gan` by Keras' `fit`, from where its callbacks say it stopped.

    Args:
        gan: The model.
        *args: Keras' `fit`, `x` and `y`.
        **kwargs: The other arguments of Keras' `fit`.
    """
    if not gan.compiled:
        raise ValueError("A GAN must be compiled before `fit`. Call gan.compile(...) first.")
    gan.weights_in_use.switch(LIVE)  # Training an average would be undone by the next switch.
    listeners = list(gan.listeners)
    try:
        return _fit(gan, *args, **kwargs)
    finally:
        # Whoever began to listen in this training stops with it, should it end in an exception.
        gan.listeners = listeners


def _fit(
    gan: Any,
    keras_fit: Callable[..., keras.callbacks.History],
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
    callbacks = [_CountEpochs(), CheckFloor(), *_in_order(callbacks)]
    _refuse_rate_setters(callbacks)
    _check_arrays(gan, x, y, kwargs.get("batch_size"))
    check_floor(gan, x, kwargs.get("batch_size"))
    steps = _epoch_length(gan, x, steps_per_epoch)
    ordered = steps is not None and isinstance(x, tf.data.Dataset)
    resumed = _resumed(gan, callbacks, ordered)
    progress = resumed or Progress(initial_epoch, 0)
    if not gan.steps:
        gan.start_over()
        gan.clock.set(0.0)
    if steps is not None and progress.step_in_epoch >= steps:
        raise ValueError(
            f"Expected the epochs of the run that is resumed, longer than "
            f"{progress.step_in_epoch} steps. Received: steps_per_epoch={steps}. Resume with the "
            "former value."
        )
    check_once(gan)
    attend(gan, callbacks, progress, ordered)
    gan.data_facts = x.description() if is_ours(x) else None
    if is_ours(x):
        _check_classes(gan, x)
        gan.num_classes = gan.num_classes or x.num_classes
    check_classes(gan)
    if verbose:
        print(headline(gan))
        if steps is not None:
            images = images_per_step(x, gan.scheme.minibatches, kwargs.get("batch_size"))
            for note in young_averages(gan, epochs * steps, images):
                print(note)
    arguments = {"y": y, "callbacks": callbacks, "verbose": verbose, **kwargs}
    if isinstance(x, tf.data.Dataset):
        arguments["shuffle"] = False  # Keras would only warn that it cannot.
    if kwargs.get("validation_steps") is None:
        arguments.update(evaluation_steps(kwargs.get("validation_data"), "validation_steps"))
    if progress.step_in_epoch and progress.epoch < epochs:
        calls = _one_training(gan, callbacks, epochs, steps, verbose)
        arguments["callbacks"] = calls
        rest = _from_now_on(gan, x, steps_per_epoch, progress.step_in_epoch)
        _finish_epoch(keras_fit, rest, steps, progress, arguments)
        progress = Progress(progress.epoch + 1, 0)
        if progress.epoch == epochs or gan.stop_training:
            calls.on_train_end()
            return gan.history
    return keras_fit(
        x=_from_now_on(gan, x, steps_per_epoch) if resumed or is_ours(x) else x,
        initial_epoch=progress.epoch,
        epochs=epochs,
        steps_per_epoch=steps if is_ours(x) else steps_per_epoch,
        **arguments,
    )


def _in_order(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Puts the guard first, so that all others find weights that are sound, and checkpoints last.

    What checkpoints save must include what the others did.
    """
    return sorted(listed(callbacks), key=lambda c: isinstance(c, Resumer) - isinstance(c, Watcher))


def listed(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Returns callbacks as a list; Keras takes a single one, or none, too."""
    return [] if callbacks is None else tf.nest.flatten(callbacks)


def _resumed(gan: Any, callbacks: Sequence[Any], ordered: bool) -> Progress | None:
    resumers = [callback for callback in callbacks if isinstance(callback, Resumer)]
    if len(resumers) > 1:
        raise ValueError(
            f"A run resumes from one place. Received: {len(resumers)} checkpoint callbacks. Keep "
            "one; `keep=` says how many checkpoints stay."
        )
    for resumer in resumers:
        resumer.expect(ordered)
    return resumers[0].resume(gan) if resumers else None


def _refuse_rate_setters(callbacks: Sequence[Any]) -> None:
    """Refuses callbacks of Keras that set the learning rate of a model's one optimizer."""
    kinds = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    for callback in callbacks:
        if isinstance(callback, kinds):
            raise ValueError(
                "A GAN has two optimizers, each with its own learning rate. Received: "
                f"{type(callback).__name__}, which sets that of a model's only optimizer. Give the "
                "optimizers a schedule: Adam(keras.optimizers.schedules.CosineDecay(2e-4, 10_000))."
            )


def _check_arrays(gan: Any, x: Any, y: Any, batch_size: int | None) -> None:
    """Raises where whole arrays can be seen to be wrong before anything is trained on them."""
    if not isinstance(x, np.ndarray):
        return
    if x.ndim == 4 and np.issubdtype(x.dtype, np.floating):
        check_range("x", x)
    check_divides(len(x) % (batch_size or 32), gan.scheme, "arrays whose last batch has {} rows")
    check_divides(batch_size or 32, gan.scheme, "batch_size={}")
    if y is not None and gan.num_classes is not None:
        low, high = np.min(y), np.max(y)
        if low < 0 or high >= gan.num_classes:
            raise ValueError(
                f"Labels must be classes from 0 to {gan.num_classes - 1}. Received: {low} to "
                f"{high}. Count classes from 0, or give GAN the right num_classes."
            )


def _check_classes(gan: Any, x: Any) -> None:
    if gan.num_classes and x.num_classes and x.num_classes > gan.num_classes:
        raise ValueError(
            f"The data must have at most the GAN's num_classes={gan.num_classes}. Received: "
            f"{x.name!r} with {x.num_classes} classes. Build the networks for all of them."
        )


def _epoch_length(gan: Any, x: Any, steps_per_epoch: int | None) -> int | None:
    if steps_per_epoch is not None or not is_ours(x):
        return steps_per_epoch or _cardinality(x)
    return _one_pass(x, "steps_per_epoch", gan.scheme.minibatches)


def evaluation_steps(x: Any, name: str) -> dict[str, int]:
    """Returns the argument that makes one pass of an endless data set; none for other data.

    Args:
        x: Data to evaluate on.
        name: What Keras calls the number of steps: "steps" or "validation_steps".

    Raises:
        ValueError: If the data set makes up examples, so that there is no pass.
    """
    return {name: _one_pass(x, name, 1)} if is_ours(x) else {}


def _one_pass(x: Any, name: str, minibatches: int) -> int:
    if x.num_examples is None:
        raise ValueError(
            f"`{name}` is needed: {x.name!r} makes up examples without end. Received: None. "
            f"Write {name}=500."
        )
    return max(1, x.num_examples // (x.batch_size * minibatches))


def _cardinality(x: Any) -> int | None:
    if not isinstance(x, tf.data.Dataset):
        return None
    count = int(x.cardinality())
    return count if count > 0 else None


def _from_now_on(gan: Any, x: Any, steps_per_epoch: int | None, step: int = 0) -> Any:
    """Returns the data from the step that comes next, `step` steps into its epoch."""
    steps = gan.steps_played
    if is_ours(x):
        return x.starting_at(steps, gan.scheme.minibatches)
    if not steps or not isinstance(x, tf.data.Dataset):
        return x
    if steps_per_epoch is None:  # Each epoch is one pass.
        return x.skip(step)
    # Keras reads on where the epoch before ended, and begins again where the data end.
    size = _cardinality(x)
    if size is None:
        return x.skip(steps)
    return x.repeat().skip(steps % size) if steps % size else x


def _one_training(
    gan: Any, callbacks: Sequence[Any], epochs: int, steps: int | None, verbose: Any
) -> keras.callbacks.CallbackList:
    """Returns callbacks that two calls of Keras' `fit` can share."""
    return keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
        model=gan,
    )


def _finish_epoch(
    keras_fit: Callable[..., keras.callbacks.History],
    rest: Any,
    steps: int | None,
    progress: Progress,
    arguments: dict[str, Any],
) -> None:
    """Trains what is left of an epoch."""
    if not isinstance(rest, tf.data.Dataset) or steps is None:
        raise ValueError(
            "Resuming inside an epoch needs data in a fixed order: a data set of tgs.data, or a "
            f"tf.data.Dataset with steps_per_epoch. Received: {type(rest).__name__}. Give `fit` "
            "the data of the run that is resumed."
        )
    calls = arguments["callbacks"]
    on_train_end, calls.on_train_end = calls.on_train_end, lambda logs=None: None
    try:
        keras_fit(
            x=rest,
            initial_epoch=progress.epoch,
            epochs=progress.epoch + 1,
            steps_per_epoch=steps - progress.step_in_epoch,
            **arguments,
        )
    finally:
        calls.on_train_end = on_train_end
    # What follows is the same training: it does not begin again.
    calls.on_train_begin = lambda logs=None: None
