"""What becomes of batch statistics in averages: averaged, copied, or measured anew.

Averaged weights have never seen a batch. Their batch statistics can be averaged too, which is what
the averaging paper does, or measured on images that the averaged generator itself makes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab._utils.apportionment import in_shares
from tfgan_stab.game.functional import network_inputs
from tfgan_stab.game.players import Players
from tfgan_stab.game.validation import Condition
from tfgan_stab.training.averaging.rules import Average


def normalizations(network: keras.Model) -> list[Any]:
    """Returns the layers with moving means and variances, such as batch normalization.

    Args:
        network: A built model.
    """
    names = ("moving_mean", "moving_variance", "momentum")
    return [
        layer
        for layer in network._flatten_layers()
        if all(getattr(layer, name, None) is not None for name in names)
    ]


def measurable(network: keras.Model) -> list[Any]:
    """Returns those layers that measure statistics in training; frozen ones do not."""
    return [layer for layer in normalizations(network) if layer.trainable and layer.momentum < 1]


def copied(networks: Sequence[keras.Model], treatment: str) -> list[bool]:
    """Returns for each variable whether an average holds a copy of it instead of a mean.

    Copied are integers and seeds, and floats that are not trained: a mean of spectral-norm vectors,
    each of length one, has another length. Batch statistics go by the rule's `batch_statistics`;
    those to be recalibrated are copied until they are used.

    Args:
        networks: The networks, in the order of the average's variables.
        treatment: The average's `batch_statistics`.
    """
    averaged: set[int] = set()
    for network in networks:
        averaged.update(id(variable) for variable in network.trainable_variables)
        if treatment == "average":
            for layer in normalizations(network):
                averaged.update((id(layer.moving_mean), id(layer.moving_variance)))
    return [id(variable) not in averaged for network in networks for variable in network.variables]


class Recalibration:
    """Replaces a generator's moving means and variances by measured ones.

    The generator makes some batches in training mode, with noise that only the GAN's seed and the
    batch's number decide, and classes as often as the data have them, where that is known. Over
    their equal sizes the statistics are pooled exactly::

        mean     = mean over batches of their means
        variance = mean over batches of (their variances + (their means - mean)^2)

    That is done when weights are first used, and again only if they have changed: what is measured
    is a function of the weights, so a resumed run need not remember it.

    Args:
        networks: Both networks; each of the generator's normalization layers is called once per
            batch.
        condition: What conditions the generator takes, if any.
        num_classes: The number of classes, if it is known yet; an attribute to be set later.
        latents: Draws latents, function `(count, key)`.
        seed: Decides the noise.
        rule: The average, for the number and size of batches.
        name: The average's name.

    Raises:
        ValueError: If there are no batch statistics, or those of a discriminator are averaged too.
    """

    def __init__(
        self,
        networks: Players,
        condition: Condition | None,
        num_classes: int | None,
        latents: Callable[..., tf.Tensor],
        seed: int,
        rule: Average,
        name: str,
    ):
        _check(networks, rule, name)
        self._generator = networks.generator
        self._condition = condition
        self.num_classes = num_classes
        self.class_shares: tuple[int, ...] = ()
        self._latents = latents
        self._seed = seed
        self._batches = rule.recalibration_batches
        self._batch_size = rule.recalibration_batch_size
        self._layers = measurable(self._generator)
        self._used: list[tf.Tensor] = []
        self._found: dict[int, np.ndarray] = {}
        self._measure = tf.function(self._measured, autograph=False)

    def __call__(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns weights with the batch statistics that belong to them.

        Args:
            values: The values of the generator's variables; others may follow them.
        """
        if not _same(self._used, values):
            self._found = self._pooled(values)
            self._used = values
        replaced = [
            tf.cast(self._found[id(variable)], value.dtype)
            if id(variable) in self._found
            else value
            for variable, value in zip(self._variables, values, strict=False)
        ]
        return [*replaced, *values[len(replaced) :]]

    def check_classes(self) -> None:
        """Raises ValueError if conditions are no classes, or it is not known how many there are."""
        if self._condition is None:
            return
        if not self._condition.classes:
            raise ValueError(
                "Recalibrating makes conditions of its own, and can make classes only. Received: a "
                f"generator that takes {self._condition}. Use "
                'batch_statistics="average".'
            )
        if self.num_classes is None:
            raise ValueError(
                "Recalibrating a class-conditional generator needs to know its classes. Received: "
                "num_classes=None. Write GAN(..., num_classes=10)."
            )

    @property
    def _variables(self) -> list[keras.Variable]:
        return self._generator.variables

    def _pooled(self, values: Sequence[tf.Tensor]) -> dict[int, np.ndarray]:
        """Returns pooled statistics by the identity of the variable that they belong to."""
        state = [
            tf.cast(value, variable.dtype)
            for variable, value in zip(self._variables, values, strict=False)
        ]
        seen = []
        for number in range(self._batches):
            key = random.key(self._seed, random.RECALIBRATING, number)
            latents = tf.cast(self._latents(self._batch_size, key), keras.config.floatx())
            found, state = self._measure(state, latents, self._classes(number))
            seen.append([[np.asarray(each, np.float64) for each in pair] for pair in found])
        pooled = {}
        for number, layer in enumerate(self._layers):
            means, variances = (np.stack([batch[number][k] for batch in seen]) for k in (0, 1))
            mean = means.mean(axis=0)
            pooled[id(layer.moving_mean)] = mean
            pooled[id(layer.moving_variance)] = np.mean(variances + (means - mean) ** 2, axis=0)
        return pooled

    def _classes(self, number: int) -> tf.Tensor | None:
        """Returns conditions of all classes, as often as the data have them or in turn."""
        self.check_classes()
        if self._condition is None:
            return None
        shares = self.class_shares or (1,) * (self.num_classes or 0)
        first = number * self._batch_size
        classes = in_shares(shares, first + self._batch_size)[first:].astype(np.int32)
        return self._condition.of_classes(classes)

    def _measured(
        self, state: list[tf.Tensor], latents: tf.Tensor, labels: tf.Tensor | None
    ) -> tuple[list[list[tf.Tensor]], list[tf.Tensor]]:
        """Returns each layer's mean and variance of a batch, and all variables with seeds advanced.

        A moving statistic that starts from 0 ends as `(1 - momentum)` times that of the batch.
        """
        layers = self._layers
        moving = {id(v) for layer in layers for v in (layer.moving_mean, layer.moving_variance)}
        pairs = [
            (variable, tf.zeros_like(value) if id(variable) in moving else value)
            for variable, value in zip(self._variables, state, strict=True)
        ]
        with keras.StatelessScope(pairs) as scope:
            self._generator(network_inputs(self._generator, latents, labels), training=True)
        found = [
            [
                tf.cast(scope.get_current_value(own), tf.float64) / (1.0 - layer.momentum)
                for own in (layer.moving_mean, layer.moving_variance)
            ]
            for layer in layers
        ]
        seeds = [
            value
            if variable.dtype.startswith(("float", "bfloat"))
            else scope.get_current_value(variable)
            for variable, value in zip(self._variables, state, strict=True)
        ]
        return found, seeds


def _check(networks: Players, rule: Average, name: str) -> None:
    if not measurable(networks.generator):
        raise ValueError(
            f"Average {name!r} recalibrates batch statistics, and expects a generator that has "
            "some. Received: a generator without batch normalization that is trained. Leave out "
            'batch_statistics="recalibrate".'
        )
    if rule.discriminator and measurable(networks.discriminator):
        raise ValueError(
            f"Average {name!r} recalibrates batch statistics on examples of the generator; those "
            "of a discriminator belong to real examples too. Received: discriminator=True and a "
            'discriminator with batch normalization. Use batch_statistics="average", or leave out '
            "discriminator=True."
        )


def _same(one: Sequence[tf.Tensor], other: Sequence[tf.Tensor]) -> bool:
    # An average may be in double precision, and the weights that it starts from in single.
    return len(one) == len(other) and all(
        a.dtype == b.dtype and bool(tf.reduce_all(tf.equal(a, b)))
        for a, b in zip(one, other, strict=True)
    )
