"""Networks for both players, as plain Keras models, and layers with right second derivatives.

May import `_utils`.
"""

from tfgan_stab.networks.attention import SelfAttention
from tfgan_stab.networks.conditional import ConditionalBatchNormalization
from tfgan_stab.networks.conventional import conventional_discriminator, conventional_generator
from tfgan_stab.networks.dcgan import (
    dcgan_discriminator,
    dcgan_generator,
    sndcgan_discriminator,
    sndcgan_generator,
)
from tfgan_stab.networks.dcgan28 import dcgan28_discriminator, dcgan28_generator
from tfgan_stab.networks.export import with_keras_layers
from tfgan_stab.networks.mlp import mlp_discriminator, mlp_generator
from tfgan_stab.networks.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
)
from tfgan_stab.networks.r3gan import GroupedConv2D, r3gan_discriminator, r3gan_generator
from tfgan_stab.networks.resizing import Resizing, UpSampling2D
from tfgan_stab.networks.resnet import resnet_discriminator, resnet_generator
from tfgan_stab.networks.spectral_normalization import SpectralNormalization
from tfgan_stab.networks.text import text_discriminator, text_generator
from tfgan_stab.networks.weight_clipping import ClippedWeights, with_clipped_weights

__all__ = [
    "BatchNormalization",
    "ClippedWeights",
    "ConditionalBatchNormalization",
    "GroupNormalization",
    "GroupedConv2D",
    "LayerNormalization",
    "Resizing",
    "SelfAttention",
    "SpectralNormalization",
    "UpSampling2D",
    "conventional_discriminator",
    "conventional_generator",
    "dcgan28_discriminator",
    "dcgan28_generator",
    "dcgan_discriminator",
    "dcgan_generator",
    "mlp_discriminator",
    "mlp_generator",
    "r3gan_discriminator",
    "r3gan_generator",
    "resnet_discriminator",
    "resnet_generator",
    "sndcgan_discriminator",
    "sndcgan_generator",
    "text_discriminator",
    "text_generator",
    "with_clipped_weights",
    "with_keras_layers",
]


def __dir__() -> list[str]:
    return sorted(__all__)
