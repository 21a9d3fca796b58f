"""What the tests of networks share."""

import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).parent))

layers = keras.layers


def critic(layer):
    """A smooth discriminator with a layer between two convolutions."""
    return keras.Sequential(
        [
            keras.Input((6, 6, 2), dtype="float64"),
            layers.Conv2D(4, 3, padding="same", activation="tanh", dtype="float64"),
            layer,
            layers.Conv2D(2, 3, activation="tanh", dtype="float64"),
            layers.Flatten(dtype="float64"),
            layers.Dense(1, use_bias=False, dtype="float64"),
        ]
    )


def gradient_penalty(network, weights, images):
    """The sum of the squared input gradients, as in R1, at the given weights."""
    with keras.StatelessScope(zip(network.trainable_variables, weights, strict=True)):
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = tf.reduce_sum(network(images, training=True))
        return tf.reduce_sum(tape.gradient(logits, images) ** 2)


def penalty_derivatives(layer, step=1e-5):
    """A gradient penalty's derivative along a direction of all weights: by tape, by differences."""
    network, random = critic(layer), np.random.RandomState(0)
    shapes = [w.shape for w in network.trainable_variables]
    weights = [tf.constant(random.normal(size=shape)) for shape in shapes]
    directions = [random.normal(size=shape) for shape in shapes]
    images = tf.constant(random.normal(size=[4, 6, 6, 2]))
    with tf.GradientTape() as tape:
        tape.watch(weights)
        penalty = gradient_penalty(network, weights, images)
    gradients = tape.gradient(penalty, weights, unconnected_gradients="zero")
    by_tape = sum(
        np.sum(tf.convert_to_tensor(g) * d) for g, d in zip(gradients, directions, strict=True)
    )

    def at(distance):
        moved = [w + distance * d for w, d in zip(weights, directions, strict=True)]
        return float(gradient_penalty(network, moved, images))

    return by_tape, (at(step) - at(-step)) / (2 * step)


@pytest.fixture(name="penalty_derivatives")
def penalty_derivatives_fixture():
    return penalty_derivatives
