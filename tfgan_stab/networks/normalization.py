"""Keras' normalization layers with right second derivatives, for use with gradient penalties.

TensorFlow's `tf.nn.moments` treats the mean inside the variance as a constant. The variance's first
derivative is still right, as deviations from a mean sum to 0; its second derivative misses a term.
So the gradient of any penalty on input gradients is wrong behind Keras' own layers.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

ops = keras.ops


def moments(x: tf.Tensor, axes: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns mean and variance along some axes, with right derivatives of all orders.

    With any constant c, here the mean's value,

        Var(x) = mean((x - c)^2) - (mean(x) - c)^2

    is an identity in x, and so are its derivatives of all orders. The last term is 0 and has the
    derivative 0: values are those of `tf.nn.moments` to the bit, and first derivatives are too, up
    to the order of summation.

    Args:
        x: Float tensor.
        axes: The axes to average over.

    Returns:
        Mean and variance, shaped like x with size 1 along `axes`.
    """
    mean = tf.reduce_mean(x, axes, keepdims=True)
    center = tf.stop_gradient(mean)
    around_center = tf.reduce_mean(tf.math.squared_difference(x, center), axes, keepdims=True)
    return mean, around_center - tf.square(mean - center)


def _in_single_precision(inputs: Any) -> tf.Tensor:
    """Returns inputs in at least single precision, so that squares do not overflow."""
    return ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))


def _normalized(
    layer: keras.Layer, x: tf.Tensor, axes: Sequence[int], weights_shape: Sequence[int]
) -> tf.Tensor:
    """Returns x with mean 0 and variance 1 along the axes, then scaled and shifted."""
    mean, variance = moments(x, axes)
    factor = tf.math.rsqrt(variance + layer.epsilon)
    if layer.gamma is not None:
        factor *= ops.cast(ops.reshape(layer.gamma, weights_shape), x.dtype)
    shift = -mean * factor
    if layer.beta is not None:
        shift += ops.cast(ops.reshape(layer.beta, weights_shape), x.dtype)
    return x * factor + shift


@keras.saving.register_keras_serializable("tfgan_stab")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalization with right derivatives of all orders.

    Args:
        *args: As for `keras.layers.BatchNormalization`.
        **kwargs: As for `keras.layers.BatchNormalization`.

    Raises:
        ValueError: If `synchronized` or `renorm` is set.

    Example:
        >>> layer = BatchNormalization()
        >>> outputs = layer(keras.ops.convert_to_tensor([[1.0], [3.0]]), training=True)
        >>> [round(float(y), 2) for y in outputs[:, 0]]
        [-1.0, 1.0]

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167; the values of Keras' layer.
    Departures: No statistics across replicas, no batch renormalization. Inputs with a mask go to
        Keras' own code, whose masked statistics have right derivatives already.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Not all versions of Keras know `renorm`.
        for option in ("synchronized", "renorm"):
            if getattr(self, option, False):
                raise ValueError(
                    f"`{option}` must be False: its second derivatives may be wrong. Received: "
                    f"{option}=True. Use keras.layers.BatchNormalization(..., {option}=True) if "
                    "there is no gradient penalty."
                )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalizes by the batch's statistics in training, and by the moving ones otherwise."""
        if mask is not None or not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        x = _in_single_precision(inputs)
        channels = self.axis % len(x.shape)
        axes = [axis for axis in range(len(x.shape)) if axis != channels]
        mean, variance = (tf.squeeze(moment, axes) for moment in moments(x, axes))
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = ops.cast(moving, x.dtype)
            moving.assign(old * self.momentum + new * (1.0 - self.momentum))
        outputs = ops.batch_normalization(
            x,
            mean,
            variance,
            axis=self.axis,
            offset=None if self.beta is None else ops.cast(self.beta, x.dtype),
            scale=None if self.gamma is None else ops.cast(self.gamma, x.dtype),
            epsilon=self.epsilon,
        )
        return ops.cast(outputs, self.compute_dtype)


@keras.saving.register_keras_serializable("tfgan_stab")
class LayerNormalization(keras.layers.LayerNormalization):
    """Keras' layer normalization with right derivatives of all orders.

    Args:
        *args: As for `keras.layers.LayerNormalization`.
        **kwargs: As for `keras.layers.LayerNormalization`.

    Example:
        >>> outputs = LayerNormalization()(keras.ops.convert_to_tensor([[1.0, 5.0]]))
        >>> [round(float(y), 2) for y in outputs[0]]
        [-1.0, 1.0]

    Source: Ba et al. 2016, arXiv 1607.06450; the values of Keras' layer.
    Departures: With `rms_scaling`, in versions of Keras that have it, Keras' own code runs.
    """

    def call(self, inputs: Any) -> Any:
        """Normalizes along the layer's axes."""
        if getattr(self, "rms_scaling", False):
            return super().call(inputs)
        x = _in_single_precision(inputs)
        axes = [axis % len(x.shape) for axis in self.axis]
        shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
        return ops.cast(_normalized(self, x, axes, shape), self.compute_dtype)


@keras.saving.register_keras_serializable("tfgan_stab")
class GroupNormalization(keras.layers.GroupNormalization):
    """Keras' group normalization with right derivatives of all orders.

    Args:
        *args: As for `keras.layers.GroupNormalization`; `groups=-1` normalizes each channel alone
            (instance normalization).
        **kwargs: As for `keras.layers.GroupNormalization`.

    Example:
        >>> outputs = GroupNormalization(2)(keras.ops.convert_to_tensor([[1.0, 5.0, 2.0, 3.0]]))
        >>> [round(float(y), 1) for y in outputs[0]]
        [-1.0, 1.0, -1.0, 1.0]

    Source: Wu and He 2018, arXiv 1803.08494; the values of Keras' layer.
    Departures: None beyond rounding.
    """

    def call(self, inputs: Any) -> Any:
        """Normalizes each group of channels over all positions."""
        x = _in_single_precision(inputs)
        channels = self.axis % len(x.shape)
        pair = [self.groups, x.shape[channels] // self.groups]
        sizes = [ops.shape(x)[axis] for axis in range(len(x.shape))]
        grouped = [*sizes[:channels], *pair, *sizes[channels + 1 :]]
        weights_shape = [1] * len(grouped)
        weights_shape[channels : channels + 2] = pair
        axes = [axis for axis in range(1, len(grouped)) if axis != channels]
        outputs = _normalized(self, ops.reshape(x, grouped), axes, weights_shape)
        return ops.cast(ops.reshape(outputs, sizes), self.compute_dtype)
