"""Where pictures (and points) come from: every set is an endless stream of batches.

Start with `batches.py` (what a stream promises), then `order.py` (which example comes when); each
other file is one kind of source. Names load on first use, so that importing this costs nothing.
"""

import importlib
from typing import Any

# Public name -> module that defines it. No module is called like a function it defines: importing
# such a module would hide the function behind it.
_HOMES: dict[str, str] = {
    "Batches": "batches",
    "digits": "digit_images",
    "mixture": "gaussians",
    "image_folder": "folders",
    "arrays": "array_files",
    "tfds": "tfds_sets",
    "load": "registry",
}
_SUBMODULES = ("latents",)

__all__ = [*_HOMES, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
