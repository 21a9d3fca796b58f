"""R3GAN: residual networks without normalization, a modern baseline of plain parts.

Blocks are inverted bottlenecks with a grouped convolution, and begin as the identity. What changes
the size lies outside of blocks, and is bilinear, with right second derivatives for R1 and R2.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.networks.channels import channels_last
from tfgan_stab.networks.resizing import Resizing, UpSampling2D

layers = keras.layers
ops = keras.ops

BASE = 4  # Pixels of a side of the smallest feature maps.
FULL = 32  # The largest maps of full width, in pixels; each doubling beyond halves the channels.
EXPANSION = 2  # Channels inside a block, over those outside.
NEGATIVE_SLOPE = 0.2  # Of the leaky ReLU, for negative inputs.


@keras.saving.register_keras_serializable("tfgan_stab")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' `Conv2D` with `groups`, fast on CPUs too.

    Without an accelerator each group is a convolution of its own: TensorFlow's own grouped
    convolutions on CPUs took 30 to 150 times as long, their derivatives included. Weights, outputs
    and files are those of `keras.layers.Conv2D`.

    Example:
        >>> GroupedConv2D(8, 3, groups=4, padding="same")(keras.ops.ones((1, 5, 5, 8))).shape
        TensorShape([1, 5, 5, 8])
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Returns the convolution, without bias and activation."""
        convolved = super().convolution_op
        if self.groups == 1 or any(
            d.device_type != "CPU" for d in tf.config.list_logical_devices()
        ):
            return convolved(inputs, kernel)
        axis = -1 if self.data_format == "channels_last" else 1
        parts = zip(
            ops.split(inputs, self.groups, axis=axis),
            ops.split(kernel, self.groups, axis=-1),
            strict=True,
        )
        return ops.concatenate([convolved(*part) for part in parts], axis=axis)


@keras.saving.register_keras_serializable("tfgan_stab")
class SpatialBasis(keras.layers.Layer):
    """Multiplies features by a learned picture for each channel.

    Args:
        stddev: Standard deviation of its initial entries, > 0.
        size: Height and width of the pictures, an integer >= 1.
        **kwargs: `name`, `dtype` and so on, as in other layers.

    Returns:
        For float `[batch, 1, 1, channels]` or `[batch, size, size, channels]`: float
        `[batch, size, size, channels]`.

    Example:
        >>> SpatialBasis(1.0)(keras.ops.ones((2, 1, 1, 3))).shape
        TensorShape([2, 4, 4, 3])
    """

    def __init__(self, stddev: float, size: int = BASE, **kwargs: Any):
        super().__init__(**kwargs)
        self.stddev = validation.number("stddev", stddev, above=0, fix="Use 1.0.")
        self.size = validation.integer("size", size, unit="pixels", fix=f"Use {BASE}.")

    def build(self, input_shape: Any) -> None:
        """Makes the pictures."""
        self.pictures = self.add_weight(
            shape=(self.size, self.size, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=self.stddev),
            name="pictures",
        )

    def call(self, inputs: Any) -> Any:
        """Multiplies features."""
        return inputs * self.pictures

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the outputs for the shape of the inputs."""
        return (input_shape[0], self.size, self.size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from."""
        return {**super().get_config(), "stddev": self.stddev, "size": self.size}


@channels_last
def r3gan_generator(
    image_size: int = 32,
    channels: int = 3,
    latents: int = 64,
    width: int = 768,
    blocks: int = 2,
    group_size: int = 16,
    num_classes: int | None = None,
    class_embedding: int = 64,
    name: str = "generator",
) -> keras.Model:
    """Builds R3GAN's generator: from a learned 4x4 picture up, without any normalization.

    Args:
        image_size: Height and width of the images, in pixels: 4 doubled once or more.
        channels: 1 for grey, 3 for colour.
        latents: Size of the noise.
        width: Channels of feature maps of up to 32 pixels; each doubling beyond halves them.
        blocks: Residual blocks at each size, an integer >= 1.
        group_size: Channels of a group of the 3x3 convolutions; must divide twice the channels.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and an
            embedding of the label is joined to the noise.
        class_embedding: Size of that embedding.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, image_size, image_size, channels]`;
        there is no tanh: [-1, 1] is learned.

    Raises:
        ValueError: If an argument is out of range, or the architecture cannot make such images.

    Example:
        >>> r3gan_generator(16, 1, latents=8, width=16).output_shape
        (None, 16, 16, 1)

    Source: Huang et al. 2024, "The GAN is dead; long live the GAN!", arXiv 2501.05441, and copies
        of its PyTorch code (widths of 32 and 64 pixels from there; larger sizes from memory).
    Departures: At the borders, bilinear weights are scaled to a sum of 1, where theirs see zeros.
    """
    widths = _widths(image_size, width, group_size)
    depth = len(widths) * validation.integer("blocks", blocks, fix="Use 2.")
    inputs: Any = keras.Input((latents,), name="latents")
    noise, labels = inputs, None
    if num_classes is not None:
        labels = keras.Input((), dtype="int32", name="labels")
        noise = layers.Concatenate()([noise, _embedded(labels, num_classes, class_embedding)])
    x = layers.Dense(widths[0], use_bias=False, kernel_initializer=_normal())(noise)
    x = SpatialBasis(1.0)(layers.Reshape((1, 1, widths[0]))(x))
    for number, channels_now in enumerate(widths):
        if number:
            x = x if channels_now == widths[number - 1] else _linear(channels_now)(x)
            x = UpSampling2D(2, interpolation="bilinear")(x)
        for _ in range(blocks):
            x = residual_block(x, group_size, depth)
    images = _linear(channels, dtype="float32")(x)
    return keras.Model(inputs if labels is None else [inputs, labels], images, name=name)


