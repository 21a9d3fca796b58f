"""The model that gin files describe: built for training, and rebuilt to draw samples from."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from tfgan_stab._utils import validation
from tfgan_stab.training.gan import GAN

__all__ = ["build", "with_arguments_of"]

Function = TypeVar("Function", bound=Callable[..., Any])


def with_arguments_of(inner: Callable[..., Any]) -> Callable[[Function], Function]:
    """Returns a decorator for a function whose `**kwargs` go to `inner`.

    It adds the arguments of `inner` to the function's signature, so that gin knows their names and
    defaults, and they are stated once.
    """

    def decorate(function: Any) -> Any:
        own = inspect.signature(function).parameters
        parameters = [each for each in own.values() if each.kind is not each.VAR_KEYWORD]
        parameters += [
            each.replace(kind=each.KEYWORD_ONLY)
            for each in inspect.signature(inner).parameters.values()
            if each.name not in (*own, "self")
        ]
        function.__signature__ = inspect.Signature(parameters)
        return function

    return decorate


@with_arguments_of(GAN.compile)
def build(
    *,
    generator: Callable[[], keras.Model],
    discriminator: Callable[[], keras.Model],
    latents: Any = 128,
    seed: int = 0,
    **settings: Any,
) -> GAN:
    """Returns a compiled GAN with new weights; its variables are those that a checkpoint holds.

    Args:
        generator: Makes the generator, once the seed of the initial weights is set.
        discriminator: Makes the discriminator.
        latents: As in `GAN`.
        seed: Decides initial weights and noise, an integer in [0, 2**62).
        **settings: The other arguments of `GAN.compile`.

    Raises:
        ValueError: If an argument is out of range, or the networks do not fit each other.
    """
    keras.utils.set_random_seed(validation.seed(seed) % 2**32)  # Keras takes no more bits.
    gan = GAN(generator(), discriminator(), latents=latents)
    gan.compile(seed=seed, **settings)
    return gan
