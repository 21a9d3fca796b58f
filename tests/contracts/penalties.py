"""Every penalty on the players' gradients, once."""

from tfgan_stab.game.penalties.weight_gradient import Consensus, GeneratorGradientNorm

PENALTIES = {
    "none": [],
    "generator_gradient_norm": [GeneratorGradientNorm(0.3)],
    "first_stage": [GeneratorGradientNorm(0.3, placement="first_stage")],
    "consensus": [Consensus(0.2)],
}
