"""Refuses settings that would reach nothing, before gin sees them.

Gin itself finds part of them; a misspelt scope or macro it would take without a word.
"""

import importlib
from collections.abc import Sequence
from typing import Any

from tfgan_stab.cli.config.files import DYNAMIC_REGISTRATION, Name, Source
from tfgan_stab.cli.config.names import ConfigError, check_argument, look_up, nearest

__all__ = ["check"]


def check(sources: Sequence[Source]) -> None:
    """Looks up every name in every source.

    Args:
        sources: What `read` returned.

    Raises:
        ConfigError: If a module, function, class, argument, scope or macro does not exist or is
            used by nothing. The message names the place and the nearest names.
    """
    for source in sources:
        _check_names(source)
    _check_scopes(sources)
    _check_macros(sources)


def _check_names(source: Source) -> None:
    symbols = {
        statement.bound_name(): _imported(statement, source.label) for statement in source.imports
    }
    if "dynamic_registration" not in symbols and (source.imports or source.sets or source.refers):
        raise ConfigError(f"{source.label} must begin with `{DYNAMIC_REGISTRATION}`.")
    for name in (*source.refers, *source.sets):
        found = look_up(symbols, name.name, name.where)
        if name.argument:
            check_argument(found, name.name, name.argument, name.where)


def _imported(statement: Any, label: str) -> Any:
    """Imports what the statement names, as Python's own import statement would bind it."""
    if statement.module.startswith("__gin__."):
        return statement
    try:
        module = importlib.import_module(statement.module)
        whole = statement.is_from or statement.alias
        return module if whole else importlib.import_module(statement.bound_name())
    except ImportError as error:
        raise ConfigError(
            f"{label}:{statement.location.line_num}: `{statement.format()}` fails: {error}. "
            "Install it, correct the name, or add its folder to PYTHONPATH."
        ) from error


def _check_scopes(sources: Sequence[Source]) -> None:
    """A scope that no `@scope/reference` enters would hold settings nobody reads."""
    entered = {part for source in sources for name in source.refers for part in _parts(name)}
    for source in sources:
        for name in source.sets:
            for part in _parts(name):
                if part not in entered:
                    raise ConfigError(
                        f"{name.where}: no value refers to `@{part}/...`, so this setting would "
                        f"reach nothing. {nearest(part, entered)}"
                    )


def _parts(name: Name) -> list[str]:
    return [part for part in name.scope.split("/") if part]


def _check_macros(sources: Sequence[Source]) -> None:
    defined = {name.name for source in sources for name in source.defines}
    used = {name.name for source in sources for name in source.uses}
    for source in sources:
        for name in source.uses:
            if name.name not in defined and not name.name.startswith("gin."):
                raise ConfigError(
                    f"{name.where}: `%{name.name}` is set nowhere. {nearest(name.name, defined)}"
                )
        for name in source.defines:
            if name.name not in used:
                raise ConfigError(
                    f"{name.where}: `{name.name}` is set, but no value uses `%{name.name}`. "
                    f"{nearest(name.name, used)}"
                )
