"""From what `fit` hands over to the minibatches that a step is played on."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.game import top_k
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.penalties.base import LossPenalty
from tfgan_stab.game.validation import Pair
from tfgan_stab.training import distribution
from tfgan_stab.updates.scheme import Scheme


def is_ours(x: Any) -> bool:
    """Returns whether data are a set of `tgs.data`, which starts at any step."""
    return hasattr(x, "starting_at")


def unpacked(data: Any, pair: Pair) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns a batch's examples and labels, as the networks expect them.

    Args:
        data: What Keras hands to `train_step`: examples, or `(examples, labels)`.
        pair: What the networks expect.

    Raises:
        TypeError: If examples are no floats, or labels no integers.
        ValueError: If shapes do not fit, or labels are missing, superfluous or weighted.
    """
    reals, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(reals, np.ndarray):  # What Keras hands over where no graph is built.
        reals, labels = (None if v is None else tf.convert_to_tensor(v) for v in (reals, labels))
    _check(reals, labels, weights, pair)
    # Data may not know their own sizes; the networks do.
    shaped = tf.ensure_shape(reals, [None, *pair.example_shape])
    floats = tf.cast(shaped, keras.config.floatx())
    return floats, None if labels is None else tf.cast(labels, tf.int32)


def split(
    reals: tf.Tensor,
    labels: tf.Tensor | None,
    scheme: Scheme,
    draw: Callable[..., tf.Tensor],
    step_number: tf.Tensor,
) -> list[Batch]:
    """Splits a step's batch into the minibatches its scheme asks for, each with its noise.

    Args:
        reals: float `[parts * batch, ...]`; minibatches follow one another along axis 0.
        labels: int32 `[parts * batch]`, or `None`.
        scheme: Says how many parts there are.
        draw: Function `(count, *counters) -> latents`.
        step_number: int64 scalar, the steps done before this one.

    Raises:
        ValueError: If the batch cannot be split evenly.
    """
    count = scheme.minibatches
    rows = reals.shape[0]
    if rows is not None:
        check_divides(rows, scheme, "a batch of {} (per replica)")
    elif count > 1:
        remainder = tf.shape(reals)[0] % count
        check = tf.debugging.assert_equal(remainder, 0, _does_not_divide(scheme, "another batch"))
        with tf.control_dependencies([check] if check is not None else []):
            reals = tf.identity(reals)
    shares = zip(
        tf.split(reals, count),
        [None] * count if labels is None else tf.split(labels, count),
        strict=True,
    )
    return [
        Batch(
            minibatch, classes, draw(tf.shape(minibatch)[0], random.TRAINING, step_number, number)
        )
        for number, (minibatch, classes) in enumerate(shares)
    ]


def check_divides(rows: int, scheme: Scheme, what: str) -> None:
    """Raises ValueError if rows cannot be split among a scheme's parts.

    Args:
        rows: Rows of a batch.
        scheme: Says how many parts there are.
        what: What the rows are, with `{}` for their number.
    """
    if rows % scheme.minibatches:
        raise ValueError(_does_not_divide(scheme, what.format(rows)))


def _does_not_divide(scheme: Scheme, received: str) -> str:
    return (
        f"{scheme} splits each batch into {scheme.minibatches} equal minibatches. Received: "
        f"{received}. Batch by a multiple of {scheme.minibatches} without a smaller last batch, or "
        "give `fit` a data set of tgs.data, which takes care of it."
    )


