"""What a game with a known answer offers, and the checks that such games share."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfgan_stab.game.players import BOTH, Players


class KnownGame(Protocol):
    """A game whose equilibrium and whose field near it are known.

    The generator's numbers x minimise, the discriminator's y are what plays against them.

    Attributes:
        start: Where a run begins: float64 `[..., n]` for either player. Axes before the last tell
            runs apart that are played at once.
        solution: The equilibrium, of the same shapes or of shapes that broadcast to them.
        jacobian: float64 NumPy array, the derivative of the mean field at the solution; rows and
            columns are the generator's numbers, then the discriminator's.
    """

    @property
    def start(self) -> Players: ...  # noqa: D102

    @property
    def solution(self) -> Players: ...  # noqa: D102

    @property
    def jacobian(self) -> np.ndarray: ...  # noqa: D102

    def slopes(self, params: Players, seed: tf.Tensor) -> Players:
        """Returns both players' downhill slopes: minus the gradient of each one's own loss.

        Args:
            params: Where to look, shaped like `start`.
            seed: int32 `[2]`, what a stochastic game draws from: equal seeds, equal slopes. Other
                games have no use for it.
        """


def as_points(name: str, value: Any) -> Players:
    """Returns a pair of numbers or arrays as float64 tensors `[..., n]`.

    Args:
        name: What to call it in an error.
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


def check_number(name: str, value: Any, meaning: str, minimum: float = -math.inf) -> None:
    """Raises ValueError unless `value` is a finite number of at least `minimum`."""
    is_number = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < minimum:
        limit = f" >= {minimum:g}" if math.isfinite(minimum) else ""
        raise ValueError(
            f"`{name}` must be a finite number{limit}: {meaning}. Received: {value!r}."
        )


def check_count(name: str, value: Any, meaning: str, minimum: int = 1) -> None:
    """Raises ValueError unless `value` is an integer of at least `minimum`."""
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer or value < minimum:
        raise ValueError(
            f"`{name}` must be an integer >= {minimum}: {meaning}. Received: {value!r}."
        )


def _finite(name: str, value: Any) -> np.ndarray:
    try:
        array = np.atleast_1d(np.asarray(value, np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must hold numbers. Received: {value!r}.") from error
    if not np.all(np.isfinite(array)):
        raise ValueError(f"`{name}` must hold finite numbers. Received: {value!r}.")
    return array
