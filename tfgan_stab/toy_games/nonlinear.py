"""Games with a curved field: the smallest GAN, and a noisy saddle on which two rates pay."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.random import ALGORITHM
from tfgan_stab.game import losses
from tfgan_stab.game.players import Players
from tfgan_stab.toy_games.base import as_points


@dataclasses.dataclass(frozen=True, eq=False)
class DiracGAN:
    """A generator that is a point theta, a discriminator `D(x) = psi x`, and data at 0.

    The real logit is 0 and the fake one t = psi theta. With the losses l_G and l_D as functions of
    t::

        theta' = -psi dl_G/dt,    psi' = -theta dl_D/dt

    The equilibrium is the origin. There the Jacobian is `[[0, -l_G'(0)], [-l_D'(0), 0]]`: for the
    usual losses a rotation, undamped. With "minimax" and "wasserstein" the continuous flow stays
    on a circle, and gradient steps diverge.

    Args:
        loss: As in `GAN.compile`: a name such as "minimax", "non_saturating", "wasserstein", or
            your own pair of functions.
        start: theta and psi at the start, one number each.

    Raises:
        ValueError: If the loss is not known.
        TypeError: If `loss` is neither a name nor a loss.

    Example:
        >>> import tfgan_stab as tgs
        >>> game = tgs.games.DiracGAN("minimax")
        >>> np.linalg.eigvals(game.jacobian).imag.round(6).tolist()
        [0.5, -0.5]

    Source: Mescheder et al. 2018, arXiv 1801.04406, definition 2.1 and lemma 2.2 (numbers from
        memory).
    Departures: the discriminator is positive on data, as everywhere here; theirs is positive on
        fakes, so their field turns the other way.
    """

    loss: Any = "minimax"
    start: Players = Players(1.0, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", losses.get(self.loss))
        object.__setattr__(self, "start", as_points("start", self.start))

    @property
    def solution(self) -> Players:
        """The origin."""
        return Players(*map(tf.zeros_like, self.start))

    @property
    def jacobian(self) -> np.ndarray:
        """`[[0, -l_G'(0)], [-l_D'(0), 0]]`, with derivatives by the fake logit."""
        generator, discriminator = map(float, self._derivatives(tf.constant(0.0, tf.float64)))
        return np.array([[0.0, -generator], [-discriminator, 0.0]])

    def slopes(self, params: Players, seed: tf.Tensor) -> Players:
        """Returns theta' and psi'."""
        del seed
        theta, psi = params
        # Run by run, because some losses take means over the logits of a batch.
        fake_logits = tf.reshape(psi * theta, [-1])
        generator, discriminator = tf.vectorized_map(self._derivatives, fake_logits)
        return Players(
            -psi * tf.reshape(generator, tf.shape(psi)),
            -theta * tf.reshape(discriminator, tf.shape(theta)),
        )

    def _derivatives(self, logit: tf.Tensor) -> Players:
        """Returns the derivatives of both losses by the fake logit, a scalar."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logit)
            values = self.loss(tf.zeros([1], tf.float64), tf.reshape(logit, [1]))
        zero = tf.UnconnectedGradients.ZERO
        return Players(*(tape.gradient(v, logit, unconnected_gradients=zero) for v in values))


@dataclasses.dataclass(frozen=True, eq=False)
class Saddle:
    """A saddle a hundred times steeper for one player than for the other, seen through noise.

    min over x, max over y of::

        f(x, y) = (1 + x^2) (100 - y^2)

    Each slope is `-2 x (100 - y^2)` or `-2 y (1 + x^2)` plus a normal number.

    Args:
        noise: Standard deviation of the noise added to each slope, >= 0.
        runs: How many independent runs to play at once, along a leading axis; `None` for one run
            without that axis.

    Raises:
        ValueError: If `noise` is negative or not finite, or `runs` is not an integer >= 1.

    Example:
        >>> import tfgan_stab as tgs
        >>> game = tgs.games.Saddle(runs=50)
        >>> def median(step_sizes):
        ...     run = tgs.games.play(game, tgs.Simultaneous(), step_sizes, steps=200)
        ...     return np.median(run.distances[-1])
        >>> bool(median((1e-4, 1e-2)) < 0.1 < 0.2 < median((1e-3, 1e-3)))
        True

    Source: Heusel et al. 2017, arXiv 1706.08500, section "Two Time-Scale Update Rule", and the
        notebook `ttur_example_saddle.ipynb` of their code.
    Departures: theirs updates x, then y against the new x; here any scheme can play it.
    """

    noise: float = 1.0
    runs: int | None = None

    def __post_init__(self) -> None:
        validation.number("noise", self.noise, least=0.0, fix="Use 0 for none.")
        if self.runs is not None:
            validation.integer("runs", self.runs, fix="Use None for one run without an axis.")

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
