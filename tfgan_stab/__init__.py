"""Stable GAN training in TensorFlow and Keras, through `model.fit`.

A GAN is a game; its losses define a vector field; training integrates that field; an update scheme
is an integrator.

Public names load on first use, so that `import tfgan_stab` costs nothing and command-line flags are
checked before TensorFlow starts.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it, in reading order.
_HOMES: dict[str, str] = {
    "GAN": "tfgan_stab.model",
    "Players": "tfgan_stab.game.players",
    "GeneratorGradientNorm": "tfgan_stab.game.penalties.generator_gradient_norm",
    "Consensus": "tfgan_stab.game.penalties.consensus",
    "R1": "tfgan_stab.game.penalties.zero_centered",
    "R2": "tfgan_stab.game.penalties.zero_centered",
    "ZeroCenteredGradientPenalty": "tfgan_stab.game.penalties.zero_centered",
    "GradientPenalty": "tfgan_stab.game.penalties.gradient_penalty",
    "Dragan": "tfgan_stab.game.penalties.gradient_penalty",
    "ConsistencyRegularization": "tfgan_stab.game.penalties.consistency",
    "TopK": "tfgan_stab.game.top_k",
    "WrongDerivativeError": "tfgan_stab.penalty_check",
    "Simultaneous": "tfgan_stab.updates.simultaneous",
    "Alternating": "tfgan_stab.updates.alternating",
    "RungeKutta": "tfgan_stab.updates.runge_kutta",
    "Tableau": "tfgan_stab.updates.tableaus",
    "EULER": "tfgan_stab.updates.tableaus",
    "MIDPOINT": "tfgan_stab.updates.tableaus",
    "HEUN": "tfgan_stab.updates.tableaus",
    "RALSTON": "tfgan_stab.updates.tableaus",
    "RK4": "tfgan_stab.updates.tableaus",
    "Extragradient": "tfgan_stab.updates.extragradient",
    "OptimisticGradient": "tfgan_stab.updates.optimistic",
    "Lookahead": "tfgan_stab.updates.lookahead",
    "ExponentialAverage": "tfgan_stab.averaging.exponential",
    "UniformAverage": "tfgan_stab.averaging.uniform",
    "FID": "tfgan_stab.evaluation.fid",
    "FIDAtSizes": "tfgan_stab.evaluation.fid_at_sizes",
    "KID": "tfgan_stab.evaluation.feature_scores",
    "PrecisionRecall": "tfgan_stab.evaluation.feature_scores",
    "InceptionScore": "tfgan_stab.evaluation.feature_scores",
    "SlicedWasserstein": "tfgan_stab.evaluation.image_scores",
    "MSSSIM": "tfgan_stab.evaluation.image_scores",
    "ModeCoverage": "tfgan_stab.evaluation.mixture_score",
    "NgramJSD": "tfgan_stab.evaluation.text_score",
    "PerClass": "tfgan_stab.evaluation.per_class",
}
_SUBPACKAGES = ("callbacks", "cli", "data", "evaluation", "game", "games", "networks", "updates")

__all__ = [*_HOMES, *_SUBPACKAGES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
