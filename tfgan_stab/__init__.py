"""Stable GAN training in TensorFlow and Keras, through `model.fit`.

A GAN is a game; its losses define a vector field; training integrates that field; an update scheme
is an integrator.

Public names load on first use, so that `import tfgan_stab` costs nothing and command-line flags are
checked before TensorFlow starts.
"""

from tfgan_stab._utils import attach

__version__ = "0.2.0"

# Public name -> module that defines it, in reading order.
_HOMES = {
    "GAN": "training.gan",
    "Players": "game.players",
    "GeneratorGradientNorm": "game.penalties.weight_gradient",
    "Consensus": "game.penalties.weight_gradient",
    "R1": "game.penalties.input_gradient",
    "R2": "game.penalties.input_gradient",
    "ZeroCenteredGradientPenalty": "game.penalties.input_gradient",
    "GradientPenalty": "game.penalties.input_gradient",
    "Dragan": "game.penalties.input_gradient",
    "ConsistencyRegularization": "game.penalties.consistency",
    "Reconstruction": "game.penalties.consistency",
    "LossPenalty": "game.penalties.base",
    "WeightGradientPenalty": "game.penalties.base",
    "TopK": "game.top_k",
    "WrongDerivativeError": "training.gradient_check",
    "Game": "updates.scheme",
    "Scheme": "updates.scheme",
    "Simultaneous": "updates.simultaneous",
    "Alternating": "updates.alternating",
    "RungeKutta": "updates.runge_kutta",
    "Tableau": "updates.runge_kutta",
    "EULER": "updates.runge_kutta",
    "MIDPOINT": "updates.runge_kutta",
    "HEUN": "updates.runge_kutta",
    "RALSTON": "updates.runge_kutta",
    "RK4": "updates.runge_kutta",
    "Extragradient": "updates.extragradient",
    "OptimisticGradient": "updates.optimistic",
    "Lookahead": "updates.lookahead",
    "Average": "training.averaging.rules",
    "ExponentialAverage": "training.averaging.rules",
    "UniformAverage": "training.averaging.rules",
    "Extractor": "evaluation.extractors.base",
    "Score": "evaluation.score",
    "FID": "evaluation.scores.fid",
    "FIDAtSizes": "evaluation.scores.fid",
    "KID": "evaluation.scores.feature_scores",
    "PrecisionRecall": "evaluation.scores.feature_scores",
    "InceptionScore": "evaluation.scores.feature_scores",
    "SlicedWasserstein": "evaluation.scores.image_scores",
    "MSSSIM": "evaluation.scores.image_scores",
    "ModeCoverage": "evaluation.scores.mode_coverage",
    "NgramJSD": "evaluation.scores.ngram_jsd",
    "PerClass": "evaluation.scores.per_class",
    "train": "cli.jobs.train",
}
# Public name -> package.
_PACKAGES = {
    "augment": "game.augmentation",
    "averaging": "training.averaging",
    "callbacks": "callbacks",
    "cli": "cli",
    "data": "data",
    "evaluation": "evaluation",
    "game": "game",
    "games": "toy_games",
    "networks": "networks",
    "updates": "updates",
}

__getattr__, _names, __all__ = attach(__name__, _HOMES, _PACKAGES)


def __dir__() -> list[str]:
    return sorted([*_names(), "__version__"])
