"""Refuses settings that would reach nothing, before gin sees them.

Gin accepts a misspelt scope or macro without a word; of other misspelt names it does not say what
was meant, or where.
"""

import dataclasses
import importlib
from collections.abc import Sequence
from typing import Any

from tfgan_stab.cli.config.names import ConfigError, check_argument, look_up, nearest

__all__ = ["DYNAMIC_REGISTRATION", "Name", "check"]

DYNAMIC_REGISTRATION = "from __gin__ import dynamic_registration"


@dataclasses.dataclass(frozen=True)
class Name:
    """A name in a gin file or a binding.

    Attributes:
        kind: "import", "set" (`name.argument = value`), "refer" (`@name`), "define"
            (`macro = value`) or "use" (`%macro`).
        name: The dotted name; of an import the name that it binds.
        file: The file, or the flag with the binding.
        line: The line in the file.
        scope: What stands before the last slash, such as `generator` in `generator/tgs.R1`.
        argument: The argument that is set.
        statement: gin's import statement.
    """

    kind: str
    name: str
    file: str
    line: int
    scope: str = ""
    argument: str = ""
    statement: Any = None

    @property
    def where(self) -> str:
        """File and line, or the flag."""
        return self.file if self.file.startswith("--") else f"{self.file}:{self.line}"

    @property
    def scopes(self) -> list[str]:
        """The scopes, outermost first."""
        return [scope for scope in self.scope.split("/") if scope]


def check(names: Sequence[Name]) -> None:
    """Looks up every name.

    Args:
        names: All names of all files and bindings. Bindings may use what any file imports.

    Raises:
        ConfigError: If a module, function, class, argument, scope or macro does not exist or is
            used by nothing. The message has the place and the nearest names.
    """
    _check_dotted_names(names)
    # A scope that no `@scope/reference` enters would hold settings that nobody reads.
    entered = {scope for name in names if name.kind == "refer" for scope in name.scopes}
    defined = {name.name for name in names if name.kind == "define"}
    used = {name.name for name in names if name.kind == "use"}
    for name in names:
        unknown = [scope for scope in name.scopes if scope not in entered]
        if name.kind == "set" and unknown:
            raise ConfigError(
                f"{name.where}: no value refers to `@{unknown[0]}/...`, so this setting would "
                f"reach nothing. {nearest(unknown[0], entered)}"
            )
        if name.kind == "use" and name.name not in defined and not name.name.startswith("gin."):
            raise ConfigError(
                f"{name.where}: `%{name.name}` is set nowhere. {nearest(name.name, defined)}"
            )
        if name.kind == "define" and name.name not in used:
            raise ConfigError(
                f"{name.where}: `{name.name}` is set, but no value uses `%{name.name}`. "
                f"{nearest(name.name, used)}"
            )


def _check_dotted_names(names: Sequence[Name]) -> None:
    symbols: dict[str, dict[str, Any]] = {"": {}}  # By file, and of all files together.
    for name in names:
        if name.kind == "import":
            module = _imported(name)
            symbols.setdefault(name.file, {})[name.name] = module
            symbols[""][name.name] = module
    for name in names:
        if name.kind not in ("import", "set", "refer"):
            continue
        known = symbols[""] if name.file.startswith("--") else symbols.get(name.file, {})
        if "dynamic_registration" not in known:
            raise ConfigError(f"{name.file} must begin with `{DYNAMIC_REGISTRATION}`.")
        if name.kind != "import":
            found = look_up(known, name.name, name.where)
            if name.argument:
                check_argument(found, name.name, name.argument, name.where)


def _imported(name: Name) -> Any:
    """Imports what the statement names, as Python's own import statement would bind it."""
    statement = name.statement
    if statement.module.startswith("__gin__."):
        return statement
    try:
        module = importlib.import_module(statement.module)
        whole = statement.is_from or statement.alias
        return module if whole else importlib.import_module(statement.bound_name())
    except ImportError as error:
        raise ConfigError(
            f"{name.where}: `{statement.format()}` fails: {error}. Install it, correct the name, "
            "or add its folder to PYTHONPATH."
        ) from error
