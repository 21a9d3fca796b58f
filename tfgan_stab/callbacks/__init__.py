"""What happens around `fit`: swap weights, evaluate, draw samples, guard, checkpoint, log."""

import importlib
from typing import Any

# Public name -> module that defines it. Modules are not called like what they define.
_HOMES = {
    "SwapWeights": "swap_weights",
    "Evaluate": "evaluating",
    "SampleGrid": "sample_grid",
    "RunLog": "run_log",
    "DivergenceGuard": "divergence_guard",
    "DivergenceError": "divergence_error",
    "Checkpoint": "checkpointing",
    "BestCheckpoint": "best",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
