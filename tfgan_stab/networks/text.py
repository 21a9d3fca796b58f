"""WGAN-GP's networks for text: characters as one-hot rows, residual blocks of 1-D convolutions."""

from typing import Any

import keras

from tfgan_stab._utils import validation
from tfgan_stab.networks.channels import channels_last
from tfgan_stab.networks.residual import glorot

layers = keras.layers

# What a block adds is multiplied by this.
RESIDUAL_SCALE = 0.3
KERNEL_SIZE = 5
HE_GAIN = 2.0**0.5


@channels_last
def text_generator(
    vocabulary: int,
    length: int = 32,
    latents: int = 128,
    width: int = 512,
    blocks: int = 5,
    name: str = "generator",
) -> keras.Model:
    """Builds the generator of texts of a fixed length: a probability of each character, anywhere.

    Args:
        vocabulary: Number of characters, an integer >= 2.
        length: Length of a text, in characters, >= 1.
        latents: Size of the noise.
        width: Channels of all layers.
        blocks: Number of residual blocks, >= 1.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, length, vocabulary]`, whose rows are
        >= 0 and sum to 1.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> text_generator(vocabulary=50, width=8).output_shape
        (None, 32, 50)

    Source: The released code of Heusel et al. 2017 (TTUR), arXiv 1706.08500, which is that of
        Gulrajani et al. 2017 (WGAN-GP), arXiv 1704.00028.
    Departures: None.
    """
    vocabulary, length, width, blocks = _checked(vocabulary, length, width, blocks)
    inputs = keras.Input((latents,), name="latents")
    x = layers.Reshape((length, width))(layers.Dense(length * width)(inputs))
    x = _residual(x, blocks)
    logits = _convolution(vocabulary, 1)(x)
    return keras.Model(inputs, layers.Softmax(dtype="float32")(logits), name=name)


@channels_last
def text_discriminator(
    vocabulary: int,
    length: int = 32,
    width: int = 512,
    blocks: int = 5,
    name: str = "discriminator",
) -> keras.Model:
    """Builds the discriminator of texts of a fixed length.

    Args:
        vocabulary: Number of characters, an integer >= 2.
        length: Length of a text, in characters, >= 1.
        width: Channels of all layers.
        blocks: Number of residual blocks, >= 1.
        name: The model's name.

    Returns:
        A model from float `[batch, length, vocabulary]`, one-hot rows or probabilities, to logits
        `[batch, 1]`. It has no normalization, as WGAN-GP's gradient penalty asks for.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> text_discriminator(vocabulary=50, width=8).output_shape
        (None, 1)

    Source: As for `text_generator`.
    Departures: None.
    """
    vocabulary, length, width, blocks = _checked(vocabulary, length, width, blocks)
    texts = keras.Input((length, vocabulary), name="texts")
    x = _residual(_convolution(width, 1)(texts), blocks)
    return keras.Model(texts, layers.Dense(1)(layers.Flatten()(x)), name=name)


def _residual(x: Any, blocks: int) -> Any:
    """Returns features after blocks of (ReLU, convolution) twice, beside the identity."""
    for _ in range(blocks):
        y = x
        for _ in range(2):
            y = _convolution(x.shape[-1], KERNEL_SIZE)(layers.ReLU()(y))
        x = layers.Add()([x, layers.Rescaling(RESIDUAL_SCALE)(y)])
    return x


def _convolution(filters: int, kernel_size: int) -> keras.Layer:
    return layers.Conv1D(filters, kernel_size, padding="same", kernel_initializer=glorot(HE_GAIN))


def _checked(vocabulary: int, length: int, width: int, blocks: int) -> tuple[int, int, int, int]:
    fix = "Count the characters of the text."
    return (
        validation.integer("vocabulary", vocabulary, least=2, unit="characters", fix=fix),
        validation.integer("length", length, unit="characters", fix="Use 32."),
        validation.integer("width", width, fix="Use 512."),
        validation.integer("blocks", blocks, fix="Use 5."),
    )
