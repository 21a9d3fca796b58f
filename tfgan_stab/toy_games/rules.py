"""How a slope becomes a step: the optimizers of toy games.

Pure functions of tensors, with the state passed in and out: unlike a Keras optimizer, they run
inside a TensorFlow loop and in float64.
"""

import dataclasses
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from tfgan_stab._utils import validation


class Rule(Protocol):
    """Turns one player's slopes into steps."""

    def init(self, player: tf.Tensor) -> Any:
        """Returns the state before the first step: tensors, nested, or `()`."""

    def step(
        self, player: tf.Tensor, slope: tf.Tensor, step_size: float, state: Any
    ) -> tuple[tf.Tensor, Any]:
        """Returns the player after a step downhill, and the new state."""


@dataclasses.dataclass(frozen=True)
class GradientSteps:
    """Plain gradient steps: `w <- w + step_size slope`.

    Example:
        >>> player, _ = GradientSteps().step(tf.constant([1.0]), tf.constant([-2.0]), 0.1, ())
        >>> round(float(player[0]), 6)
        0.8
    """

    def init(self, player: tf.Tensor) -> Any:
        """Returns no state."""
        del player
        return ()

    def step(
        self, player: tf.Tensor, slope: tf.Tensor, step_size: float, state: Any
    ) -> tuple[tf.Tensor, Any]:
        """Returns the player after the step."""
        return player + step_size * slope, state


class AdamState(NamedTuple):
    """Adam's state.

    Attributes:
        mean: Running mean of the slopes.
        square: Running mean of their squares.
        powers: `[2]`, beta_1 and beta_2 to the power of the steps taken.
    """

    mean: tf.Tensor
    square: tf.Tensor
    powers: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam, optionally with negative momentum or without bias correction.

    With slope s, in step t::

        m <- beta_1 m + (1 - beta_1) s,      v <- beta_2 v + (1 - beta_2) s^2
        w <- w + step_size (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Args:
        beta_1: Decay per step of the mean of slopes, in (-1, 1); below 0 for negative momentum.
        beta_2: Decay per step of the mean of squares, in [0, 1).
        epsilon: Added to the root, >= 0.
        bias_correction: "both" as above; "mean" to divide only m, as the bilinear notebook of
            lookahead-minmax does; "none" to divide neither.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> rule = Adam(beta_1=-0.6, bias_correction="mean")
        >>> player, slope = tf.constant([1.0], tf.float64), tf.constant([2.0], tf.float64)
        >>> player, state = rule.step(player, slope, 0.1, rule.init(player))
        >>> round(float(player[0]), 3)  # 1 + 0.1 / sqrt(1 - beta_2): a long first step
        4.162

    Source: Kingma and Ba 2015, arXiv 1412.6980, algorithm 1; "mean": the notebook
        `LA-MM_stochastic_bilinear.ipynb` published with arXiv 2006.14567.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    bias_correction: str = "both"

    def __post_init__(self) -> None:
        validation.number("beta_1", self.beta_1, above=-1.0, below=1.0, fix="Use 0.9.")
        validation.number("beta_2", self.beta_2, least=0.0, below=1.0, fix="Use 0.999.")
        validation.number("epsilon", self.epsilon, least=0.0, fix="Use 1e-8.")
        validation.choice("bias_correction", self.bias_correction, ("both", "mean", "none"))

    def init(self, player: tf.Tensor) -> AdamState:
        """Returns both means at 0."""
        zeros = tf.zeros_like(player)
        return AdamState(zeros, zeros, tf.ones([2], player.dtype))

    def step(
        self, player: tf.Tensor, slope: tf.Tensor, step_size: float, state: AdamState
    ) -> tuple[tf.Tensor, AdamState]:
        """Returns the player after the step, and the new means."""
        mean = self.beta_1 * state.mean + (1.0 - self.beta_1) * slope
        square = self.beta_2 * state.square + (1.0 - self.beta_2) * tf.square(slope)
        powers = state.powers * tf.constant([self.beta_1, self.beta_2], player.dtype)
        by_mean = 1.0 - powers[0] if self.bias_correction != "none" else 1.0
        by_square = 1.0 - powers[1] if self.bias_correction == "both" else 1.0
        step = (mean / by_mean) / (tf.sqrt(square / by_square) + self.epsilon)
        return player + step_size * step, AdamState(mean, square, powers)
