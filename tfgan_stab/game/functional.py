"""Both networks as pure functions at given weights: nothing is read from variables or written."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab.game.players import BOTH, Players


class Minibatch(NamedTuple):
    """What one evaluation of the gradients is computed on, with all its random numbers.

    Attributes:
        real_images: float `[batch, ...]`, the data (images, points or texts).
        labels: int32 `[batch]`, the classes, or `None` for an unconditional pair. The fake images
            are made for the same classes.
        latents: float `[batch, latents]`, the generator's noise.
        noise: For each loss penalty, in order, nested tensors `[batch, ...]`: its own noise.
        active: For each loss penalty, in order, whether it is added in this step: a Python boolean
            where the gradients are computed; before that, a boolean scalar where it depends on the
            step.
        num_kept: int32 scalar, how many of the fake images the generator learns from; `None` for
            all.
        fake_weights: float `[batch]`, what each fake image counts for in the generator's loss,
            where replicas choose together; `None` elsewhere.
    """

    real_images: tf.Tensor
    labels: tf.Tensor | None
    latents: tf.Tensor
    noise: tuple = ()
    active: tuple = ()
    num_kept: tf.Tensor | None = None
    fake_weights: tf.Tensor | None = None

    def without_penalties(self) -> "Minibatch":
        """Returns the minibatch for the losses alone: no loss penalty is active."""
        return self._replace(active=(False,) * len(self.active))


def only(values: Players, players: Sequence[str]) -> Players:
    """Returns the values of the players named, `None` for the others.

    Example:
        >>> only(Players(1, 2), ["discriminator"])
        Players(generator=None, discriminator=2)
    """
    return Players(*(v if name in players else None for name, v in zip(BOTH, values, strict=True)))


class Output(NamedTuple):
    """What a network's call gives.

    Attributes:
        values: The examples, or the logits.
        state: The network's non-trainable variables after the call.
        regularization: The losses that its layers declare, a scalar.
    """

    values: tf.Tensor
    state: list[tf.Tensor]
    regularization: Any


class NetworksAt:
    """A generator and a discriminator at one point.

    Args:
        networks: `Players` of built Keras models.
        params: `Players` of lists of tensors, the trainable weights.
        state: `Players` of lists of tensors, the non-trainable variables. Every call starts from
            them, so that two calls see the same power iteration and the same dropout.
        labels: int32 `[batch]`, or `None`.
        training: Whether layers behave as in training.
    """

    def __init__(
        self,
        networks: Players,
        params: Players,
        state: Players,
        labels: tf.Tensor | None,
        training: bool = True,
    ):
        self._networks = networks
        self._params = params
        self._state = state
        self._labels = labels
        self._training = training

    def generate(self, latents: tf.Tensor) -> Output:
        """Returns examples for latents."""
        return self._call("generator", latents)

    def discriminate(self, examples: tf.Tensor) -> Output:
        """Returns logits for examples; half-precision ones as float32, for sums need more."""
        output = self._call("discriminator", examples)
        logits = output.values
        exact = tf.cast(logits, tf.float32) if logits.dtype.size < 4 else logits
        # An operation that TensorFlow moves no arithmetic across: it would merge a loss with the
        # last layer, and round otherwise, where nothing else uses the logits.
        return output._replace(values=tf.ensure_shape(exact, exact.shape))

    def _call(self, player: str, inputs: tf.Tensor) -> Output:
        network = getattr(self._networks, player)
        values = [
            *zip(network.trainable_variables, getattr(self._params, player), strict=True),
            *zip(network.non_trainable_variables, getattr(self._state, player), strict=True),
        ]
        # A call inside a scope of substituted values; `stateless_call` would bypass `__call__`,
        # which hands `training` down to the layers of a subclassed model.
        with keras.StatelessScope(collect_losses=True) as scope:
            for update in values:
                scope.add_update(update)  # As they are; the constructor would round to float32.
            outputs = network(
                inputs if self._labels is None else [inputs, self._labels], training=self._training
            )
            regularization = sum(network.losses)
        after = [scope.get_current_value(v) for v in network.non_trainable_variables]
        return Output(outputs, after, regularization)