@channels_last
def r3gan_discriminator(
    image_size: int = 32,
    channels: int = 3,
    width: int = 768,
    blocks: int = 2,
    group_size: int = 16,
    num_classes: int | None = None,
    name: str = "discriminator",
) -> keras.Model:
    """Builds R3GAN's discriminator: the generator's stages in reverse.

    Args:
        image_size: Height and width of the images, in pixels: 4 doubled once or more.
        channels: 1 for grey, 3 for colour.
        width: As for `r3gan_generator`.
        blocks: As there.
        group_size: As there.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and the
            logit is <embedding(label), features>.
        name: The model's name.

    Returns:
        A model from float `[batch, image_size, image_size, channels]` to logits `[batch, 1]`.

    Raises:
        ValueError: If an argument is out of range, or the architecture cannot see such images.

    Example:
        >>> r3gan_discriminator(16, 1, width=16).output_shape
        (None, 1)

    Source: As for `r3gan_generator`.
    Departures: As there.
    """
    widths = _widths(image_size, width, group_size)[::-1]
    depth = len(widths) * validation.integer("blocks", blocks, fix="Use 2.")
    images = keras.Input((image_size, image_size, channels), name="images")
    x = _linear(widths[0])(images)
    for number, channels_now in enumerate(widths):
        if number:
            side = x.shape[1] // 2
            x = Resizing(side, side, interpolation="bilinear", antialias=True)(x)
            x = x if channels_now == widths[number - 1] else _linear(channels_now)(x)
        for _ in range(blocks):
            x = residual_block(x, group_size, depth)
    # A learned picture for each channel, weighted as a convolution over all of 4x4 pixels would be.
    features = ops.sum(SpatialBasis(1.0 / BASE)(x), axis=(1, 2))
    size = 1 if num_classes is None else widths[-1]
    outputs = layers.Dense(size, use_bias=False, kernel_initializer=_normal())(features)
    if num_classes is None:
        return keras.Model(images, outputs, name=name)
    labels = keras.Input((), dtype="int32", name="labels")
    embedded = _embedded(labels, num_classes, size, gain=size**-0.5)
    return keras.Model([images, labels], layers.Dot(axes=1)([outputs, embedded]), name=name)


def residual_block(x: Any, group_size: int, depth: int) -> Any:
    """Returns features plus what an inverted bottleneck makes of them: 1x1, grouped 3x3, 1x1.

    The last convolution starts at 0 and the others' weights are `depth^(-1/4)` as large as usual,
    so that a network of any depth begins as a linear one, and its first steps are of one size
    ("fix-up" initialization, which takes the place of normalization).

    Args:
        x: Features `[batch, size, size, channels]`.
        group_size: Channels of a group.
        depth: Residual blocks of the network.

    Source: Huang et al. 2024; initialization: Zhang et al. 2019 (Fixup), arXiv 1901.09321.
    """
    inside = EXPANSION * x.shape[-1]
    # The gain that keeps variances through a leaky ReLU.
    initializer = _normal((2.0 / (1.0 + NEGATIVE_SLOPE**2)) ** 0.5 * depth**-0.25)
    y = layers.Conv2D(inside, 1, kernel_initializer=initializer)(x)
    y = layers.LeakyReLU(negative_slope=NEGATIVE_SLOPE)(y)
    groups = inside // group_size
    grouped = GroupedConv2D(
        inside, 3, padding="same", groups=groups, kernel_initializer=initializer
    )
    y = layers.LeakyReLU(negative_slope=NEGATIVE_SLOPE)(grouped(y))
    last = layers.Conv2D(x.shape[-1], 1, use_bias=False, kernel_initializer="zeros")
    return layers.Add()([x, last(y)])


def _linear(channels: int, **kwargs: Any) -> keras.layers.Layer:
    return layers.Conv2D(channels, 1, use_bias=False, kernel_initializer=_normal(), **kwargs)


def _normal(gain: float = 1.0) -> keras.initializers.Initializer:
    """Returns a normal initializer of the variance `gain^2 / inputs`."""
    return keras.initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")


def _embedded(labels: Any, num_classes: int, size: int, gain: float = 1.0) -> Any:
    """Returns an embedding that starts as a linear layer on one-hot labels does."""
    num_classes = validation.integer("num_classes", num_classes, fix="Use 10.")
    size = validation.integer("class_embedding", size, fix="Use 64.")
    initializer = keras.initializers.RandomNormal(stddev=gain * num_classes**-0.5)
    return layers.Embedding(num_classes, size, embeddings_initializer=initializer)(labels)


def _widths(image_size: int, width: int, group_size: int) -> list[int]:
    """Returns the channels at each size, from 4 pixels up."""
    validation.integer("image_size", image_size, unit="pixels", fix="Use 32.")
    validation.integer("width", width, fix="Use 768, or 64 for trials on a CPU.")
    validation.integer("group_size", group_size, fix="Use 16.")
    doublings = range(max(image_size // BASE, 1).bit_length())
    sides = [BASE * 2**each for each in doublings]
    if len(sides) < 2 or sides[-1] != image_size:
        raise ValueError(
            f"`image_size` must be {BASE} doubled once or more: 8, 16, 32, 64, ... Received: "
            f"{image_size}. Resize the images, or use tgs.networks.resnet_generator."
        )
    widths = [width * FULL // max(side, FULL) for side in sides]
    if any(not each or EXPANSION * each % group_size for each in widths):
        unit = group_size * max(1, image_size // FULL) // math.gcd(group_size, EXPANSION)
        raise ValueError(
            f"`group_size` must divide {EXPANSION} times the channels at every size, {widths}. "
            f"Received: {group_size} with width={width}. Use a multiple of {unit} as width."
        )
    return widths
