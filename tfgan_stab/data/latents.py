"""The noise that the generator turns into pictures."""

import dataclasses
import numbers
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgan_stab._utils import random as randomness
from tfgan_stab._utils import validation
from tfgan_stab._utils.serialization import Serializable

__all__ = [
    "NoNoise",
    "Normal",
    "Sphere",
    "Uniform",
    "as_sampler",
]


@dataclasses.dataclass(frozen=True)
class _Sampler(Serializable):
    """What the samplers share: a size, and what it must be."""

    size: int

    def __post_init__(self) -> None:
        validation.integer("size", self.size, unit="latent coordinates")

    @property
    def shape(self) -> tuple[int]:
        """Shape of one latent vector, `(size,)`."""
        return (self.size,)


@dataclasses.dataclass(frozen=True)
class Normal(_Sampler):
    """Draws standard normal latents, N(0, I).

    Args:
        size: Latent coordinates, an integer >= 1.

    Raises:
        ValueError: If `size` is not an integer >= 1.

    Example:
        >>> Normal(128)(2, seed=[0, 1]).shape
        TensorShape([2, 128])
    """

    def __call__(self, count: int | tf.Tensor, seed: Any) -> tf.Tensor:
        """Draws float32 `[count, size]` as a pure function of `seed`, two integers."""
        return randomness.normal(count, self.size, seed)


@dataclasses.dataclass(frozen=True)
class Uniform(_Sampler):
    """Draws latents whose coordinates are uniform between -1 and 1.

    Args:
        size: Latent coordinates, an integer >= 1.

    Raises:
        ValueError: If `size` is not an integer >= 1.

    Example:
        >>> bool(tf.reduce_all(tf.abs(Uniform(128)(2, seed=[0, 1])) <= 1.0))
        True
    """

    def __call__(self, count: int | tf.Tensor, seed: Any) -> tf.Tensor:
        """Draws float32 `[count, size]` as a pure function of `seed`, two integers."""
        return 2.0 * randomness.uniform([count, self.size], seed) - 1.0


@dataclasses.dataclass(frozen=True)
class Sphere(_Sampler):
    """Draws latents evenly from the sphere of radius sqrt(size).

    ::

        z = sqrt(size) x / |x|,    x ~ N(0, I)

    so that a coordinate has variance 1, as with `Normal`.

    Args:
        size: Latent coordinates, an integer >= 1.

    Raises:
        ValueError: If `size` is not an integer >= 1.

    Example:
        >>> round(float(tf.norm(Sphere(100)(1, seed=[0, 1]))), 4)
        10.0

    Reference:
        Karras et al., "Progressive Growing of GANs", ICLR 2018, appendix A.1.
    """

    def __call__(self, count: int | tf.Tensor, seed: Any) -> tf.Tensor:
        """Draws float32 `[count, size]` as a pure function of `seed`, two integers."""
        normal = Normal(self.size)(count, seed)
        return normal * (self.size**0.5 / tf.norm(normal, axis=-1, keepdims=True))


@dataclasses.dataclass(frozen=True)
class NoNoise(Serializable):
    """Draws nothing: for a generator that takes a condition alone, as in image translation.

    Example:
        >>> NoNoise()(2, seed=[0, 1]).shape
        TensorShape([2, 0])
    """

    @property
    def shape(self) -> tuple[int]:
        """Shape of one latent vector, `(0,)`."""
        return (0,)

    def __call__(self, count: int | tf.Tensor, seed: Any) -> tf.Tensor:
        """Returns float32 `[count, 0]`."""
        del seed
        return tf.zeros([count, 0])


def as_sampler(latents: int | Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Turns a size into `Normal(size)`, 0 into `NoNoise()`; gives a sampler back as it is.

    Args:
        latents: Latent coordinates, or an object with a `shape` that is called with
            `(count, seed)` and returns float32 `[count, *shape]`.

    Returns:
        The sampler.

    Raises:
        TypeError: If it is neither.

    Example:
        >>> as_sampler(128)
        Normal(size=128)
    """
    if isinstance(latents, numbers.Integral) and not isinstance(latents, bool):
        return Normal(int(latents)) if latents else NoNoise()
    if callable(latents) and hasattr(latents, "shape"):
        return latents
    raise TypeError(
        "`latents` must be a number of coordinates or a sampler such as `tgs.data.latents.Normal("
        "128)`: callable as sampler(count, seed), with a `shape`; 0 is for a generator without "
        f"noise. Received: {latents!r}."
    )


def __dir__() -> list[str]:
    return sorted(__all__)
