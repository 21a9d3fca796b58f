"""Games with a linear field, whose answers are matrices."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.game.players import Players
from tfgan_stab.toy_games.base import as_points


class _Linear:
    """The field `jacobian (x, y)`, with its solution at the origin."""

    start: Any
    jacobian: Any

    @property
    def solution(self) -> Players:
        """The origin."""
        return Players(*map(tf.zeros_like, self.start))

    def slopes(self, params: Players, seed: tf.Tensor) -> Players:
        """Returns the Jacobian times the point."""
        del seed
        joint = tf.linalg.matvec(self.jacobian, tf.concat(params, axis=-1))
        return Players(*tf.split(joint, [own.shape[-1] for own in params], axis=-1))


@dataclasses.dataclass(frozen=True, eq=False)
class DampedRotation(_Linear):
    """A rotation that shrinks.

    min over x, max over y of::

        f(x, y) = damping x^2 / 2 + frequency x y - damping y^2 / 2

    Its field is linear, with eigenvalues `-damping +- i frequency`.

    Args:
        damping: How fast the continuous flow shrinks, >= 0, per unit of time; 0 is a rotation.
        frequency: How fast it turns, radians per unit of time.
        start: Where to begin, one number per player.

    Raises:
        ValueError: If a number is not finite, or `damping` is negative.

    Example:
        >>> import tfgan_stab as tgs
        >>> game = tgs.games.DampedRotation(damping=1.0, frequency=20.0)
        >>> for scheme in (tgs.Simultaneous(), tgs.RungeKutta(tgs.RK4)):
        ...     print(round(tgs.games.play(game, scheme, 0.01, steps=100).factor, 5))
        1.01
        0.99005

    Source: a linear stand-in for the field of figure 1 of Qin et al. 2020 (ODE-GAN), arXiv
        2010.15040.
    """

    damping: float = 0.0
    frequency: float = 1.0
    start: Players = Players(1.0, 0.0)

    def __post_init__(self) -> None:
        validation.number("damping", self.damping, least=0.0, fix="Use 0 for a pure rotation.")
        validation.number("frequency", self.frequency)
        object.__setattr__(self, "start", as_points("start", self.start))

    @property
    def jacobian(self) -> np.ndarray:
        """`[[-damping, -frequency], [frequency, -damping]]`."""
        d, f = float(self.damping), float(self.frequency)
        return np.array([[-d, -f], [f, -d]])


@dataclasses.dataclass(frozen=True, eq=False)
class RandomLinear(_Linear):
    """A random game whose continuous flow converges while it turns.

    min over x, max over y of::

        f(x, y) = x^T P x / 2 + x^T B y - y^T Q y / 2

    P = damping (I + W W^T / n) with normal W, and Q likewise, so that both are at least
    `damping I`; B is normal with variance rotation^2 / (numbers of both players). The symmetric
    part of the field's Jacobian `[[-P, -B], [B^T, -Q]]` is negative definite, whatever B is.

    Args:
        dimensions: How many numbers the generator and the discriminator have, integers >= 1.
        seed: Seed of P, Q, B and the start, an integer from 0 to 2**32 - 1.
        damping: The smallest rate at which the flow shrinks, > 0, per unit of time.
        rotation: How strongly the players act on each other, >= 0.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> game = RandomLinear((3, 2), seed=1)
        >>> bool(np.linalg.eigvals(game.jacobian).real.max() <= -0.1)
        True
    """

    dimensions: Players | tuple[int, int] = (3, 2)
    seed: int = 0
    damping: float = 0.1
    rotation: float = 1.0
    start: Players = dataclasses.field(init=False)
    jacobian: np.ndarray = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        n, m = _checked_dimensions(self.dimensions)
        seed = validation.integer("seed", self.seed, least=0, most=2**32 - 1, fix="Use 0.")
        validation.number("damping", self.damping, above=0.0, fix="Use 0.1.")
        validation.number("rotation", self.rotation, least=0.0)
        random = np.random.RandomState(seed)
        p, q = (self.damping * (np.eye(k) + _square(random.randn(k, k))) for k in (n, m))
        b = self.rotation / np.sqrt(n + m) * random.randn(n, m)
        object.__setattr__(self, "jacobian", np.block([[-p, -b], [b.T, -q]]))
        start = as_points("start", (random.randn(n), random.randn(m)))
        object.__setattr__(self, "start", start)


def _square(matrix: np.ndarray) -> np.ndarray:
    return matrix @ matrix.T / len(matrix)


def _checked_dimensions(dimensions: Any) -> list[int]:
    if not isinstance(dimensions, (tuple, list)) or len(dimensions) != 2:
        raise ValueError(
            "`dimensions` must be two integers, how many numbers the generator and the "
            f"discriminator have. Received: {dimensions!r}. Use, for instance, (3, 2)."
        )
    return [validation.integer("dimensions", own, fix="Use (3, 2).") for own in dimensions]
