"""Resize layers that have second derivatives, for use with gradient penalties.

TensorFlow declares the gradient of its bilinear resize to have no gradient. So the gradient of a
penalty on input gradients silently loses what passes through Keras' `UpSampling2D` or `Resizing`.
Resizing is linear and separable: here it is two products with small constant matrices, which
TensorFlow can differentiate any number of times.
"""

from typing import Any

import keras
import numpy as np

from tfgan_stab._utils import validation

ops = keras.ops

INTERPOLATIONS = ("bilinear", "nearest", "area")


def interpolation_matrix(
    inputs: int, outputs: int, interpolation: str = "bilinear", antialias: bool = False
) -> np.ndarray:
    """Returns the matrix that resizes a row of pixels.

    Output pixel i has its center at (i + 1/2) inputs / outputs, in input pixels; input pixel j at
    j + 1/2.

    Args:
        inputs: Number of input pixels, >= 1.
        outputs: Number of output pixels, >= 1.
        interpolation: "bilinear": weights fall off linearly to 0 at one input pixel's distance (at
            `inputs / outputs` pixels, if that is more, with `antialias`); pixels beyond the border
            do not count, and weights are scaled to a sum of 1. "nearest": the input pixel in which
            the center lies. "area": the mean over the area that the output pixel covers.
        antialias: Whether a "bilinear" image that shrinks averages over all input pixels.

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
        # In integers, because centers may lie exactly between two pixels.
        nearest = (2 * np.arange(outputs) + 1) * inputs // (2 * outputs)
        return (nearest[:, None] == pixels).astype(np.float64)
    if interpolation == "area":
        edges = np.arange(outputs + 1)[:, None] * ratio
        ends = np.minimum(edges[1:], pixels + 1)
        weights = np.maximum(ends - np.maximum(edges[:-1], pixels), 0.0)
    else:
        centers = (np.arange(outputs)[:, None] + 0.5) * ratio
        reach = max(ratio, 1.0) if antialias else 1.0
        weights = np.maximum(1.0 - np.abs(pixels + 0.5 - centers) / reach, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


class _Separable(keras.Layer):
    """A linear map of rows and columns; subclasses define the size of the outputs."""

    interpolations: tuple[str, ...] = INTERPOLATIONS

    def __init__(self, interpolation: str, antialias: bool, data_format: str, **kwargs: Any):
        fix = "Use 'bilinear'."
        validation.choice("interpolation", interpolation, self.interpolations, fix)
        if antialias and interpolation != "bilinear":
            raise ValueError(
                "`antialias` needs interpolation='bilinear'. Received: antialias=True with "
                f"{interpolation!r}, where it changes nothing. Leave it out."
            )
        fix = "Put keras.layers.Permute((2, 3, 1)) before this layer."
        validation.choice("data_format", data_format, ("channels_last",), fix)
        super().__init__(**kwargs)
        self.interpolation = interpolation
        self.antialias = antialias

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Returns height and width of the outputs, in pixels."""
        raise TypeError(f"{type(self).__name__} must define `target(height, width)`.")

    def call(self, inputs: Any) -> Any:
        """Resizes images `[batch, height, width, channels]`."""
        _, height, width, _ = _checked_shape(self, inputs.shape)
        rows, columns = self.target(height, width)
        images = ops.cast(inputs, self.compute_dtype)
        images = ops.einsum("oh,bhwc->bowc", self._matrix(height, rows), images)
        return ops.einsum("ow,bhwc->bhoc", self._matrix(width, columns), images)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the outputs for the shape of the inputs."""
        batch, height, width, channels = _checked_shape(self, input_shape)
        return (batch, *self.target(height, width), channels)

    def _matrix(self, inputs: int, outputs: int) -> Any:
        matrix = interpolation_matrix(inputs, outputs, self.interpolation, self.antialias)
        return ops.convert_to_tensor(matrix, self.compute_dtype)


@keras.saving.register_keras_serializable("tfgan_stab")
class UpSampling2D(_Separable):
    """Enlarges images by integer factors, with right derivatives of all orders.

    Args:
        size: The factor for height and width, an integer >= 1, or a pair of them.
        interpolation: "bilinear" or "nearest".
        data_format: Only "channels_last".
        **kwargs: `name`, `dtype` and so on, as in other layers.

    Returns:
        For float `[batch, height, width, channels]` with known height and width: float
        `[batch, size * height, size * width, channels]`.

    Raises:
        ValueError: If an argument is out of range, or height or width of the inputs is unknown.

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
        fix = "Use size=2 to double height and width, or a pair of integers."
        if len(pair) != 2:
            raise ValueError(
                f"`size` must be an integer or a pair of integers. Received: {size!r}. {fix}"
            )
        height, width = (validation.integer("size", factor, fix=fix) for factor in pair)
        self.size = (height, width)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Returns height and width of the outputs, in pixels."""
        return height * self.size[0], width * self.size[1]

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        return {**super().get_config(), "size": self.size, "interpolation": self.interpolation}


@keras.saving.register_keras_serializable("tfgan_stab")
class Resizing(_Separable):
    """Resizes images to a height and a width, with right derivatives of all orders.

    Args:
        height: Height of the outputs, in pixels, >= 1.
        width: Width of the outputs, in pixels, >= 1.
        interpolation: "bilinear", "nearest", or "area", which takes the mean over the area that an
            output pixel covers: average pooling for any sizes.
        antialias: With "bilinear", whether an image that shrinks averages over all input pixels.
        data_format: Only "channels_last".
        **kwargs: `name`, `dtype` and so on, as in other layers.

    Returns:
        For float `[batch, rows, columns, channels]` with known rows and columns: float
        `[batch, height, width, channels]`.

    Raises:
        ValueError: If an argument is out of range, or rows or columns of the inputs are unknown.

    Example:
        >>> Resizing(4, 7, antialias=True)(keras.ops.ones((1, 9, 9, 3))).shape
        TensorShape([1, 4, 7, 3])

    Source: The values of `tf.image.resize`, which `keras.layers.Resizing` calls.
    Departures: No cropping and no padding to an aspect ratio; only these kernels. A "nearest"
        center exactly between two pixels always takes the later one; in TensorFlow single-precision
        rounding decides.
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
        fix = "Give height and width in pixels, such as Resizing(32, 32)."
        self.height = validation.integer("height", height, fix=fix)
        self.width = validation.integer("width", width, fix=fix)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Returns height and width of the outputs, in pixels."""
        return self.height, self.width

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        config = {"height": self.height, "width": self.width, "interpolation": self.interpolation}
        return {**super().get_config(), **config, "antialias": self.antialias}


def _checked_shape(layer: keras.Layer, shape: Any) -> tuple[Any, ...]:
    shape = tuple(shape)
    if len(shape) != 4 or None in shape[1:3]:
        raise ValueError(
            f"{layer.name!r} needs inputs [batch, height, width, channels] of known height and "
            f"width. Received: shape {shape}. Give keras.Input((height, width, channels))."
        )
    return shape
