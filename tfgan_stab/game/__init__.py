"""What each player wants: losses, and the vector field they define."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name in ("field", "losses", "noise", "pair", "penalties", "players"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
