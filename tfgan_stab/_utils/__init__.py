"""What every package uses: checks, files, randomness, progress, serialization.

May import nothing of the other packages.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def attach(
    package: str, homes: Mapping[str, str], modules: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Returns what makes a package load its public names on first use.

    Args:
        package: The package's `__name__`.
        homes: Public name -> module that defines it, relative to the package.
        modules: Public name -> package or module that it stands for, relative to the package.

    Returns:
        The package's `__getattr__`, `__dir__` and `__all__`.

    Example:
        >>> get, names, _ = attach("tfgan_stab._utils", {"Clock": "progress"})
        >>> get("Clock").__name__, names()
        ('Clock', ['Clock'])
    """
    modules = modules or {}
    public = [*homes, *modules]

    def get(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        if name in modules:
            return importlib.import_module(f"{package}.{modules[name]}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted(public), public
