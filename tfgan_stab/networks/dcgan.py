"""DCGAN: strided convolutions for images whose side is a small number times a power of two."""

from typing import Any

import keras

from tfgan_stab._utils import validation
from tfgan_stab.networks.normalization import BatchNormalization
from tfgan_stab.networks.spectral_normalization import SpectralNormalization

layers = keras.layers

# Radford et al. 2016, arXiv 1511.06434, section 4: weights from N(0, 0.02^2), slope 0.2.
WEIGHTS_STD = 0.02
NEGATIVE_SLOPE = 0.2

CHANNELS_LAST = "channels_last"  # Whatever keras.json says.


def dcgan_generator(
    image_size: int = 32,
    channels: int = 3,
    latents: int = 128,
    width: int = 64,
    base_size: int = 4,
    num_classes: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Builds the generator: a dense layer, then transposed convolutions that double the size.

    Args:
        image_size: Height and width of the images, in pixels: `base_size` times 2, 4, 8, ...
        channels: 1 for grey, 3 for colour.
        latents: Size of the noise.
        width: Channels before the last layer; each layer before has twice as many.
        base_size: Height and width of the first feature map, in pixels.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, image_size, image_size, channels]`
        in [-1, 1], with batch normalization and ReLU after each layer, and tanh after the last.

    Raises:
        ValueError: If `image_size` cannot be reached by doubling `base_size`.

    Example:
        >>> dcgan_generator(image_size=8, channels=1, latents=64).output_shape
        (None, 8, 8, 1)

    Source: Radford et al. 2016, arXiv 1511.06434, section 4 and figure 1.
    Departures: kernels of 4, not 5 pixels, which divide by the stride and leave no checkerboard;
        labels enter as an embedding that multiplies the noise.
    """
    doublings = _doublings(image_size, base_size)
    inputs: Any = keras.Input((latents,), name="latents")
    noise, labels = inputs, None
    if num_classes is not None:
        labels = keras.Input((), dtype="int32", name="labels")
        noise = layers.Multiply()([inputs, layers.Embedding(num_classes, latents)(labels)])
    filters = width * 2 ** (doublings - 1)
    x = layers.Dense(base_size * base_size * filters, use_bias=False, **_initializer())(noise)
    x = layers.Reshape((base_size, base_size, filters))(x)
    x = layers.ReLU()(BatchNormalization(momentum=0.9)(x))
    for level in range(1, doublings):
        x = layers.Conv2DTranspose(
            filters // 2**level, use_bias=False, **_doubling(), **_initializer()
        )(x)
        x = layers.ReLU()(BatchNormalization(momentum=0.9)(x))
    images = layers.Conv2DTranspose(
        channels, activation="tanh", dtype="float32", **_doubling(), **_initializer()
    )(x)
    return keras.Model(inputs if labels is None else [inputs, labels], images, name=name)


def dcgan_discriminator(
    image_size: int = 32,
    channels: int = 3,
    width: int = 64,
    base_size: int = 4,
    normalization: str = "batch",
    num_classes: int | None = None,
    name: str = "discriminator",
) -> keras.Model:
    """Builds the discriminator: strided convolutions that halve the size, then a dense layer.

    Args:
        image_size: Height and width of the images, in pixels: `base_size` times 2, 4, 8, ...
        channels: 1 for grey, 3 for colour.
        width: Channels after the first layer; each later layer has twice as many.
        base_size: Height and width of the last feature map, in pixels.
        normalization: "batch" (after each convolution but the first), "spectral" (of each layer's
            weights) or "none".
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input.
        name: The model's name.

    Returns:
        A model from float `[batch, image_size, image_size, channels]` to logits `[batch, 1]`.

    Raises:
        ValueError: If `image_size` cannot be reached by doubling `base_size`, or `normalization` is
            unknown.

    Example:
        >>> dcgan_discriminator(image_size=8, channels=1).output_shape
        (None, 1)

    Source: Radford et al. 2016, arXiv 1511.06434, section 4; labels by projection, Miyato and
        Koyama 2018, arXiv 1802.05637, equation 4 (number from memory).
    Departures: kernels of 4, not 5 pixels.
    """
    fix = "Use 'spectral' to bound the discriminator's gradient."
    validation.choice("normalization", normalization, ("batch", "spectral", "none"), fix)

    def wrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
        return SpectralNormalization(layer) if normalization == "spectral" else layer

    images = keras.Input((image_size, image_size, channels), name="images")
    x = images
    for level in range(_doublings(image_size, base_size)):
        normalized = normalization == "batch" and level > 0
        convolution = layers.Conv2D(
            width * 2**level, use_bias=not normalized, **_doubling(), **_initializer()
        )
        x = wrapped(convolution)(x)
        if normalized:
            x = BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(NEGATIVE_SLOPE)(x)
    features = layers.Flatten(CHANNELS_LAST)(x)
    logits = wrapped(layers.Dense(1, **_initializer()))(features)
    if num_classes is None:
        return keras.Model(images, logits, name=name)
    labels = keras.Input((), dtype="int32", name="labels")
    embedded = layers.Embedding(num_classes, features.shape[-1])(labels)
    projection = layers.Dot(axes=1)([embedded, features])
    return keras.Model([images, labels], layers.Add()([logits, projection]), name=name)


def _doubling() -> dict[str, Any]:
    """Returns what the convolutions have in common that double sides or halve them."""
    return {"kernel_size": 4, "strides": 2, "padding": "same", "data_format": CHANNELS_LAST}


def _initializer() -> dict[str, Any]:
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=WEIGHTS_STD)}


def _doublings(image_size: int, base_size: int) -> int:
    """Returns how often `base_size` doubles to become `image_size`."""
    doublings = (image_size // base_size).bit_length() - 1 if base_size > 0 else 0
    if doublings < 1 or base_size * 2**doublings != image_size:
        raise ValueError(
            "`image_size` must be `base_size` times 2, 4, 8, ... Received: "
            f"image_size={image_size}, base_size={base_size}. For 28 pixels use base_size=7, for "
            "96 use base_size=6."
        )
    return doublings
