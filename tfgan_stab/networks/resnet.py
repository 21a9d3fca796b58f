"""ResNets: the generators and discriminators of SN-GAN, SVRE, WGAN-GP, SAGAN and BigGAN.

There is one builder for each player; what the papers' code decides differently is data.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from tfgan_stab._utils import validation
from tfgan_stab.networks.attention import SelfAttention
from tfgan_stab.networks.channels import channels_last
from tfgan_stab.networks.conditional import (
    batch_normalized,
    block_normalizations,
    judged,
    labels_input,
)
from tfgan_stab.networks.normalization import GroupNormalization
from tfgan_stab.networks.residual import (
    EPSILON,
    Convolutions,
    down_block,
    first_block,
    up_block,
)

layers = keras.layers


class Widths(NamedTuple):
    """Channels of a network for images of one size.

    Attributes:
        width: The unit of the multiples.
        multiples: Channels of the generator's first feature map, or after the discriminator's first
            block or convolution; then after each block.
        halvings: How many of the discriminator's blocks, the first ones, halve the size.
        attention: Size of the feature map that self-attention comes after; `None` for none.
    """

    width: int
    multiples: tuple[int, ...]
    halvings: int = 0
    attention: int | None = None


class Architecture(NamedTuple):
    """What a paper's code decides about its ResNets.

    Attributes:
        generator: Image size -> the generator's channels.
        discriminator: Image size -> the discriminator's channels.
        gain: Of the initial weights in blocks, on top of Glorot's.
        shortcut_gain: The same for the discriminator's shortcuts.
        image_gain: The same for the generator's last convolution.
        weights_std: Of initial weights that are normal, in place of Glorot's.
        learned_shortcuts: Whether the generator's shortcuts have a convolution.
        spectral_generator: Whether the generator is spectrally normalized too.
        normalization: The discriminator's.
        first_block: Whether the discriminator begins with a block of its own kind; else with one
            convolution.
        wide: Whether the discriminator's blocks widen at their first convolution, not the second.
        pooling: How features become a vector: "sum" or "mean" over pixels after a last ReLU, or
            "flatten".
    """

    generator: dict[int, Widths]
    discriminator: dict[int, Widths]
    gain: float = 2.0**0.5
    shortcut_gain: float = 1.0
    image_gain: float = 1.0
    weights_std: float | None = None
    learned_shortcuts: bool = True
    spectral_generator: bool = False
    normalization: str = "spectral"
    first_block: bool = True
    wide: bool = False
    pooling: str = "sum"


ARCHITECTURES = {
    "sngan": Architecture(
        generator={
            32: Widths(256, (1, 1, 1, 1)),
            48: Widths(64, (8, 4, 2, 1)),
            64: Widths(64, (16, 8, 4, 2, 1)),
            128: Widths(64, (16, 16, 8, 4, 2, 1)),
        },
        discriminator={
            32: Widths(128, (1, 1, 1, 1), halvings=2),
            48: Widths(64, (1, 2, 4, 8, 16), halvings=4),
            64: Widths(64, (1, 2, 4, 8, 16), halvings=5),
            128: Widths(64, (1, 2, 4, 8, 16, 16), halvings=5),
        },
    ),
    "svre": Architecture(
        generator={32: Widths(256, (1, 1, 1, 1))},
        discriminator={32: Widths(128, (1, 1, 1, 1), halvings=2)},
        gain=1.0,
        shortcut_gain=2.0**0.5,
        learned_shortcuts=False,
        pooling="mean",
    ),
    "wgan_gp": Architecture(
        generator={size: Widths(size, (8, 8, 4, 2, 1)) for size in (32, 64)},
        discriminator={size: Widths(size, (1, 2, 4, 8, 8), halvings=4) for size in (32, 64)},
        image_gain=2.0**0.5,
        normalization="layer",
        first_block=False,
        pooling="flatten",
    ),
    "sagan": Architecture(
        generator={
            32: Widths(256, (1, 1, 1, 1), attention=16),
            128: Widths(64, (16, 16, 8, 4, 2, 1), attention=32),
        },
        discriminator={
            32: Widths(128, (1, 1, 1, 1), halvings=2, attention=16),
            128: Widths(64, (1, 2, 4, 8, 16, 16), halvings=5, attention=32),
        },
        gain=1.0,
        spectral_generator=True,
        wide=True,
    ),
    "biggan": Architecture(
        generator={32: Widths(256, (1, 1, 1, 1))},
        discriminator={32: Widths(256, (1, 1, 1, 1), halvings=2)},
        weights_std=0.02,
        spectral_generator=True,
        wide=True,
    ),
}


@channels_last
def resnet_generator(
    image_size: int = 32,
    channels: int = 3,
    latents: int = 128,
    architecture: str = "sngan",
    width: int | None = None,
    multiples: Sequence[int] | None = None,
    attention: int | None = None,
    num_classes: int | None = None,
    shared_embedding: int | None = None,
    hierarchical: bool = False,
    output_activation: str = "tanh",
    name: str = "generator",
) -> keras.Model:
    """Builds the generator of a paper: a dense layer, then residual blocks that double the size.

    Args:
        image_size: Height and width of the images, in pixels: 32, 48, 64 or 128 for "sngan", 32 for
            "svre" and "biggan", 32 or 64 for "wgan_gp", 32 or 128 for "sagan"; others with
            `multiples` and `width`.
        channels: 1 for grey, 3 for colour.
        latents: Size of the noise.
        architecture: "sngan" (Miyato et al.; the averaging paper), "svre" (Lookahead-Minmax:
            shortcuts without weights), "wgan_gp" (TTUR), "sagan" (spectral normalization of every
            layer, and self-attention) or "biggan" (for CIFAR-10, with labels).
        width: Channels are multiples of it; `None` for the paper's.
        multiples: Multiples of `width`: the first feature map's channels, then those after each
            block; each block doubles the size. `None` for the paper's.
        attention: Size, in pixels, of the feature map after which self-attention comes; `None` for
            the paper's, which has one in "sagan" alone.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            blocks have conditional batch normalization.
        shared_embedding: Size of one embedding of the label, from which linear layers make the
            scales and shifts in all blocks (BigGAN; 128 in its code); `None` for tables.
        hierarchical: Whether the noise is cut into equal parts, the first for the dense layer, and
            one for each block, beside the shared embedding (BigGAN).
        output_activation: "tanh", or "linear" as in the averaging paper's code.
        name: The model's name.

    Returns:
        A model from float `[batch, latents]` to float `[batch, image_size, image_size, channels]`,
        in [-1, 1] with "tanh".

    Raises:
        ValueError: If an argument is out of range, or the architecture cannot make such images.

    Example:
        >>> resnet_generator(8, 1, latents=64, width=8, multiples=(2, 2, 1)).output_shape
        (None, 8, 8, 1)

    Source: The released code of Miyato and Koyama 2018, arXiv 1802.05637 (32, 64; its 128 as in
        SAGAN's), of Yazici et al. 2019, arXiv 1806.04498 (48), of Chavdarova et al. 2021, arXiv
        2006.14567 ("svre"), of Heusel et al. 2017, arXiv 1706.08500 ("wgan_gp") and of Zhang et al.
        2019, arXiv 1805.08318 ("sagan" at 128; at 32 it is "sngan" with SAGAN's parts, and where
        attention comes is ours); the PyTorch code of an author of Brock et al. 2019, arXiv
        1809.11096 ("biggan"; that it has no attention and starts at N(0, 0.02^2) is from memory).
    Departures: Tables of scales start at 1 in "biggan" too. Epsilon of batch normalization is 1e-5
        throughout. Convolutions ahead of batch normalization have no bias; shortcuts are computed
        before upsampling: neither changes what the network can compute. Biases start at 0.
    """
    paper, sizes = _chosen("generator", architecture, image_size, width, multiples)
    doublings = len(sizes.multiples) - 1
    base_size = _halved(image_size, doublings)
    attention = _checked_attention(attention, sizes.attention, 2 * base_size, doublings - 1)
    _check_shortcuts(architecture, paper, sizes)
    fix = "Use 'tanh' for images in [-1, 1]."
    validation.choice("output_activation", output_activation, ("tanh", "linear"), fix)
    make = Convolutions(paper.spectral_generator, paper.gain, weights_std=paper.weights_std)
    inputs: Any = keras.Input((latents,), name="latents")
    labels = labels_input(num_classes)
    first = sizes.width * sizes.multiples[0]
    dense = layers.Dense(base_size**2 * first, kernel_initializer=make.initializer())
    noise, normalizations = block_normalizations(
        inputs, labels, num_classes, shared_embedding, hierarchical, doublings, make
    )
    x = make.wrapped(dense)(noise)
    x = layers.Reshape((base_size, base_size, first))(x)
    for multiple, normalized in zip(sizes.multiples[1:], normalizations, strict=True):
        x = up_block(x, multiple * sizes.width, make, normalized, paper.learned_shortcuts)
        x = SelfAttention(make.spectral)(x) if x.shape[1] == attention else x
    x = layers.ReLU()(batch_normalized(x))
    last = make(channels, gain=paper.image_gain, activation=output_activation, dtype="float32")
    return keras.Model(inputs if labels is None else [inputs, labels], last(x), name=name)


@channels_last
def resnet_discriminator(
    image_size: int = 32,
    channels: int = 3,
    architecture: str = "sngan",
    width: int | None = None,
    multiples: Sequence[int] | None = None,
    halvings: int | None = None,
    normalization: str | None = None,
    attention: int | None = None,
    num_classes: int | None = None,
    pooling: str | None = None,
    name: str = "discriminator",
) -> keras.Model:
    """Builds the discriminator of a paper: residual blocks, the first of which halve the size.

    Args:
        image_size: Height and width of the images, in pixels; as for `resnet_generator`.
        channels: 1 for grey, 3 for colour.
        architecture: "sngan", "svre", "wgan_gp", "sagan" or "biggan"; as for `resnet_generator`.
        width: Channels are multiples of it; `None` for the paper's.
        multiples: Multiples of `width`: channels after the first block (in "wgan_gp", the first
            convolution), then after each further block. `None` for the paper's.
        halvings: How many blocks, the first ones, halve the size; with `multiples` only.
        normalization: "spectral" (of each layer's weights), "layer" (over all features of an
            example, ahead of each ReLU in blocks) or "none"; `None` for the paper's: "layer" in
            "wgan_gp", else "spectral".
        attention: Size, in pixels, of the feature map after which self-attention comes; `None` for
            the paper's, which has one in "sagan" alone.
        num_classes: Number of classes; with one, int32 labels `[batch]` are a second input, and
            the logit gets <embedding(label), features> added.
        pooling: How features become a vector: "sum" or "mean" over pixels after a last ReLU, or
            "flatten"; `None` for the paper's. Without normalization "sum" makes large logits.
        name: The model's name.

    Returns:
        A model from float `[batch, image_size, image_size, channels]` to logits `[batch, 1]`.

    Raises:
        ValueError: If an argument is out of range, or the architecture cannot see such images.

    Example:
        >>> resnet_discriminator(8, 1, width=8, multiples=(1, 2, 2), halvings=2).output_shape
        (None, 1)

    Source: As for `resnet_generator`; labels by projection, Miyato and Koyama 2018.
    Departures: The last layer has a bias in "sngan" with labels too. Shortcuts are computed after
        pooling, which is the same function. Biases start at 0.
    """
    paper, sizes = _chosen("discriminator", architecture, image_size, width, multiples, halvings)
    base_size = _halved(image_size, sizes.halvings)
    attention = _checked_attention(attention, sizes.attention, base_size, sizes.halvings - 1)
    normalization = paper.normalization if normalization is None else normalization
    fix = "Use 'spectral' to bound the discriminator's gradient."
    validation.choice("normalization", normalization, ("spectral", "layer", "none"), fix)
    pooling = paper.pooling if pooling is None else pooling
    validation.choice("pooling", pooling, ("sum", "mean", "flatten"), "Use 'mean'.")
    spectral, gains = normalization == "spectral", (paper.gain, paper.shortcut_gain)
    make = Convolutions(spectral, *gains, weights_std=paper.weights_std)
    images = keras.Input((image_size, image_size, channels), name="images")
    normalized = _layer_normalized if normalization == "layer" else None
    x, size = images, image_size
    for number, multiple in enumerate(sizes.multiples):
        filters, halved = multiple * sizes.width, number < sizes.halvings + (not paper.first_block)
        if number:
            x = down_block(x, filters, make, normalized, halved, paper.wide)
        else:
            x = first_block(x, filters, make) if paper.first_block else make(filters)(x)
        if x.shape[1] == attention != size:
            x = SelfAttention(make.spectral)(x)
        size = x.shape[1]
    features = _vector(x, pooling)
    logits = make.wrapped(layers.Dense(1, kernel_initializer=make.initializer()))(features)
    return judged(images, logits, features, num_classes, make.initializer, make.wrapped, name)


def _chosen(
    player: str,
    architecture: str,
    image_size: int,
    width: int | None,
    multiples: Sequence[int] | None,
    halvings: int | None = None,
) -> tuple[Architecture, Widths]:
    """Returns an architecture, and a player's channels with what is given in the paper's place."""
    validation.choice("architecture", architecture, tuple(ARCHITECTURES), "Use 'sngan'.")
    paper = ARCHITECTURES[architecture]
    known = getattr(paper, player)
    given: dict[str, Any] = {"width": width, "multiples": multiples}
    example = "width=32, multiples=(1, 1, 1)"
    if player == "discriminator":
        given["halvings"], example = halvings, f"{example}, halvings=2"
    missing = [name for name, value in given.items() if value is None]
    if missing and image_size not in known:
        sizes_known = ", ".join(map(str, known))
        raise ValueError(
            f"`image_size` must be one of {sizes_known} for {architecture!r}, unless "
            f"{' and '.join(given)} are given. Received: image_size={image_size!r} without "
            f"{' and '.join(missing)}. For 8 pixels use {example}."
        )
    sizes = known.get(image_size, Widths(0, ()))
    sizes = sizes._replace(**{name: value for name, value in given.items() if value is not None})
    return paper, _checked(sizes, player, paper.first_block)


def _checked(sizes: Widths, player: str, first_block: bool) -> Widths:
    """Returns channels whose numbers are in range."""
    width = validation.integer("width", sizes.width, fix="Use 64.")
    fix = "Use a sequence such as (4, 2, 1)."
    multiples = tuple(validation.integer("multiples", each, fix=fix) for each in sizes.multiples)
    if len(multiples) < 2:
        raise ValueError(f"`multiples` must be two or more. Received: {multiples}. {fix}")
    if player == "generator":
        return sizes._replace(width=width, multiples=multiples)
    blocks = len(multiples) - (not first_block)
    fix = f"{blocks} blocks have {len(multiples)} `multiples`."
    halvings = validation.integer("halvings", sizes.halvings, most=blocks, fix=fix)
    return sizes._replace(width=width, multiples=multiples, halvings=halvings)


def _halved(image_size: int, times: int) -> int:
    """Returns the size of the smallest feature map."""
    image_size = validation.integer("image_size", image_size, unit="pixels", fix="Use 32.")
    if image_size % 2**times:
        raise ValueError(
            f"`image_size` must be a multiple of {2**times}, as {times} blocks double or halve the "
            f"size. Received: image_size={image_size}. Change it, or give fewer `multiples`."
        )
    return image_size // 2**times


def _checked_attention(given: int | None, papers: int | None, base: int, times: int) -> int | None:
    """Returns after which size attention comes, of those that blocks end with."""
    if given is None:
        return papers
    sizes = [base * 2**time for time in range(times + 1)]
    return validation.choice("attention", given, sizes, "Use one that has an even size.")


def _check_shortcuts(name: str, paper: Architecture, sizes: Widths) -> None:
    if not paper.learned_shortcuts and len(set(sizes.multiples)) > 1:
        raise ValueError(
            f"`multiples` must all be equal in {name!r}, whose shortcuts cannot change the number "
            f"of channels. Received: {sizes.multiples}. Use architecture='sngan'."
        )


def _layer_normalized(x: Any) -> Any:
    # One group of all channels and pixels, with a scale and a shift per channel.
    return GroupNormalization(groups=1, epsilon=EPSILON)(x)


def _vector(x: Any, pooling: str) -> Any:
    """Returns features as one vector per example."""
    if pooling == "flatten":
        return layers.Flatten()(x)
    features = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    if pooling == "sum":
        features = layers.Rescaling(float(x.shape[1] * x.shape[2]))(features)
    return features
