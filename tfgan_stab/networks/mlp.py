"""Multilayer perceptrons for points in the plane and other small problems."""

from typing import Any

import keras

layers = keras.layers


def mlp_generator(
    size: int = 2,
    latents: int = 32,
    width: int = 128,
    depth: int = 2,
    activation: str = "relu",
    initializer: Any = "glorot_uniform",
    name: str = "generator",
) -> keras.Model:
    """Builds a multilayer perceptron from noise to points.

    Args:
        size: Number of coordinates of a point.
        latents: Size of the noise.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        activation: Name of a Keras activation, for hidden layers.
        initializer: A Keras initializer or its name; each layer draws its own weights. Biases start
            at 0.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, size]`, linear at the end.

    Example:
        >>> mlp_generator(size=2, latents=32).output_shape
        (None, 2)
    """
    return _perceptron(latents, size, width, depth, activation, initializer, name)


def mlp_discriminator(
    size: int = 2,
    width: int = 128,
    depth: int = 2,
    activation: str = "relu",
    initializer: Any = "glorot_uniform",
    name: str = "discriminator",
) -> keras.Model:
    """Builds a multilayer perceptron from points to one logit each.

    Args:
        size: Number of coordinates of a point.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        activation: Name of a Keras activation, for hidden layers.
        initializer: A Keras initializer or its name; each layer draws its own weights. Biases start
            at 0.
        name: The model's name.

    Returns:
        A model from float `[batch, size]` to logits `[batch, 1]`.

    Example:
        >>> mlp_discriminator(size=2).output_shape
        (None, 1)
    """
    return _perceptron(size, 1, width, depth, activation, initializer, name)


def _perceptron(
    inputs: int,
    outputs: int,
    width: int,
    depth: int,
    activation: str,
    initializer: Any,
    name: str,
) -> keras.Model:
    def dense(units: int, activation: str | None = None) -> keras.Layer:
        # One initializer returns the same numbers at each call: each layer needs its own.
        kernel = keras.initializers.get(initializer).clone()
        return layers.Dense(units, activation=activation, kernel_initializer=kernel)

    hidden = [dense(width, activation) for _ in range(depth)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, dense(outputs)], name=name)
