"""The averaging paper's conventional networks: pairs of convolutions between changes of size."""

from typing import Any

import keras

from tfgan_stab._utils import validation
from tfgan_stab.networks.channels import channels_last
from tfgan_stab.networks.conditional import batch_normalized, judged, labels_input
from tfgan_stab.networks.spectral_normalization import SpectralNormalization

layers = keras.layers

WEIGHTS_STD = 0.02
NEGATIVE_SLOPE = 0.2  # Chainer's default, from memory.
# The blocks closest to the images, of which each has half as many channels as the one before.
NARROWING = 3


@channels_last
def conventional_generator(
    image_size: int = 32,
    channels: int = 3,
    latents: int = 512,
    width: int = 512,
    base_size: int = 4,
    output_activation: str = "linear",
    num_classes: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Builds the generator: blocks of nearest upsampling and two convolutions.

    Args:
        image_size: Height and width of the images, in pixels: `base_size` times 8, 16, 32, ...; the
            paper's code has 32, 64 and 128, and 48 with `base_size=6`.
        channels: 1 for grey, 3 for colour.
        latents: Size of the noise, which the paper scales to a norm of `sqrt(latents)`.
        width: Channels of the first layers, a multiple of 8; the last three blocks have a half, a
            quarter and an eighth of them.
        base_size: Height and width of the first feature map, in pixels.
        output_activation: "linear", as in the paper's code, whose images are clipped when they are
            used, or "tanh".
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            batch normalization has a scale and a shift for each class.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, image_size, image_size, channels]`,
        with batch normalization and a leaky ReLU of slope 0.2 after each convolution but the last.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> conventional_generator(image_size=32, latents=64, width=16).output_shape
        (None, 32, 32, 3)

    Source: The released code of Yazici et al. 2019, arXiv 1806.04498; slope from memory.
    Departures: No bias ahead of batch normalization, which would take it out again, and an epsilon
        of 1e-5 there. Labels are ours, as in the ResNets.
    """
    filters = _filters(image_size, base_size, width)
    fix = "Use 'tanh' for images in [-1, 1]."
    validation.choice("output_activation", output_activation, ("linear", "tanh"), fix)

    def activated(x: Any) -> Any:
        return layers.LeakyReLU(NEGATIVE_SLOPE)(batch_normalized(x, labels, num_classes))

    inputs, labels = keras.Input((latents,), name="latents"), labels_input(num_classes)
    x = layers.Reshape((1, 1, latents))(inputs)
    x = activated(
        layers.Conv2DTranspose(width, base_size, use_bias=False, kernel_initializer=_normal())(x)
    )
    x = activated(_convolution(width, 3, use_bias=False)(x))
    for each in filters[1:]:
        x = layers.UpSampling2D(2, interpolation="nearest")(x)
        for _ in range(2):
            x = activated(_convolution(each, 3, use_bias=False)(x))
    images = _convolution(channels, 1, activation=output_activation, dtype="float32")(x)
    return keras.Model(inputs if labels is None else [inputs, labels], images, name=name)


@channels_last
def conventional_discriminator(
    image_size: int = 32,
    channels: int = 3,
    width: int = 512,
    base_size: int = 4,
    normalization: str = "spectral",
    num_classes: int | None = None,
    name: str = "discriminator",
) -> keras.Model:
    """Builds the discriminator: blocks of two convolutions and average pooling.

    Args:
        image_size: Height and width of the images, in pixels: `base_size` times 8, 16, 32, ...
        channels: 1 for grey, 3 for colour.
        width: Channels of the last layers, a multiple of 8; the first three blocks have an eighth,
            a quarter and a half of them at first.
        base_size: Height and width of the last feature map, in pixels.
        normalization: "spectral" (of each layer's weights), or "none", as with the paper's gradient
            penalty.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            the logit gets <embedding(label), features> added.
        name: The model's name.

    Returns:
        A model from float `[batch, image_size, image_size, channels]` to logits `[batch, 1]`, with
        a leaky ReLU of slope 0.2 after each convolution.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> conventional_discriminator(image_size=32, width=16).output_shape
        (None, 1)

    Source: The released code of Yazici et al. 2019, arXiv 1806.04498; slope from memory.
    Departures: None without labels.
    """
    filters = _filters(image_size, base_size, width)[::-1]
    fix = "Use 'none' with a gradient penalty."
    validation.choice("normalization", normalization, ("spectral", "none"), fix)

    def wrapped(layer: keras.Layer) -> keras.Layer:
        return SpectralNormalization(layer) if normalization == "spectral" else layer

    def convolved(x: Any, each: int, kernel_size: int, padding: str = "same") -> Any:
        convolution = wrapped(_convolution(each, kernel_size, padding=padding))
        return layers.LeakyReLU(NEGATIVE_SLOPE)(convolution(x))

    images = keras.Input((image_size, image_size, channels), name="images")
    x = convolved(images, filters[0], 1)
    for before, after in zip(filters[:-1], filters[1:], strict=True):
        x = layers.AveragePooling2D(2)(convolved(convolved(x, before, 3), after, 3))
    x = convolved(convolved(x, width, 3), width, base_size, "valid")
    features = layers.Flatten()(x)
    logits = wrapped(layers.Dense(1, kernel_initializer=_normal()))(features)
    return judged(images, logits, features, num_classes, _normal, wrapped, name)


def _convolution(
    filters: int, kernel_size: int, padding: str = "same", **kwargs: Any
) -> keras.Layer:
    return layers.Conv2D(
        filters, kernel_size, padding=padding, kernel_initializer=_normal(), **kwargs
    )


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=WEIGHTS_STD)


def _filters(image_size: int, base_size: int, width: int) -> list[int]:
    """Returns the channels at each size, from the smallest one on."""
    image_size = validation.integer("image_size", image_size, unit="pixels", fix="Use 32.")
    base_size = validation.integer("base_size", base_size, unit="pixels", fix="Use 4.")
    width = validation.integer("width", width, fix="Use 512.")
    blocks = (image_size // base_size).bit_length() - 1
    if blocks < NARROWING or base_size * 2**blocks != image_size:
        raise ValueError(
            "`image_size` must be `base_size` times 8, 16, 32, ... Received: "
            f"image_size={image_size}, base_size={base_size}. For 48 pixels use base_size=6."
        )
    if width % 2**NARROWING:
        raise ValueError(
            f"`width` must be a multiple of {2**NARROWING}. Received: {width}. Use 512."
        )
    return [width // 2 ** max(0, level - blocks + NARROWING) for level in range(blocks + 1)]
