"""Consensus optimization: both players also seek a place where nobody wants to move."""

import dataclasses

import tensorflow as tf

from tfgan_stab._utils.serialization import Serializable
from tfgan_stab.game.penalties.base import EVALUATION, FIRST_STAGE, OUTSIDE, checked_weight
from tfgan_stab.game.players import BOTH, Players


@dataclasses.dataclass(frozen=True)
class Consensus(Serializable):
    """Both players pay for the length of the joint field, which bends rotations inwards.

    With the joint field v and all weights w of both players::

        L = 1/2 |v(w)|^2
        v(w)  <-  v(w) - weight * d L / d w

    v is that of the losses alone: penalties on losses such as `tgs.R1` are paid beside, and do not
    enter L. It is part of every evaluation of the field, trial points included, and costs a second
    derivative in each; beside penalties on losses of the same player one more evaluation, too.

    Args:
        weight: How much, a number >= 0. The paper's gamma; they use 10 with RMSProp at 1e-4
            (numbers from memory).

    Raises:
        ValueError: If `weight` is out of range.

    Example:
        >>> Consensus(0.1).payers
        ('generator', 'discriminator')

    Source: Mescheder et al. 2017, "The Numerics of GANs", arXiv 1705.10461, equation 9 and
        algorithm 2 (numbers from memory).
    Departures: layers' own stop gradients hold: the mean inside Keras' normalization layers and the
        vectors of spectral normalization count as constants in the second derivative.
    """

    weight: float

    def __post_init__(self) -> None:
        checked_weight(self.weight)

    @property
    def measures(self) -> tuple[str, ...]:
        """Both players' slopes."""
        return BOTH

    @property
    def payers(self) -> tuple[str, ...]:
        """Both players."""
        return BOTH

    @property
    def placement(self) -> str:
        """In every evaluation."""
        return EVALUATION

    @property
    def unbiased(self) -> bool:
        """The whole minibatch, as in the paper."""
        return False

    def cotangents(self, slopes: Players) -> Players:
        """Returns `weight * v`."""
        return tf.nest.map_structure(lambda v: self.weight * v, slopes)


# DOC: """ODE-GAN's regularizer: the discriminator keeps the generator's gradient small."""
#


@dataclasses.dataclass(frozen=True)
class GeneratorGradientNorm(Serializable):
    """The discriminator pays for the generator's gradient, which would make steps too long.

    With the generator's slope v_G and the discriminator's weights theta::

        R = sum over all weights of the generator of v_G^2
        slope of the discriminator  <-  its slope - weight * d R / d theta

    v_G is of the generator's loss alone, without penalties on it. Nothing is added to the
    generator's slope. R is evaluated once per step, at the starting
    weights, on the first minibatch, whatever the scheme.

    Args:
        weight: How much, a number >= 0. The paper's lambda; their released code uses 0.02 for
            CIFAR-10 and 0.07 for the mixture of 16 Gaussians.
        placement: "outside" to add it to the discriminator's first move of the step, so that trial
            points never see it; "first_stage" to add `weight / b_1` of it to the first evaluation,
            as the released CIFAR-10 code does: the move is the same, later trial points are not.
        unbiased: Whether to multiply the gradients of two halves of the minibatch (even and odd
            rows) instead of squaring that of the whole, whose noise makes R too large. Costs two
            evaluations of half a minibatch more. Labels must not alternate with the rows.

    Raises:
        ValueError: If `weight` is out of range, or `placement` neither of its values.

    Example:
        >>> GeneratorGradientNorm(0.02).payers
        ('discriminator',)

    Source: Qin et al. 2020 (ODE-GAN), arXiv 2010.15040, algorithm 1 (number from memory), and their
        released code; the two halves: Rosca et al. 2021, their released code.
    Departures: layers' own stop gradients hold: the mean inside Keras' normalization layers and the
        vectors of spectral normalization count as constants in the second derivative. With
        `OptimisticGradient`, which extrapolates steps, the penalty's
        part of the step is extrapolated too.
    """

    weight: float
    placement: str = OUTSIDE
    unbiased: bool = False

    def __post_init__(self) -> None:
        checked_weight(self.weight)
        if self.placement not in (OUTSIDE, FIRST_STAGE):
            raise ValueError(
                '`placement` must be "outside" (added to the move) or "first_stage" (added to the '
                f"first evaluation). Received: {self.placement!r}."
            )
        if not isinstance(self.unbiased, bool):
            raise ValueError(f"`unbiased` must be True or False. Received: {self.unbiased!r}.")

    @property
    def measures(self) -> tuple[str, ...]:
        """The generator's slope."""
        return ("generator",)

    @property
    def payers(self) -> tuple[str, ...]:
        """The discriminator alone."""
        return ("discriminator",)

    def cotangents(self, slopes: Players) -> Players:
        """Returns `2 weight v_G`."""
        twice = 2.0 * self.weight
        return Players(tf.nest.map_structure(lambda v: twice * v, slopes.generator), None)
