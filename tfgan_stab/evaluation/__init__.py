"""How good a generator is: images -> features -> statistics -> distance.

Public names load on first use, so that importing the folder costs nothing.
"""

import importlib
from typing import Any

# Public name -> module that defines it, in the order of the flow.
_HOMES = {
    "Extractor": "extractors",
    "FunctionExtractor": "extractors",
    "DigitsClassifier": "digits_classifier",
    "Moments": "statistics",
    "frechet_distance": "frechet",
    "frechet_distance_from_moments": "frechet",
    "FID": "fid",
    "ScoreResult": "results",
    "same_protocol": "results",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
