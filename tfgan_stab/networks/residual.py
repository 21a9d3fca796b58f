"""Residual blocks, which the ResNets of several papers are made of.

A shortcut's convolution sees one pixel at a time, so it commutes with nearest upsampling and with
average pooling. Taken where the picture is small, it is the same function at a quarter of the cost.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from tfgan_stab.networks.spectral_normalization import SpectralNormalization

layers = keras.layers

# Of batch and group normalization: that of the PyTorch and TensorFlow code. Chainer has 2e-5.
EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """How the convolutions of a network are made.

    Attributes:
        spectral: Whether their weights are spectrally normalized.
        gain: Factor of the initial weights in blocks, on top of Glorot's.
        shortcut_gain: The same for shortcuts.
        weights_std: Initial weights are normal with this deviation instead, if given.
    """

    spectral: bool = False
    gain: float = 2.0**0.5
    shortcut_gain: float = 1.0
    weights_std: float | None = None

    def __call__(
        self, filters: int, kernel_size: int = 3, gain: float = 1.0, **kwargs: Any
    ) -> keras.Layer:
        """Returns a convolution that keeps the size."""
        kernel = self.initializer(gain)
        return self.wrapped(
            layers.Conv2D(filters, kernel_size, padding="same", kernel_initializer=kernel, **kwargs)
        )

    def initializer(self, gain: float = 1.0) -> keras.initializers.Initializer:
        """Returns what initial weights are drawn from."""
        if self.weights_std is None:
            return glorot(gain)
        return keras.initializers.RandomNormal(stddev=self.weights_std)

    def wrapped(self, layer: keras.Layer) -> keras.Layer:
        """Returns a layer, spectrally normalized if the convolutions are."""
        return SpectralNormalization(layer) if self.spectral else layer

    def shortcut(self, filters: int) -> keras.Layer:
        """Returns a convolution of single pixels."""
        return self(filters, 1, self.shortcut_gain)


def glorot(gain: float = 1.0) -> keras.initializers.Initializer:
    """Returns a uniform initializer of variance `gain^2 2 / (inputs + outputs)`.

    A gain of sqrt(2) is what the code of WGAN-GP calls He's.
    """
    return keras.initializers.VarianceScaling(gain**2, mode="fan_avg", distribution="uniform")


def up_block(
    x: Any,
    filters: int,
    convolutions: Convolutions,
    normalized: Callable[[Any], Any],
    learned: bool,
) -> Any:
    """Returns features of twice the size: (normalization, ReLU, convolution) twice, and a shortcut.

    Args:
        x: Features `[batch, size, size, channels]`.
        filters: Channels of the result.
        convolutions: Makes the convolutions.
        normalized: Normalizes features. The bias before it would be taken out again, and is left
            out.
        learned: Whether the shortcut has a convolution; else `filters` must be x's channels.
    """
    y = layers.UpSampling2D(2, interpolation="nearest")(layers.ReLU()(normalized(x)))
    y = convolutions(filters, gain=convolutions.gain, use_bias=False)(y)
    y = convolutions(filters, gain=convolutions.gain)(layers.ReLU()(normalized(y)))
    shortcut = convolutions.shortcut(filters)(x) if learned else x
    return layers.Add()([y, layers.UpSampling2D(2, interpolation="nearest")(shortcut)])


def down_block(
    x: Any,
    filters: int,
    convolutions: Convolutions,
    normalized: Callable[[Any], Any] | None = None,
    halved: bool = True,
    wide: bool = False,
) -> Any:
    """Returns features of half the size or the same: (ReLU, convolution) twice, and a shortcut.

    Args:
        x: Features `[batch, size, size, channels]`.
        filters: Channels of the result.
        convolutions: Makes the convolutions.
        normalized: Normalizes features ahead of each ReLU, if given.
        halved: Whether the size is halved, by average pooling.
        wide: Whether there are `filters` channels between the convolutions, instead of x's.
    """
    before = normalized or (lambda features: features)
    hidden = filters if wide else x.shape[-1]
    y = layers.ReLU()(before(x))
    y = convolutions(hidden, gain=convolutions.gain, use_bias=normalized is None)(y)
    y = convolutions(filters, gain=convolutions.gain)(layers.ReLU()(before(y)))
    shortcut = x
    if halved:
        y, shortcut = layers.AveragePooling2D(2)(y), layers.AveragePooling2D(2)(x)
    if halved or x.shape[-1] != filters:
        shortcut = convolutions.shortcut(filters)(shortcut)
    return layers.Add()([y, shortcut])


def first_block(images: Any, filters: int, convolutions: Convolutions) -> Any:
    """Returns features of half the images' size: no ReLU comes ahead of the first convolution."""
    y = convolutions(filters, gain=convolutions.gain)(images)
    y = convolutions(filters, gain=convolutions.gain)(layers.ReLU()(y))
    shortcut = convolutions.shortcut(filters)(layers.AveragePooling2D(2)(images))
    return layers.Add()([layers.AveragePooling2D(2)(y), shortcut])
