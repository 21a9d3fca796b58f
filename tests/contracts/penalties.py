"""Every penalty on the players' gradients, once."""

import tfgan_stab as tgs
from tfgan_stab.game.penalties.weight_gradient import Consensus, GeneratorGradientNorm

PENALTIES = {
    "none": [],
    "generator_gradient_norm": [GeneratorGradientNorm(0.3)],
    "first_stage": [GeneratorGradientNorm(0.3, placement="first_stage")],
    "consensus": [Consensus(0.2)],
}

# With some on the losses beside: each is the mean of what it is on the examples.
MIXED = {
    "r1_and_gradient_norm": [tgs.R1(0.5), GeneratorGradientNorm(0.3)],
    "interpolated_and_consensus": [tgs.GradientPenalty(0.4), Consensus(0.2)],
}
