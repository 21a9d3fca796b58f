"""Lookahead-Minmax's networks for digits of 28x28 pixels: strided convolutions, from 1 to 28."""

import functools

import keras

from tfgan_stab.networks.channels import channels_last
from tfgan_stab.networks.conditional import batch_normalized, judged, labels_input
from tfgan_stab.networks.dcgan import NEGATIVE_SLOPE
from tfgan_stab.networks.normalization import BatchNormalization

layers = keras.layers


@channels_last
def dcgan28_generator(
    channels: int = 1,
    latents: int = 128,
    width: int = 64,
    num_classes: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Builds Lookahead-Minmax's generator of 28x28 digits: from 1 to 3, 6, 14 and 28 pixels.

    Args:
        channels: 1 for grey, 3 for colour.
        latents: Size of the noise.
        width: The layers have 8, 4 and 2 times as many channels.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            batch normalization has a scale and a shift for each class.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, 28, 28, channels]` in [-1, 1], of
        transposed convolutions without bias, with batch normalization and ReLU after all but the
        last.

    Example:
        >>> dcgan28_generator(latents=64, width=4).output_shape
        (None, 28, 28, 1)

    Source: The released MNIST notebook of Chavdarova et al. 2021, arXiv 2006.14567.
    Departures: None without labels, which are ours, as in the ResNets. Initial weights are
        PyTorch's default, uniform in +-1 / sqrt(inputs) (from memory; of a transposed convolution
        PyTorch takes the outputs for the inputs).
    """
    inputs, labels = keras.Input((latents,), name="latents"), labels_input(num_classes)
    x = layers.Reshape((1, 1, latents))(inputs)
    for filters, kernel_size, strides, padding in (
        (8 * width, 3, 1, "valid"),
        (4 * width, 4, 2, "same"),
        (2 * width, 4, 2, "valid"),
    ):
        initializer = _of_pytorch(kernel_size**2 * filters)
        x = layers.Conv2DTranspose(
            filters, kernel_size, strides, padding, use_bias=False, kernel_initializer=initializer
        )(x)
        x = layers.ReLU()(batch_normalized(x, labels, num_classes))
    images = layers.Conv2DTranspose(
        channels,
        4,
        2,
        "same",
        use_bias=False,
        activation="tanh",
        dtype="float32",
        kernel_initializer=_of_pytorch(16 * channels),
    )(x)
    return keras.Model(inputs if labels is None else [inputs, labels], images, name=name)


@channels_last
def dcgan28_discriminator(
    channels: int = 1,
    width: int = 64,
    num_classes: int | None = None,
    name: str = "discriminator",
) -> keras.Model:
    """Builds Lookahead-Minmax's discriminator of 28x28 digits: to 14, 7, 3 and 1 pixels.

    Args:
        channels: 1 for grey, 3 for colour.
        width: The layers have 1, 2 and 4 times as many channels.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            the logit gets <embedding(label), features> added.
        name: The model's name.

    Returns:
        A model from float `[batch, 28, 28, channels]` to logits `[batch, 1]`, of convolutions
        without bias, with batch normalization after all but the first and the last, and a leaky
        ReLU of slope 0.2 after all but the last.

    Example:
        >>> dcgan28_discriminator(width=4).output_shape
        (None, 1)

    Source: As for `dcgan28_generator`.
    Departures: None without labels.
    """

    def convolution(filters: int, kernel_size: int, strides: int, inputs: int) -> keras.Layer:
        initializer = _of_pytorch(kernel_size**2 * inputs)
        return layers.Conv2D(
            filters, kernel_size, strides, use_bias=False, kernel_initializer=initializer
        )

    x = images = keras.Input((28, 28, channels), name="images")
    for level in range(3):
        # One pixel on each side: "same" would put two behind the 7 pixels of the third layer.
        x = convolution(width * 2**level, 4, 2, x.shape[-1])(layers.ZeroPadding2D(1)(x))
        if level:
            x = BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.LeakyReLU(NEGATIVE_SLOPE)(x)
    logits, features = layers.Flatten()(convolution(1, 3, 1, x.shape[-1])(x)), layers.Flatten()(x)
    initializer = functools.partial(_of_pytorch, features.shape[-1])
    return judged(images, logits, features, num_classes, initializer, name=name)


def _of_pytorch(inputs: int) -> keras.initializers.Initializer:
    """Returns PyTorch's default for layers: uniform in +-1 / sqrt(inputs)."""
    return keras.initializers.RandomUniform(-(inputs**-0.5), inputs**-0.5)
