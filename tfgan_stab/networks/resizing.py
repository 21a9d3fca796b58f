"""Resize layers whose second derivatives exist: a gradient penalty sees through them.

TensorFlow's bilinear resize has a gradient whose own gradient is declared to be nothing, so that a
penalty on a discriminator's input gradients silently loses what passes through `UpSampling2D` or
`Resizing` of Keras. Resizing is linear and separable: here it is two products with small constant
matrices, which TensorFlow differentiates as often as it is asked to.
"""

from typing import Any

import keras
import numpy as np

ops = keras.ops

INTERPOLATIONS = ("bilinear", "nearest", "area")


def interpolation_matrix(
    inputs: int, outputs: int, interpolation: str = "bilinear", antialias: bool = False
) -> np.ndarray:
    """Returns the matrix that resizes a row of pixels.

    Output pixel i has its centre at (i + 1/2) inputs / outputs, in input pixels; input pixel j at
    j + 1/2.

    Args:
        inputs: Pixels of the row, >= 1.
        outputs: Pixels wanted, >= 1.
        interpolation: "bilinear": weights fall off linearly to 0 at one input pixel's distance (at
            `inputs / outputs` pixels, if that is more, with `antialias`); beyond the border there
            is nothing, and weights are scaled to a sum of 1. "nearest": the input pixel in which
            the centre lies. "area": the mean over the area that the output pixel covers.
        antialias: Whether a smaller "bilinear" image takes every input pixel into account.

    Returns:
        Float64 `[outputs, inputs]`; each row sums to 1.

    Example:
        >>> interpolation_matrix(2, 4)
        array([[1.  , 0.  ],
               [0.75, 0.25],
               [0.25, 0.75],
               [0.  , 1.  ]])
    """
    ratio = inputs / outputs
    pixels = np.arange(inputs)
    if interpolation == "nearest":
        # In integers: centres may lie exactly between two pixels.
        nearest = (2 * np.arange(outputs) + 1) * inputs // (2 * outputs)
        return (nearest[:, None] == pixels).astype(np.float64)
    if interpolation == "area":
        edges = np.arange(outputs + 1)[:, None] * ratio
        ends = np.minimum(edges[1:], pixels + 1)
        weights = np.maximum(ends - np.maximum(edges[:-1], pixels), 0.0)
    else:
        centres = (np.arange(outputs)[:, None] + 0.5) * ratio
        reach = max(ratio, 1.0) if antialias else 1.0
        weights = np.maximum(1.0 - np.abs(pixels + 0.5 - centres) / reach, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


class _Separable(keras.Layer):
    """A linear map of rows and columns; subclasses say how large the outputs are."""

    interpolations: tuple[str, ...] = INTERPOLATIONS

    def __init__(self, interpolation: str, antialias: bool, data_format: str, **kwargs: Any):
        if interpolation not in self.interpolations:
            raise ValueError(
                f"`interpolation` must be one of {', '.join(self.interpolations)}. Received: "
                f"{interpolation!r}. Use 'bilinear'."
            )
        if antialias and interpolation != "bilinear":
            raise ValueError(
                "`antialias` needs interpolation='bilinear'. Received: antialias=True with "
                f"{interpolation!r}, where it changes nothing. Leave it out."
            )
        if data_format != "channels_last":
            raise ValueError(
                "`data_format` must be 'channels_last'. Received: "
                f"{data_format!r}. Put keras.layers.Permute((2, 3, 1)) before this layer."
            )
        super().__init__(**kwargs)
        self.interpolation = interpolation
        self.antialias = antialias

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Returns the outputs' height and width, in pixels."""
        raise TypeError(f"{type(self).__name__} must define `target(height, width)`.")

    def call(self, inputs: Any) -> Any:
        """Resizes images `[batch, height, width, channels]`."""
        _, height, width, _ = _checked_shape(self, inputs.shape)
        rows, columns = self.target(height, width)
        images = ops.cast(inputs, self.compute_dtype)
        images = ops.einsum("oh,bhwc->bowc", self._matrix(height, rows), images)
        return ops.einsum("ow,bhwc->bhoc", self._matrix(width, columns), images)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the outputs for inputs of a shape."""
        batch, height, width, channels = _checked_shape(self, input_shape)
        return (batch, *self.target(height, width), channels)

    def _matrix(self, inputs: int, outputs: int) -> Any:
        matrix = interpolation_matrix(inputs, outputs, self.interpolation, self.antialias)
        return ops.convert_to_tensor(matrix, self.compute_dtype)


@keras.saving.register_keras_serializable("tfgan_stab")
class UpSampling2D(_Separable):
    """Makes images larger by whole factors, and is right to second order.

    Args:
        size: The factor for height and width, an integer >= 1, or a pair of them.
        interpolation: "bilinear" or "nearest".
        data_format: Only "channels_last".
        **kwargs: `name`, `dtype` and so on, as in other layers.

    Returns:
        Called on float `[batch, height, width, channels]`, whose height and width are known when
        the model is built: `[batch, size * height, size * width, channels]`.

    Raises:
        ValueError: If an argument is none of these, or the inputs have another shape.

    Example:
        >>> UpSampling2D(2)(keras.ops.ones((1, 3, 5, 2))).shape
        TensorShape([1, 6, 10, 2])

    Source: The values of `keras.layers.UpSampling2D`; pixel centres as in `tf.image.resize`.
    Departures: "bilinear" by default; "bicubic" and the Lanczos kernels are left out.
    """

    interpolations = ("bilinear", "nearest")

    def __init__(
        self,
        size: int | tuple[int, int] = 2,
        interpolation: str = "bilinear",
        data_format: str = "channels_last",
        **kwargs: Any,
    ):
        super().__init__(interpolation, False, data_format, **kwargs)
        pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
        if len(pair) != 2:
            raise ValueError(
                "`size` must be an integer or a pair of integers. Received: "
                f"{size!r}. Use size=(2, 2) to double height and width."
            )
        self.size = (_pixels("size", pair[0]), _pixels("size", pair[1]))

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Returns the outputs' height and width, in pixels."""
        return height * self.size[0], width * self.size[1]

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        return {**super().get_config(), "size": self.size, "interpolation": self.interpolation}


@keras.saving.register_keras_serializable("tfgan_stab")
class Resizing(_Separable):
    """Gives images a height and a width, and is right to second order.

    Args:
        height: Of the outputs, in pixels, >= 1.
        width: Of the outputs, in pixels, >= 1.
        interpolation: "bilinear", "nearest", or "area", which takes the mean over the area that an
            output pixel covers: average pooling, for sizes that need not divide.
        antialias: With "bilinear", whether a smaller image takes every input pixel into account.
        data_format: Only "channels_last".
        **kwargs: `name`, `dtype` and so on, as in other layers.

    Returns:
        Called on float `[batch, rows, columns, channels]`, whose rows and columns are known when
        the model is built: `[batch, height, width, channels]`.

    Raises:
        ValueError: If an argument is none of these, or the inputs have another shape.

    Example:
        >>> Resizing(4, 7, antialias=True)(keras.ops.ones((1, 9, 9, 3))).shape
        TensorShape([1, 4, 7, 3])

    Source: The values of `tf.image.resize`, which `keras.layers.Resizing` calls.
    Departures: No cropping and no padding to an aspect ratio; no kernels but these. A "nearest"
        centre exactly between two pixels always takes the later one, where TensorFlow's rounding in
        single precision decides.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        antialias: bool = False,
        data_format: str = "channels_last",
        **kwargs: Any,
    ):
        super().__init__(interpolation, antialias, data_format, **kwargs)
        self.height = _pixels("height", height)
        self.width = _pixels("width", width)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Returns the outputs' height and width, in pixels."""
        return self.height, self.width

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        config = {"height": self.height, "width": self.width, "interpolation": self.interpolation}
        return {**super().get_config(), **config, "antialias": self.antialias}


def _pixels(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"`{name}` must be made of integers >= 1. Received: {value!r}. Use {name}=2, say."
        )
    return value


def _checked_shape(layer: keras.Layer, shape: Any) -> tuple[Any, ...]:
    shape = tuple(shape)
    if len(shape) != 4 or None in shape[1:3]:
        raise ValueError(
            f"{layer.name!r} needs inputs [batch, height, width, channels] of known height and "
            f"width. Received: shape {shape}. Give keras.Input((height, width, channels))."
        )
    return shape
