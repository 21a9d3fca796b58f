"""Gives a minibatch what penalties and top-k need beside examples: draws, due dates, and k."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab import distribution
from tfgan_stab.game import noise, top_k
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.penalties.contract import LossPenalty


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

    def given_to(self, batch: Batch, part: int, rounds: tf.Tensor, epochs: tf.Tensor) -> Batch:
        """Returns a minibatch with this round's draws, due dates and k.

        Args:
            batch: Examples, labels and latents.
            part: The minibatch's number in its round.
            rounds: int64 scalar, rounds done before this one.
            epochs: int64 scalar, epochs done.
        """
        draws = []
        for number, penalty in enumerate(self.penalties):
            key = noise.key(self.seed, noise.PENALTIES, rounds, part, number)
            draws.append(own_rows(self._drawn(penalty, batch), tf.shape(batch.reals)[0], key))
        intervals = [penalty.interval for penalty in self.penalties]
        # One and the same tensor for penalties that are due together.
        due = {i: i == 1 or tf.equal(rounds % i, 0) for i in intervals}
        return batch._replace(
            draws=tuple(draws),
            due=tuple(due[i] for i in intervals),
            kept=self._kept(batch, rounds, epochs),
        )

    def k(self, rows: tf.Tensor, rounds: tf.Tensor, epochs: tf.Tensor) -> list[tf.Tensor]:
        """Returns top-k's k for so many fakes of all replicas, float64; nothing without top-k."""
        if self.selection is None:
            return []
        return [self.selection.k(rows, self.selection.times_shrunk(rounds, epochs))]

    def _kept(self, batch: Batch, rounds: tf.Tensor, epochs: tf.Tensor) -> tf.Tensor | None:
        if self.selection is None:
            return None
        times = self.selection.times_shrunk(rounds, epochs)
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
