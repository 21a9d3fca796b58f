"""What `fit` checks and says before it trains: data against scheme, top-k, classes and averages."""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.data.batches import Batches
from tfgan_stab.data.folders import listing_of
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.game.top_k import TopK
from tfgan_stab.training.minibatches import check_divides
from tfgan_stab.training.nan_monitor import Watcher
from tfgan_stab.training.resume import Resumer
from tfgan_stab.updates.scheme import Scheme


def check_data(
    x: Any,
    batch_size: int | None,
    scheme: Scheme,
    top_k: TopK | None,
    classes: int | None,
) -> None:
    """Raises where data can be seen to be wrong before anything is trained on them.

    Args:
        x: What `fit` is given.
        batch_size: What `fit` is given, for arrays.
        scheme: Says how many minibatches a step has.
        top_k: Whose floor must fit the minibatches.
        classes: For how many classes the networks are made; `None` if that is not known.

    Raises:
        ValueError: If a batch cannot be split into minibatches, top-k's floor is above
            the minibatch, or there are more classes than the networks take.
    """
    if isinstance(x, np.ndarray | tf.Tensor):
        check_divides(len(x) % (batch_size or 32), scheme, "arrays whose last batch has {} rows")
        check_divides(batch_size or 32, scheme, "batch_size={}")
    rows = rows_of_batch(x, batch_size)
    if top_k is not None and rows is not None:
        # A data set of tgs.data gives each minibatch a batch; others are split.
        top_k.check_batch(rows if isinstance(x, Batches) else rows // scheme.data_minibatches)
    found = x.num_classes if isinstance(x, Batches) else None
    if classes and found and found > classes:
        raise ValueError(
            f"The data must have at most the {classes} classes that the networks are made for. "
            f"Received: {x.name!r} with {found} classes, 0 to {found - 1}. Count classes from 0, "
            "or make both networks, and num_classes, for all of them."
        )


# What TensorFlow raises on files that are damaged or gone.
UNREADABLE = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.UnknownError,
)


def check_files(x: Any, error: Exception) -> None:
    """Names the damaged files of the data, if there are any; TensorFlow's graphs do not.

    Args:
        x: What `fit` is given.
        error: What ended the training.

    Raises:
        ValueError: If files are damaged.
    """
    damaged = x.damaged() if isinstance(x, Batches) else {}
    if damaged:
        raise ValueError(
            f"{x.name!r} must hold files that can be read. Received: {len(damaged)} that cannot:\n"
            f"  {listing_of(damaged)}\nMend or remove them, or leave those of a folder out by "
            'on_error="skip".'
        ) from error


class CheckFloor(keras.callbacks.Callback):
    """Checks top-k's floor after the first step, for data that do not say how large batches are.

    Raises:
        ValueError: If the first steps' batches were smaller than the floor.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes note of whether the first step is still to come."""
        # Inside an epoch that is resumed, the first step is long over.
        self._unchecked = self.model.top_k is not None and not self.model.steps

    def steps_until_needed(self) -> int | None:
        """Returns 1 before the first step, then `None`."""
        return 1 if self._unchecked else None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Checks once how large batches were."""
        if self._unchecked:
            self._unchecked = False
            # One call may take several steps; if only the last is smaller, the others are not more.
            batches = max(1, self.model.steps - 1) * self.model.scheme.data_minibatches
            self.model.top_k.check_batch(self.model.images_seen // batches)


def one_pass(x: Any, name: str, minibatches: int = 1) -> dict[str, int]:
    """Returns the argument that makes one pass of an endless data set; none for other data.

    Args:
        x: Data.
        name: What Keras calls the number of steps: "steps" or "validation_steps".
        minibatches: Minibatches of a step.

    Raises:
        ValueError: If the data set makes up examples, so that there is no pass.
    """
    if not isinstance(x, Batches):
        return {}
    if x.num_examples is None:
        raise ValueError(
            f"`{name}` is needed: {x.name!r} makes up examples without end. Received: None. "
            f"Write {name}=500."
        )
    return {name: max(1, x.num_examples // (x.batch_size * minibatches))}


def rows_of_batch(x: Any, batch_size: int | None) -> int | None:
    """Returns the rows of a batch, the first of them where they differ; `None` if not known."""
    if isinstance(x, Batches):
        return x.batch_size
    if isinstance(x, tf.data.Dataset):
        shape = getattr(tf.nest.flatten(x.element_spec)[0], "shape", None)
        return shape[0] if shape is not None and shape.rank else None
    shape = getattr(x, "shape", None)
    return min(batch_size or 32, shape[0]) if shape else None


class CountEpochs(keras.callbacks.Callback):
    """Counts whole epochs: first of all callbacks, so that checkpoints hold the new count.

    Attributes:
        first_step: The step that the next epoch begins with; not 0 for one that is resumed inside.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first_step = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Says how many steps there will be."""
        execution, steps = self.model.execution, (self.params or {}).get("steps")
        if execution is not None:
            execution.begin_epoch(None if steps is None else steps - self.first_step)
        self.first_step = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Counts the epoch, if it has not been stopped."""
        if not self.model.stop_training:
            self.model.epochs += 1