def _check(reals: Any, labels: Any, weights: Any, pair: Pair) -> None:
    """Raises where a batch is not what the networks expect.

    Raises:
        TypeError: If examples are no floats, or labels no integers.
        ValueError: If shapes do not fit, or labels are missing, superfluous or weighted.
    """
    if weights is not None:
        raise ValueError(
            "A batch must be examples, or (examples, labels). Received: a third element. Weights "
            "of samples have no meaning in a GAN's game; leave them out."
        )
    if pair.conditional and labels is None:
        raise ValueError(
            "The networks take class labels, so batches must be (examples, labels). Received: "
            "examples alone. Load the data with labels=True."
        )
    if not pair.conditional and labels is not None:
        raise ValueError(
            "The networks take no class labels, so batches must be examples alone. Received: "
            "(examples, labels). Drop them: dataset.map(lambda examples, labels: examples)."
        )
    if not tf.is_tensor(reals) or not reals.dtype.is_floating:
        kind = getattr(reals, "dtype", type(reals)).name if tf.is_tensor(reals) else type(reals)
        raise TypeError(
            f"Examples must be floats, images in [-1, 1]. Received: {kind}. Scale bytes with "
            "tf.cast(images, tf.float32) / 127.5 - 1, or load them through tgs.data."
        )
    if labels is not None and not labels.dtype.is_integer:
        raise TypeError(f"Labels must be integers, shape [batch]. Received: {labels.dtype.name}.")
    shape = reals.shape[1:]
    if not shape.is_compatible_with(pair.example_shape):
        raise ValueError(
            f"Examples must have the shape that the generator returns, {list(pair.example_shape)}. "
            f"Received: {list(shape)}. Resize the data, or change both networks."
        )


# DOC: """Gives a minibatch what penalties and top-k need beside examples: draws, due dates, and
# k."""
#


class Equipment(NamedTuple):
    """What the game needs beside examples and latents.

    Attributes:
        penalties: The terms of the losses.
        selection: Which fakes the generator learns from; `None` for all.
        seed: Decides the penalties' noise.
    """

    penalties: Sequence[LossPenalty]
    selection: top_k.TopK | None
    seed: int

    def given_to(self, batch: Batch, minibatch: int, steps: tf.Tensor, epochs: tf.Tensor) -> Batch:
        """Returns a minibatch with this step's draws, due dates and k.

        Args:
            batch: Examples, labels and latents.
            minibatch: The minibatch's number in its step.
            steps: int64 scalar, steps done before this one.
            epochs: int64 scalar, epochs done.
        """
        draws = []
        for number, penalty in enumerate(self.penalties):
            key = random.key(self.seed, random.PENALTIES, steps, minibatch, number)
            draws.append(own_rows(self._drawn(penalty, batch), tf.shape(batch.reals)[0], key))
        intervals = [penalty.interval for penalty in self.penalties]
        # One and the same tensor for penalties that are due together.
        due = {i: i == 1 or tf.equal(steps % i, 0) for i in intervals}
        return batch._replace(
            draws=tuple(draws),
            due=tuple(due[i] for i in intervals),
            kept=self._kept(batch, steps, epochs),
        )

    def k(self, rows: tf.Tensor, steps: tf.Tensor, epochs: tf.Tensor) -> list[tf.Tensor]:
        """Returns top-k's k for so many fakes of all replicas, float64; nothing without top-k."""
        if self.selection is None:
            return []
        return [self.selection.k(rows, self.selection.times_shrunk(steps, epochs))]

    def _kept(self, batch: Batch, steps: tf.Tensor, epochs: tf.Tensor) -> tf.Tensor | None:
        if self.selection is None:
            return None
        times = self.selection.times_shrunk(steps, epochs)
        if self.selection.scope == "global":
            return top_k.rounded(self.selection.k(distribution.rows_of(batch.reals).total, times))
        replicas = distribution.num_replicas()
        own = self.selection.k(tf.shape(batch.reals)[0] * replicas, times)
        return top_k.rounded(own / replicas)

    def _drawn(self, penalty: LossPenalty, batch: Batch) -> Callable[..., Any]:
        example, latent = _sizes(batch.reals), _sizes(batch.latents)
        return lambda count, key: penalty.draw(count, example, latent, key)


def _sizes(values: tf.Tensor) -> list[Any]:
    """Returns the shape of one row; sizes that the graph does not know as tensors."""
    known = list(enumerate(values.shape))[1:]
    return [tf.shape(values)[axis] if size is None else size for axis, size in known]


def own_rows(sampler: Callable[..., Any], count: Any, key: tf.Tensor) -> Any:
    """Returns this replica's rows of the noise that all replicas share, nested `[count, ...]`.

    Drawing the whole and keeping some makes N replicas see what one would have seen.

    Args:
        sampler: Function `(count, key) -> nested tensors [count, ...]`.
        count: This replica's rows.
        key: int32 `[2]`.
    """
    first = distribution.replica_number() * count
    return tf.nest.map_structure(
        lambda drawn: tf.cast(drawn[first : first + count], keras.config.floatx()),
        sampler(count * distribution.num_replicas(), key),
    )
