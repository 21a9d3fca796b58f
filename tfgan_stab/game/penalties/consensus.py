"""Consensus optimization: both players also seek a place where nobody wants to move."""

import dataclasses

import tensorflow as tf

from tfgan_stab.game.penalties.contract import EVALUATION, checked_weight
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.serializing import Serializable


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
