"""A noisy saddle with one steep and one flat direction, on which two time scales pay."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfgan_stab.game.noise import ALGORITHM
from tfgan_stab.game.players import Players
from tfgan_stab.games.known_game import as_points, check_count, check_number


@dataclasses.dataclass(frozen=True, eq=False)
class Saddle:
    """A saddle a hundred times steeper for one player than for the other, seen through noise.

    min over x, max over y of::

        f(x, y) = (1 + x^2) (100 - y^2)

    Each slope is `-2 x (100 - y^2)` or `-2 y (1 + x^2)` plus a normal number.

    Args:
        noise: Standard deviation of what is added to each slope, >= 0.
        runs: How many independent runs to play at once, along an axis in front; `None` for one run
            without such an axis.

    Raises:
        ValueError: If `noise` is negative or not finite, or `runs` is no integer >= 1.

    Example:
        >>> import tfgan_stab as tgs
        >>> game = tgs.games.Saddle(runs=50)
        >>> def median(step_sizes):
        ...     run = tgs.games.play(game, tgs.Simultaneous(), step_sizes, rounds=200)
        ...     return np.median(run.distances[-1])
        >>> bool(median((1e-4, 1e-2)) < 0.1 < 0.2 < median((1e-3, 1e-3)))
        True

    Source: Heusel et al. 2017, arXiv 1706.08500, section "Two Time-Scale Update Rule", and the
        notebook `ttur_example_saddle.ipynb` of their code.
    Departures: theirs moves x, then y against the new x; play it with any scheme here.
    """

    noise: float = 1.0
    runs: int | None = None

    def __post_init__(self) -> None:
        check_number("noise", self.noise, "the noise's standard deviation", minimum=0.0)
        if self.runs is not None:
            check_count("runs", self.runs, "runs played at once")

    @property
    def start(self) -> Players:
        """(0.5, -0.4), as in the paper."""
        shape = [1] if self.runs is None else [self.runs, 1]
        return as_points("start", (np.full(shape, 0.5), np.full(shape, -0.4)))

    @property
    def solution(self) -> Players:
        """The origin."""
        return Players(*map(tf.zeros_like, self.start))

    @property
    def jacobian(self) -> np.ndarray:
        """`diag(-200, -2)`."""
        return np.diag([-200.0, -2.0])

    def slopes(self, params: Players, seed: tf.Tensor) -> Players:
        """Returns both slopes with the noise drawn with `seed`."""
        x, y = params
        drawn = tf.random.stateless_normal(
            tf.concat([[2], tf.shape(x)], axis=0), seed, dtype=tf.float64, alg=ALGORITHM
        )
        return Players(
            -2.0 * x * (100.0 - tf.square(y)) + self.noise * drawn[0],
            -2.0 * y * (1.0 + tf.square(x)) + self.noise * drawn[1],
        )
