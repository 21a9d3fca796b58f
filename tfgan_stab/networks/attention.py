"""Self-attention between the pixels of a feature map."""

from typing import Any

import keras

from tfgan_stab._utils import validation
from tfgan_stab.networks.residual import glorot
from tfgan_stab.networks.spectral_normalization import SpectralNormalization

ops = keras.ops
layers = keras.layers

# Channels of queries and keys, and of values: the inputs' divided by these.
KEYS_SHARE, VALUES_SHARE = 8, 2


@keras.saving.register_keras_serializable("tfgan_stab")
class SelfAttention(keras.layers.Layer):
    """Adds to each pixel's features a mean of features elsewhere, of pixels that are like it.

        y = x + gamma W_o softmax(Q K^T) V

    Queries Q, keys K and values V are linear in a pixel's features, without bias; Q and K have an
    eighth of the channels, V half of them. Keys and values are maxima over blocks of 2 x 2 pixels.
    gamma is one number that is trained, and starts at 0: a new layer changes nothing.

    Args:
        spectral_normalization: Whether the four matrices are spectrally normalized.
        **kwargs: `name`, `dtype` and so on, as in other layers.

    Returns:
        For float `[batch, height, width, channels]`, with known even height and width and at least
        8 channels: floats of the same shape.

    Raises:
        ValueError: If the inputs have another shape.

    Example:
        >>> features = keras.ops.ones((1, 4, 4, 8))
        >>> bool(keras.ops.all(SelfAttention()(features) == features))
        True

    Source: Zhang et al. 2019, arXiv 1805.08318, section 3; maxima and the halves of the channels
        as in the released code.
    Departures: None.
    """

    def __init__(self, spectral_normalization: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        choices = (True, False)
        fix = "Use True, as SAGAN does."
        self.spectral_normalization = validation.choice(
            "spectral_normalization", spectral_normalization, choices, fix
        )

    def build(self, input_shape: Any) -> None:
        """Makes the four matrices and gamma."""
        _check_shape(self.name, input_shape)
        channels = input_shape[-1]
        self.queries = self._matrix(channels // KEYS_SHARE, "queries", input_shape)
        self.keys = self._matrix(channels // KEYS_SHARE, "keys", input_shape)
        self.values = self._matrix(channels // VALUES_SHARE, "values", input_shape)
        means_shape = (*input_shape[:-1], channels // VALUES_SHARE)
        self.projection = self._matrix(channels, "projection", means_shape)
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Adds the means."""
        _, height, width, _ = inputs.shape
        queries = _pixels(self.queries(inputs, training=training), height * width)
        keys = _pixels(_maxima(self.keys(inputs, training=training)), height * width // 4)
        values = _pixels(_maxima(self.values(inputs, training=training)), height * width // 4)
        likeness = ops.einsum("bqc,bkc->bqk", queries, keys)
        # In half precision the softmax over a thousand pixels would lose the small ones.
        shares = ops.softmax(ops.cast(likeness, self.variable_dtype))
        means = ops.einsum("bqk,bkc->bqc", ops.cast(shares, values.dtype), values)
        means = ops.reshape(means, (-1, height, width, values.shape[-1]))
        return inputs + self.gamma * self.projection(means, training=training)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        return {**super().get_config(), "spectral_normalization": self.spectral_normalization}

    def _matrix(self, filters: int, name: str, input_shape: Any) -> keras.Layer:
        matrix: Any = layers.Conv2D(
            filters,
            1,
            use_bias=False,
            kernel_initializer=glorot(),
            dtype=self.dtype_policy,
            name=name,
        )
        if self.spectral_normalization:
            matrix = SpectralNormalization(matrix, name=name)
        matrix.build(input_shape)
        return matrix


def _maxima(features: Any) -> Any:
    """Returns the maxima over blocks of 2 x 2 pixels.

    Maxima along axes have derivatives of all orders everywhere; those of pooling need kernels.
    """
    _, height, width, channels = features.shape
    blocks = ops.reshape(features, (-1, height // 2, 2, width // 2, 2, channels))
    return ops.max(blocks, axis=(2, 4))


def _pixels(features: Any, count: int) -> Any:
    return ops.reshape(features, (-1, count, features.shape[-1]))


def _check_shape(name: str, shape: Any) -> None:
    known = len(shape) == 4 and None not in shape[1:]
    if not known or shape[1] % 2 or shape[2] % 2 or shape[3] < KEYS_SHARE:
        raise ValueError(
            f"{name!r} needs inputs [batch, height, width, channels] of even height and width, and "
            f"at least {KEYS_SHARE} channels. Received: shape {tuple(shape)}. Put it where the "
            "feature map's size is even, or make the network wider."
        )
