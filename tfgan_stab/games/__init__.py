"""Games with known answers: play any update scheme on them and see it converge, circle or diverge.

Everything is in float64 and runs in seconds, so the figures are those of the formulas. The same
schemes, as they are, train networks.
"""

import importlib
from typing import Any

# Public name -> module that defines it. Modules are not called like what they define.
_HOMES = {
    "KnownGame": "known_game",
    "Bilinear": "bilinear_game",
    "DampedRotation": "linear_games",
    "RandomLinear": "linear_games",
    "DiracGAN": "dirac_gan",
    "Saddle": "saddle_game",
    "GradientSteps": "rules",
    "Adam": "rules",
    "play": "playing",
    "Trajectory": "trajectories",
    "predicted_factor": "prediction",
}
_MODULES = ("drawing",)

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
