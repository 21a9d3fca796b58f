"""What a game with a known answer offers, and how such games take points."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfgan_stab.game.players import BOTH, Players


class KnownGame(Protocol):
    """A game whose equilibrium is known.

    The generator chooses x and minimises, the discriminator chooses y and works against it. The
    games of this package also have a `jacobian`: a float64 NumPy array, the derivative of the mean
    field at the solution, with the generator's rows and columns first.

    Attributes:
        start: Where a run begins: float64 `[..., n]` for each player. Leading axes hold
            independent runs, which are played at once.
        solution: The equilibrium, of the same shapes or of shapes that broadcast to them.
    """

    @property
    def start(self) -> Players: ...  # noqa: D102

    @property
    def solution(self) -> Players: ...  # noqa: D102

    def slopes(self, params: Players, seed: tf.Tensor) -> Players:
        """Returns both players' downhill slopes: minus the gradient of each one's own loss.

        Args:
            params: The point to evaluate at, shaped like `start`.
            seed: int32 `[2]`, the seed of a stochastic game's noise: equal seeds give equal
                slopes. Deterministic games ignore it.
        """


def as_points(name: str, value: Any) -> Players:
    """Returns a pair of numbers or arrays as float64 tensors `[..., n]`.

    Args:
        name: The argument's name, for errors.
        value: One number or array per player, the generator's first.

    Raises:
        ValueError: If there are not two, or they hold anything but finite numbers.

    Example:
        >>> as_points("start", (1.0, [0.0, 2.0])).discriminator.shape
        TensorShape([2])
    """
    if not isinstance(value, Sequence) or len(value) != len(BOTH):
        raise ValueError(
            f"`{name}` must be two numbers or arrays, the generator's and the discriminator's. "
            f"Received: {value!r}. Use, for instance, (1.0, 0.0)."
        )
    return Players(*(tf.constant(_finite(name, own), tf.float64) for own in value))


def _finite(name: str, value: Any) -> np.ndarray:
    try:
        array = np.atleast_1d(np.asarray(value, np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must hold numbers. Received: {value!r}.") from error
    if not np.all(np.isfinite(array)):
        raise ValueError(f"`{name}` must hold finite numbers. Received: {value!r}.")
    return array
