"""The bilinear game: the smallest one on which simultaneous gradient steps diverge."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.random import ALGORITHM
from tfgan_stab.game.players import Players
from tfgan_stab.toy_games.base import as_points

_SIZE = 100  # Dimensions, and terms, of the notebooks' problems.
_PROBLEMS = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Bilinear:
    """A game that turns around its solution: a sum of n terms, of which minibatches show a few.

    min over x, max over y of::

        f(x, y) = sum_i  x_i y_i + x^T a_i + y^T b_i,    i = 1 .. n

    By default n = 1 and a = b = 0: the plain game x y, whose field rotates around the origin. In n
    dimensions it rotates around x* = -sum_i b_i, y* = -sum_i a_i, each pair (x_i, y_i) in its own
    plane. Gradients are sums, not means, over the terms seen.

    Args:
        start: Where to begin: n numbers for either player, `[..., n]`.
        terms: The vectors a_i (`terms.generator`) and b_i (`terms.discriminator`) in rows,
            `[..., n, n]` each; `None` for zeros.
        batch_size: Terms seen at each evaluation, 1 to n, drawn without replacement; `None` for all
            of them, always.

    Raises:
        ValueError: If shapes do not fit, or `batch_size` is outside its range.

    Example:
        >>> import tfgan_stab as tgs
        >>> game = tgs.games.Bilinear()
        >>> run = tgs.games.play(game, tgs.Simultaneous(), step_sizes=0.3, steps=100)
        >>> round(run.factor, 6)  # sqrt(1 + 0.3^2): gradient steps spiral outwards
        1.044031
        >>> run = tgs.games.play(game, tgs.Extragradient(), step_sizes=0.3, steps=100)
        >>> round(run.factor, 6)
        0.958175

    Source: the two notebooks of Chavdarova et al. 2021, arXiv 2006.14567, published with their
        code (`M_i = e_i e_i^T` there); the plain game is folklore.
    Departures: none; minibatches are drawn by another generator of random numbers.
    """

    start: Players = Players(1.0, 0.0)
    terms: Players | None = None
    batch_size: int | None = None
    solution: Players = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        start = as_points("start", self.start)
        size = start.generator.shape[-1]
        zeros = np.zeros([size, size])
        terms = as_points("terms", Players(zeros, zeros) if self.terms is None else self.terms)
        _check_shapes(start, terms)
        if self.batch_size is not None:
            fix = "Use None to see all terms."
            validation.integer("batch_size", self.batch_size, most=size, unit="terms", fix=fix)
        solution = Players(
            -tf.reduce_sum(terms.discriminator, axis=-2), -tf.reduce_sum(terms.generator, axis=-2)
        )
        for name, value in (("start", start), ("terms", terms), ("solution", solution)):
            object.__setattr__(self, name, value)

    @classmethod
    def full_batch_problem(cls, number: int | Sequence[int] = 0) -> "Bilinear":
        """Returns one of the five problems of the authors' full-batch comparison.

        100 dimensions; start, a_i and b_i are normal vectors, each divided by the root of an
        integer drawn uniformly from 1 to 10,000. All five come from one stream with seed 3.

        Args:
            number: 0 to 4; several numbers give several problems, played at once.

        Raises:
            ValueError: If there is no such problem.

        Example:
            >>> Bilinear.full_batch_problem(2).start.generator.shape
            TensorShape([100])

        Source: their notebook `batch_methods.ipynb`; the draws are the same, bit for bit.
        """
        numbers = np.asarray(number)
        if (
            not np.issubdtype(numbers.dtype, np.integer)
            or not np.isin(numbers, range(_PROBLEMS)).all()
        ):
            raise ValueError(
                f"`number` must be an integer from 0 to {_PROBLEMS - 1}, or several, the problems "
                f"of the notebook. Received: {number!r}."
            )
        stream = np.random.RandomState(3)
        starts = [_scaled_pair(stream) for _ in range(_PROBLEMS)]
        terms = [[_scaled_pair(stream) for _ in range(_SIZE)] for _ in range(_PROBLEMS)]
        return cls(_players(starts, numbers), _players(terms, numbers))

    @classmethod
    def stochastic_problem(cls, batch_size: int, seed: int | Sequence[int] = 0) -> "Bilinear":
        """Returns a problem of the authors' stochastic comparison.

        100 dimensions; start, a_i and b_i are drawn from N(0, I / 100).

        Args:
            batch_size: Terms per evaluation, 1 to 100; they show 1, 4, 16, 64 and 100.
            seed: Seed of the problem; they use 0 to 4. Several seeds give several problems, played
                at once. (The minibatches depend on the seed given to `play`.)

        Raises:
            ValueError: If `batch_size` or a seed is outside its range.

        Example:
            >>> Bilinear.stochastic_problem(64, seed=range(5)).start.generator.shape
            TensorShape([5, 100])

        Source: their notebook `LA-MM_stochastic_bilinear.ipynb`; the problems are the same, bit
            for bit.
        """
        seeds = np.asarray(seed)
        if not np.issubdtype(seeds.dtype, np.integer) or np.any(seeds < 0):
            raise ValueError(f"`seed` must be an integer >= 0, or several. Received: {seed!r}.")
        drawn = [_normal_problem(np.random.RandomState(each)) for each in seeds.reshape(-1)]
        index = np.arange(seeds.size).reshape(seeds.shape)
        start, terms = zip(*drawn, strict=True)
        return cls(_players(start, index), _players(terms, index), batch_size)

    @property
    def jacobian(self) -> np.ndarray:
        """`p [[0, -I], [I, 0]]`, where p is the share of the terms that an evaluation sees."""
        size = self.start.generator.shape[-1]
        share = 1.0 if self.batch_size is None else self.batch_size / size
        return share * np.kron([[0.0, -1.0], [1.0, 0.0]], np.eye(size))

    def slopes(self, params: Players, seed: tf.Tensor) -> Players:
        """Returns `-(y - y*)` and `x - x*`, or the same of the terms drawn with `seed`."""
        x, y = params
        if self.batch_size is None:
            return Players(self.solution.discriminator - y, x - self.solution.generator)
        seen = self._seen(tf.shape(x), seed)
        a, b = (tf.linalg.matvec(own, seen, transpose_a=True) for own in self.terms or ())
        return Players(-(seen * y + a), seen * x + b)

    def _seen(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns 1 for the `batch_size` terms drawn for each run, 0 for the others."""
        drawn = tf.random.stateless_uniform(shape, seed, dtype=tf.float64, alg=ALGORITHM)
        least = tf.math.top_k(drawn, self.batch_size).values[..., -1:]
        return tf.cast(drawn >= least, tf.float64)


def _check_shapes(start: Players, terms: Players) -> None:
    size = start.generator.shape[-1]
    if start.discriminator.shape != start.generator.shape:
        raise ValueError(
            "`start` must give both players equally many numbers. Received shapes: "
            f"{start.generator.shape} and {start.discriminator.shape}."
        )
    for own in terms:
        if own.shape[-2:] != [size, size]:
            raise ValueError(
                f"`terms` must be n x n arrays, for n = {size} numbers in `start` as many vectors "
                f"of that length. Received shape: {own.shape}."
            )


def _scaled_pair(stream: np.random.RandomState) -> list[np.ndarray]:
    scales = [1.0 / np.sqrt(stream.randint(_SIZE**2) + 1) for _ in range(2)]
    return [scale * stream.randn(_SIZE) for scale in scales]


def _normal_problem(stream: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    start = stream.randn(2, _SIZE) / np.sqrt(_SIZE)
    return start, stream.randn(_SIZE, 2, _SIZE) / np.sqrt(_SIZE)


def _players(pairs: Any, index: np.ndarray) -> Players:
    """Returns the chosen pairs as players, split along the last axis but one."""
    chosen = np.asarray(pairs)[index]
    return Players(chosen[..., 0, :], chosen[..., 1, :])
