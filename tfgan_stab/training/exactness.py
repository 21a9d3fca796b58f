"""Lets networks compute in float64 for a while, for derivatives by finite differences."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab.game.functional import NetworksAt
from tfgan_stab.game.players import Players
from tfgan_stab.networks.spectral_normalization import SpectralNormalization

# What layers and functions raise that insist on a type, and operations that have no kernel for it.
INSISTING = (TypeError, ValueError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)


@contextlib.contextmanager
def exact(setting: Any) -> Iterator[tuple[bool, Any]]:
    """Yields whether both networks can compute in float64, and the setting to use.

    Inside, all layers have the policy "float64" if they can, and their own if not.

    Args:
        setting: A `Setting`: networks, weights, states and a batch.
    """
    layers = [layer for network in setting.networks for layer in network._flatten_layers()]
    policies = [layer.dtype_policy for layer in layers]
    doors = _symbolic_inputs(layers)
    types = [door.dtype for door in doors]
    # Vectors of power iterations count as constants: differences must not move them.
    iterating = [layer for layer in layers if isinstance(layer, SpectralNormalization)]
    iterations = [layer.power_iterations for layer in iterating]
    floatx = keras.config.floatx()

    def restore() -> None:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy
        for door, dtype in zip(doors, types, strict=True):
            door._dtype = dtype
        for layer, count in zip(iterating, iterations, strict=True):
            layer.power_iterations = count
        keras.config.set_floatx(floatx)

    double = setting._replace(
        params=_cast(setting.params), state=_cast(setting.state), batch=_cast(setting.batch)
    )
    try:
        keras.config.set_floatx("float64")
        for layer in layers:
            layer.dtype_policy = "float64"
        for door in doors:
            door._dtype = "float64"
        for layer in iterating:
            layer.power_iterations = 0
        if _works(double):
            yield True, double
        else:
            restore()
            yield False, setting
    finally:
        restore()


def _symbolic_inputs(layers: list[keras.layers.Layer]) -> list[Any]:
    """Returns models' real inputs, to whose types they step what they are called with.

    A functional model asks its symbolic inputs for the type, a sequential one its input layer too.
    """
    models = [layer for layer in layers if isinstance(layer, keras.Model)]
    inputs = [tensor for model in models for tensor in getattr(model, "inputs", None) or ()]
    inputs += [layer for layer in layers if isinstance(layer, keras.layers.InputLayer)]
    return [door for door in inputs if "float" in door.dtype]


def _works(setting: Any) -> bool:
    """Returns whether both networks can be called, and differentiated, in float64."""
    networks = NetworksAt(
        Players(*setting.networks), setting.params, setting.state, setting.batch.labels
    )
    try:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(setting.params)
            fakes = networks.generate(setting.batch.latents).values
            logits = networks.discriminate(fakes).values
        tape.gradient(logits, setting.params)
    except INSISTING:
        return False
    return logits.dtype == tf.float64


def _cast(values: Any) -> Any:
    return tf.nest.map_structure(
        lambda v: tf.cast(v, tf.float64) if tf.is_tensor(v) and v.dtype.is_floating else v, values
    )
