"""The same network with Keras' own layers, for files that load without this package."""

from typing import Any

import keras

from tfgan_stab.networks.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
)
from tfgan_stab.networks.r3gan import GroupedConv2D
from tfgan_stab.networks.resizing import Resizing, UpSampling2D

# Layers that differ from Keras' own in their second derivatives or speed only. Not among them is
# `SpectralNormalization`: Keras' layer of this name uses the raw weights outside of training.
KERAS_LAYERS: dict[type, type] = {
    BatchNormalization: keras.layers.BatchNormalization,
    LayerNormalization: keras.layers.LayerNormalization,
    GroupNormalization: keras.layers.GroupNormalization,
    GroupedConv2D: keras.layers.Conv2D,
    UpSampling2D: keras.layers.UpSampling2D,
    Resizing: keras.layers.Resizing,
}


def with_keras_layers(network: keras.Model) -> keras.Model:
    """Returns a network with the same outputs and weights, and Keras' own layers.

    Gradient penalties need this package's layers for their second derivatives; sampling does not.

    Args:
        network: Any Keras model.

    Returns:
        A copy in which Keras' layers replace those of this package; the network itself if there are
        none, or if it, or a model inside it, is a custom model class, which cannot be cloned layer
        by layer. Layers without a Keras counterpart, such as `SpectralNormalization`, stay, and so
        do those inside custom layers.

    Example:
        >>> ours = keras.Sequential([keras.Input((2,)), LayerNormalization()])
        >>> [type(layer).__module__.split(".")[0] for layer in with_keras_layers(ours).layers]
        ['keras']
    """
    layers = list(network._flatten_layers())
    models = [layer for layer in layers if isinstance(layer, keras.Model)]
    if not any(type(layer) in KERAS_LAYERS for layer in layers) or not all(map(_is_plain, models)):
        return network
    copy = keras.models.clone_model(network, clone_function=_keras_layer, recursive=True)
    copy.set_weights(network.get_weights())
    return copy


def _is_plain(model: keras.Model) -> bool:
    """Returns whether a model is defined by its layers alone, unlike a custom class."""
    known = isinstance(model, (keras.Sequential, keras.Function))
    return known and type(model).__module__.startswith("keras.")


def _keras_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    kind: Any = KERAS_LAYERS.get(type(layer), type(layer))
    config = layer.get_config()
    if isinstance(layer, Resizing | UpSampling2D):
        config["data_format"] = "channels_last"  # Whatever keras.json says.
    return kind.from_config(config)
