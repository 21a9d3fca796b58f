"""Which variables of a network are batch statistics, and which are copied instead of averaged."""

from collections.abc import Sequence
from typing import Any

import keras


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


def copied(networks: Sequence[keras.Model], rule: Any) -> list[bool]:
    """Returns for each variable whether an average holds a copy of it instead of a mean.

    Copied are integers and seeds, and floats that are not trained: a mean of spectral-norm vectors,
    each of length one, has another length. Batch statistics go by the rule's `batch_statistics`;
    those to be recalibrated are copied until they are used.

    Args:
        networks: The networks, in the order of the average's variables.
        rule: The average.
    """
    averaged: set[int] = set()
    for network in networks:
        averaged.update(id(variable) for variable in network.trainable_variables)
        if getattr(rule, "batch_statistics", "average") == "average":
            for layer in normalizations(network):
                averaged.update((id(layer.moving_mean), id(layer.moving_variance)))
    return [id(variable) not in averaged for network in networks for variable in network.variables]
