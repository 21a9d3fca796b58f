"""The same network built of Keras' own layers, for files that load without this package."""

from typing import Any

import keras

from tfgan_stab.networks.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
)
from tfgan_stab.networks.resizing import Resizing, UpSampling2D

# Layers that differ from Keras' own in their second derivatives only. Spectral normalization is
# another function than Keras', which uses the raw weights outside of training.
TWINS: dict[type, type] = {
    BatchNormalization: keras.layers.BatchNormalization,
    LayerNormalization: keras.layers.LayerNormalization,
    GroupNormalization: keras.layers.GroupNormalization,
    UpSampling2D: keras.layers.UpSampling2D,
    Resizing: keras.layers.Resizing,
}


def with_keras_layers(network: keras.Model) -> keras.Model:
    """Returns a network of the same values and weights, without layers of this package.

    Penalties on slopes need layers with right second derivatives; whoever only wants outputs does
    not, nor this package.

    Args:
        network: Any Keras model.

    Returns:
        A copy in which Keras' own layers stand for those of this package; the network itself if it
        has none, or if it, or a model inside it, is a class of its own that cannot be taken apart.
        Layers inside of custom layers stay, and those without a twin, such as
        `SpectralNormalization`.

    Example:
        >>> ours = keras.Sequential([keras.Input((2,)), LayerNormalization()])
        >>> [type(layer).__module__.split(".")[0] for layer in with_keras_layers(ours).layers]
        ['keras']
    """
    layers = list(network._flatten_layers())
    models = [layer for layer in layers if isinstance(layer, keras.Model)]
    if not any(type(layer) in TWINS for layer in layers) or not all(map(_is_plain, models)):
        return network
    copy = keras.models.clone_model(network, clone_function=_twin, recursive=True)
    copy.set_weights(network.get_weights())
    return copy


def _is_plain(model: keras.Model) -> bool:
    """Returns whether a model is no more than its layers: a class of the user's may be."""
    known = isinstance(model, (keras.Sequential, keras.Function))
    return known and type(model).__module__.startswith("keras.")


def _twin(layer: keras.layers.Layer) -> keras.layers.Layer:
    kind: Any = TWINS.get(type(layer), type(layer))
    return kind.from_config(layer.get_config())
