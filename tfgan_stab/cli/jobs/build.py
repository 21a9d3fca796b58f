"""The model that gin files describe: built for training, and rebuilt to draw samples from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tfgan_stab._utils import validation
from tfgan_stab.game.penalties.base import LossPenalty, WeightGradientPenalty
from tfgan_stab.game.top_k import TopK
from tfgan_stab.training.averaging.rules import Average
from tfgan_stab.training.gan import GAN
from tfgan_stab.updates.scheme import Scheme

__all__ = ["build"]


def build(
    *,
    generator: Callable[[], keras.Model],
    discriminator: Callable[[], keras.Model],
    generator_optimizer: Any,
    discriminator_optimizer: Any,
    latents: Any = 128,
    loss: Any = "non_saturating",
    scheme: Scheme | None = None,
    penalties: Sequence[LossPenalty | WeightGradientPenalty] = (),
    top_k: TopK | None = None,
    averages: Mapping[str, Average] | None = None,
    jit_compile: bool | str = "auto",
    seed: int = 0,
) -> GAN:
    """Returns a compiled GAN with new weights; its variables are those that a checkpoint holds.

    Args:
        generator: Makes the generator, once the seed of the initial weights is set.
        discriminator: Makes the discriminator.
        generator_optimizer: As in `GAN.compile`.
        discriminator_optimizer: As in `GAN.compile`.
        latents: As in `GAN`.
        loss: As in `GAN.compile`.
        scheme: As in `GAN.compile`.
        penalties: As in `GAN.compile`.
        top_k: As in `GAN.compile`.
        averages: As in `GAN.compile`.
        jit_compile: As in `GAN.compile`.
        seed: Decides initial weights and noise, an integer.

    Raises:
        ValueError: If an argument is out of range, or the networks do not fit each other.
    """
    keras.utils.set_random_seed(validation.seed(seed) % 2**32)  # Keras takes no more bits.
    gan = GAN(generator(), discriminator(), latents=latents)
    gan.compile(
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        loss=loss,
        scheme=scheme,
        penalties=list(penalties),
        top_k=top_k,
        averages=dict(averages or {}),
        jit_compile=jit_compile,
        seed=seed,
    )
    return gan