@runtime_checkable
class Scorer(Protocol):
    """A callback that scores, for others to find the numbers in the logs."""

    def measure(self) -> Sequence[Any]:
        """Returns the scores."""


class TerminateOnNaN(keras.callbacks.Callback):
    """Shows Keras' callback, which looks for `loss`, the sum of both players' losses.

    Args:
        callback: Keras' own.
    """

    def __init__(self, callback: keras.callbacks.Callback):
        super().__init__()
        self._callback = callback

    def set_model(self, model: keras.Model) -> None:
        """Learns which model that is."""
        super().set_model(model)
        self._callback.set_model(model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shows the losses."""
        losses = [float((logs or {}).get(f"{player}_loss", 0.0)) for player in BOTH]
        self._callback.on_train_batch_end(batch, {"loss": sum(losses)})


def in_order(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Puts the guard first, then what scores, and checkpoints last.

    So all others find weights that are finite, and scores in the logs; and what checkpoints save
    includes what the others did.

    Raises:
        ValueError: If a callback is made for a model with a single optimizer, or would write a file
            that cannot hold a GAN.
    """

    def place(callback: Any) -> int:
        if isinstance(callback, Watcher):
            return 0
        return 1 if isinstance(callback, Scorer) else 2 + isinstance(callback, Resumer)

    return sorted(map(_usable, listed(callbacks)), key=place)


def _usable(callback: keras.callbacks.Callback) -> keras.callbacks.Callback:
    """Returns a callback as a GAN can use it."""
    kinds, name = keras.callbacks, type(callback).__name__
    if isinstance(callback, kinds.LearningRateScheduler | kinds.ReduceLROnPlateau):
        raise ValueError(
            "A GAN has two optimizers, each with its own learning rate. Received: "
            f"{name}, which sets that of a model's only optimizer. Give the optimizers a "
            "schedule: Adam(keras.optimizers.schedules.CosineDecay(2e-4, 10_000)); or set both "
            "rates in a callback: gan.generator_optimizer.learning_rate.assign(1e-4)."
        )
    if isinstance(callback, kinds.SwapEMAWeights):
        raise ValueError(
            "A GAN keeps averages of its own, with batch statistics, by name. Received: "
            f"{name}, which swaps the one that a model's only optimizer keeps. Write "
            "compile(..., averages={'ema': tgs.ExponentialAverage(0.999)}) and "
            "tgs.callbacks.SwapWeights('ema')."
        )
    if isinstance(callback, kinds.ModelCheckpoint) and not callback.save_weights_only:
        check_ending(callback.filepath)
    # Of a class derived from it, only the user knows what its other hooks do.
    return TerminateOnNaN(callback) if type(callback) is kinds.TerminateOnNaN else callback


def check_ending(path: Any, zipped: bool | None = None) -> None:
    """Raises if a GAN cannot be saved under that name.

    Args:
        path: What `save` is given.
        zipped: What `save` is given.

    Raises:
        ValueError: If it does not end in `.keras`.
    """
    if zipped is not False and not str(path).startswith("hf://") and str(path)[-6:] != ".keras":
        raise ValueError(
            f"A GAN is saved as a file that ends in `.keras`. Received: {str(path)!r}. For the "
            "weights alone use save_weights('gan.weights.h5'), for the generator as a SavedModel "
            "gan.export('folder')."
        )


# What other programs call what `compile` and `GAN` take, and what to write.
_GENERATOR, _DISCRIMINATOR = "generator_optimizer=...", "discriminator_optimizer=..."
_LATENTS = "latents=... in GAN(generator, discriminator, latents=128)"
_LOSS = "loss='non_saturating', or a pair of functions"
FOR_COMPILE = {
    **dict.fromkeys(("optimizer", "optimizers"), f"{_GENERATOR} and {_DISCRIMINATOR}"),
    **dict.fromkeys(("g_optimizer", "gen_optimizer", "opt_g"), _GENERATOR),
    **dict.fromkeys(("d_optimizer", "disc_optimizer", "critic_optimizer", "opt_d"), _DISCRIMINATOR),
    **dict.fromkeys(("loss_fn", "loss_function", "criterion", "losses"), _LOSS),
    **dict.fromkeys(("g_loss_fn", "d_loss_fn", "gen_loss_fn", "disc_loss_fn"), _LOSS),
    **dict.fromkeys(
        ("metrics", "weighted_metrics"),
        "fit(..., callbacks=[tgs.callbacks.Evaluate(tgs.FID(...))])",
    ),
    **dict.fromkeys(("latent_dim", "noise_dim", "z_dim", "latents"), _LATENTS),
    **dict.fromkeys(
        ("discriminator_steps", "discriminator_extra_steps", "d_steps", "n_critic"),
        "scheme=tgs.Alternating(discriminator_steps=5)",
    ),
    **dict.fromkeys(("gp_weight", "gradient_penalty"), "penalties=[tgs.GradientPenalty(10.0)]"),
    **dict.fromkeys(("ema", "use_ema"), "averages={'ema': tgs.ExponentialAverage(0.999)}"),
}
FOR_GAN = {
    **dict.fromkeys(
        ("latent_dim", "noise_dim", "z_dim", "latent_size", "noise_size"), "latents=128"
    ),
    **dict.fromkeys(("classes", "n_classes", "num_labels"), "num_classes=10"),
    **dict.fromkeys(("g", "gen"), "generator=..."),
    **dict.fromkeys(("d", "disc", "critic"), "discriminator=..."),
}


def check_networks(networks: Players) -> None:
    """Raises where networks are of a kind that Keras cannot train with this library.

    Args:
        networks: What `GAN` is given.

    Raises:
        TypeError: If one is a model of Keras 2, or takes latents and labels as two arguments.
    """
    for name, network in networks._asdict().items():
        if any(kind.__module__.startswith("tf_keras") for kind in type(network).__mro__):
            raise TypeError(
                f"`{name}` must be a model of Keras 3, made by `import keras`. Received: "
                f"{type(network).__name__!r} of tf_keras, which is Keras 2. Build it with keras, "
                "and leave TF_USE_LEGACY_KERAS unset."
            )
        own = [] if not isinstance(network, keras.Model) else _arguments_of_call(network)
        if len(own) > 1:
            raise TypeError(
                f"`{name}` must take its inputs as one list: def call(self, inputs): "
                f"{', '.join(own)} = inputs. Received: call(self, {', '.join(own)})."
            )


def _arguments_of_call(network: keras.Model) -> list[str]:
    """Returns the names of the arguments that a network's `call` cannot do without."""
    found = inspect.signature(network.call).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        each.name
        for each in found
        if each.kind in positional
        and each.default is each.empty
        and each.name not in ("training", "mask")
    ]


def listed(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Returns callbacks as a list; Keras takes a single one, or none, too."""
    return [] if callbacks is None else tf.nest.flatten(callbacks)
