"""The two players' bodies: plain Keras models with no losses inside."""

from tfgan_stab.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgan_stab.networks.mlp import mlp_discriminator, mlp_generator

__all__ = ["dcgan_discriminator", "dcgan_generator", "mlp_discriminator", "mlp_generator"]
