"""DCGAN and SN-GAN's: strided convolutions, for sides of a small number doubled."""

import functools
from typing import Any

import keras

from tfgan_stab._utils import validation
from tfgan_stab.networks.channels import channels_last
from tfgan_stab.networks.conditional import batch_normalized, judged, labels_input
from tfgan_stab.networks.normalization import BatchNormalization
from tfgan_stab.networks.spectral_normalization import SpectralNormalization

layers = keras.layers

# Radford et al. 2016, arXiv 1511.06434, section 4: weights from N(0, 0.02^2), slope 0.2.
WEIGHTS_STD = 0.02
NEGATIVE_SLOPE = 0.2
LEAK_OF_SNGAN = 0.1


@channels_last
def dcgan_generator(
    image_size: int = 32,
    channels: int = 3,
    latents: int = 128,
    width: int = 64,
    base_size: int = 4,
    num_classes: int | None = None,
    kernel_size: int = 4,
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
        kernel_size: Height and width of the kernels, in pixels: 5 in the paper and in TTUR's code.
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
        `kernel_size=5`, `latents=100` and a `base_size` of a sixteenth of the image are TTUR's:
        the released code of Heusel et al. 2017, arXiv 1706.08500.
    Departures: By default kernels of 4, not 5 pixels, which divide by the stride and leave no
        checkerboard. No bias ahead of batch normalization, whose epsilon is 1e-3 (TTUR: 1e-5);
        labels enter as an embedding that multiplies the noise.
    """
    kernel_size = _checked_kernel(kernel_size)
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
            filters // 2**level,
            kernel_size,
            strides=2,
            padding="same",
            use_bias=False,
            **_initializer(),
        )(x)
        x = layers.ReLU()(BatchNormalization(momentum=0.9)(x))
    images = layers.Conv2DTranspose(
        channels,
        kernel_size,
        strides=2,
        padding="same",
        activation="tanh",
        dtype="float32",
        **_initializer(),
    )(x)
    return keras.Model(inputs if labels is None else [inputs, labels], images, name=name)


@channels_last
def dcgan_discriminator(
    image_size: int = 32,
    channels: int = 3,
    width: int = 64,
    base_size: int = 4,
    normalization: str = "batch",
    num_classes: int | None = None,
    kernel_size: int = 4,
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
        kernel_size: Height and width of the kernels, in pixels: 5 in the paper and in TTUR's code.
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
    Departures: As for `dcgan_generator`; TTUR draws initial kernels from a truncated normal.
    """
    fix = "Use 'spectral' to bound the discriminator's gradient."
    validation.choice("normalization", normalization, ("batch", "spectral", "none"), fix)
    kernel_size = _checked_kernel(kernel_size)

    def wrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
        return SpectralNormalization(layer) if normalization == "spectral" else layer

    images = keras.Input((image_size, image_size, channels), name="images")
    x = images
    for level in range(_doublings(image_size, base_size)):
        normalized = normalization == "batch" and level > 0
        convolution = layers.Conv2D(
            width * 2**level,
            kernel_size,
            strides=2,
            padding="same",
            use_bias=not normalized,
            **_initializer(),
        )
        x = wrapped(convolution)(x)
        if normalized:
            x = BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(NEGATIVE_SLOPE)(x)
    features = layers.Flatten()(x)
    logits = wrapped(layers.Dense(1, **_initializer()))(features)
    return judged(
        images, logits, features, num_classes, keras.initializers.RandomUniform, name=name
    )


@channels_last
def sndcgan_generator(
    image_size: int = 32,
    channels: int = 3,
    latents: int = 128,
    width: int = 64,
    base_size: int = 4,
    num_classes: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Builds SN-GAN's generator: as DCGAN's, and one more convolution makes the colours.

    Args:
        image_size: Height and width of the images, in pixels: `base_size` times 2, 4, 8, ...
        channels: 1 for grey, 3 for colour.
        latents: Size of the noise.
        width: Channels before the last layer; each layer before has twice as many.
        base_size: Height and width of the first feature map, in pixels.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            batch normalization has a scale and a shift for each class.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, image_size, image_size, channels]`
        in [-1, 1]. The dense layer is followed by neither normalization nor activation, each other
        layer but the last by batch normalization and ReLU.

    Raises:
        ValueError: If `image_size` cannot be reached by doubling `base_size`.

    Example:
        >>> sndcgan_generator(image_size=8, channels=1, latents=64).output_shape
        (None, 8, 8, 1)

    Source: The released CIFAR-10 code of Qin et al. 2020 (ODE-GAN), arXiv 2010.15040, which follows
        Miyato et al. 2018, arXiv 1802.05957. Initial weights are Sonnet's default (from memory): a
        truncated normal of deviation 1 / sqrt(inputs).
    Departures: None without labels, which are ours, as in the ResNets.
    """
    doublings = _doublings(image_size, base_size)
    inputs, labels = keras.Input((latents,), name="latents"), labels_input(num_classes)
    filters = width * 2**doublings
    x = layers.Dense(base_size * base_size * filters, kernel_initializer=_of_fan_in(latents))(
        inputs
    )
    x = layers.Reshape((base_size, base_size, filters))(x)
    for _ in range(doublings):
        initializer = _of_fan_in(16 * filters)
        filters //= 2
        x = layers.Conv2DTranspose(
            filters, 4, 2, "same", use_bias=False, kernel_initializer=initializer
        )(x)
        x = layers.ReLU()(batch_normalized(x, labels, num_classes, epsilon=1e-3))
    images = layers.Conv2DTranspose(
        channels,
        3,
        padding="same",
        activation="tanh",
        dtype="float32",
        kernel_initializer=_of_fan_in(9 * filters),
    )(x)
    return keras.Model(inputs if labels is None else [inputs, labels], images, name=name)


@channels_last
def sndcgan_discriminator(
    image_size: int = 32,
    channels: int = 3,
    width: int = 64,
    base_size: int = 4,
    normalization: str = "spectral",
    num_classes: int | None = None,
    name: str = "discriminator",
) -> keras.Model:
    """Builds SN-GAN's convolutional discriminator: 3x3 convolutions between 4x4 ones with stride.

    Args:
        image_size: Height and width of the images, in pixels: `base_size` times 2, 4, 8, ...
        channels: 1 for grey, 3 for colour.
        width: Channels of the first two convolutions; each later pair has twice as many.
        base_size: Height and width of the last feature map, in pixels.
        normalization: "spectral" (of each layer's weights; SN-GAN) or "none" (ODE-GAN).
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            the logit gets <embedding(label), features> added.
        name: The model's name.

    Returns:
        A model from float `[batch, image_size, image_size, channels]` to logits `[batch, 1]`, with
        a leaky ReLU of slope 0.1 after each convolution.

    Raises:
        ValueError: If `image_size` cannot be reached by doubling `base_size`, or `normalization` is
            unknown.

    Example:
        >>> sndcgan_discriminator(image_size=8, channels=1).output_shape
        (None, 1)

    Source: As for `sndcgan_generator`.
    Departures: One logit where ODE-GAN's code has two and softmax: the same loss of the difference,
        but that difference moves with twice the learning rate. Labels as for `sndcgan_generator`.
    """
    fix = "Use 'none' for ODE-GAN."
    validation.choice("normalization", normalization, ("spectral", "none"), fix)

    def wrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
        return SpectralNormalization(layer) if normalization == "spectral" else layer

    def convolved(x: Any, filters: int, kernel_size: int, strides: int) -> Any:
        initializer = _of_fan_in(kernel_size**2 * x.shape[-1])
        convolution = layers.Conv2D(
            filters, kernel_size, strides, "same", kernel_initializer=initializer
        )
        return layers.LeakyReLU(LEAK_OF_SNGAN)(wrapped(convolution)(x))

    x = images = keras.Input((image_size, image_size, channels), name="images")
    doublings = _doublings(image_size, base_size)
    for level in range(doublings):
        x = convolved(x, width * 2**level, 3, 1)
        x = convolved(x, width * 2**level, 4, 2)
    features = layers.Flatten()(convolved(x, width * 2**doublings, 3, 1))
    initializer = functools.partial(_of_fan_in, features.shape[-1])
    logits = wrapped(layers.Dense(1, kernel_initializer=initializer()))(features)
    return judged(images, logits, features, num_classes, initializer, wrapped, name)


def _initializer() -> dict[str, Any]:
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=WEIGHTS_STD)}


def _checked_kernel(kernel_size: int) -> int:
    # Smaller ones than the stride would leave pixels out.
    return validation.integer("kernel_size", kernel_size, least=2, fix="Use 4 or 5.")


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


def _of_fan_in(inputs: int) -> keras.initializers.Initializer:
    """Returns Sonnet's default: a normal that is cut at two deviations of 1 / sqrt(inputs)."""
    return keras.initializers.TruncatedNormal(stddev=inputs**-0.5)
