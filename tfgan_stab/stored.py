"""Tensors that outlive a round: what a scheme remembers, kept in variables."""

from typing import Any

import keras
import tensorflow as tf

from tfgan_stab import distribution


class StoredTensors(keras.layers.Layer):
    """Keeps nested tensors in variables; a layer only so that Keras saves them.

    Args:
        example: The tensors' structure, shapes and types.
        name: What they are.
    """

    def __init__(self, example: Any, name: str):
        super().__init__(name=name, trainable=False)
        # A function, because Keras would turn a nested attribute into containers of its own.
        structure = tf.nest.map_structure(lambda _: 0, example)
        self._structure = lambda: structure
        for number, value in enumerate(map(tf.convert_to_tensor, tf.nest.flatten(example))):
            self.add_weight(
                shape=value.shape,
                dtype=value.dtype.name,
                initializer="zeros",
                trainable=False,
                name=f"tensor_{number}",
            )
        self.built = True

    def read(self) -> Any:
        """Returns the tensors, nested as the example was."""
        return tf.nest.pack_sequence_as(self._structure(), distribution.read(self.weights))

    def write(self, tensors: Any) -> None:
        """Keeps other tensors of the same structure instead."""
        distribution.write(self.weights, tf.nest.flatten(tensors))
