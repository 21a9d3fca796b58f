"""What the names in a config file stand for; those that would reach nothing are refused.

Gin accepts a misspelt scope or macro without a word; of other misspelt names it does not say what
was meant, or where. Here names are dotted paths that begin with something the file imported, such
as `tgs.ExponentialAverage` or `keras.optimizers.Adam`.
"""

import dataclasses
import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = [
    "DYNAMIC_REGISTRATION",
    "ConfigError",
    "Name",
    "check",
    "check_argument",
    "look_up",
    "nearest",
]

DYNAMIC_REGISTRATION = "from __gin__ import dynamic_registration"

_MISSING = object()
_ONE_LETTER = 0.85  # Of difflib: one letter wrong, added or missing in a word of five.


class ConfigError(ValueError):
    """A config file or a binding that cannot mean what it says."""


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Returns a sentence that offers the candidates most like `name`, or lists all of them.

    Example:
        >>> nearest("epoch", ["epochs", "seed"])
        'Did you mean `epochs`?'
        >>> nearest("nothing_like_it", ["epochs", "seed"])
        'Known are: epochs, seed.'
    """
    candidates = sorted(set(candidates))
    matches = difflib.get_close_matches(name, candidates, n=3, cutoff=0.6)
    if matches:
        return "Did you mean " + " or ".join(f"`{match}`" for match in matches) + "?"
    return f"Known are: {', '.join(candidates)}." if candidates else "There are none here."


def look_up(symbols: Mapping[str, Any], selector: str, where: str) -> Any:
    """Returns the module, class or function that a dotted name stands for.

    Args:
        symbols: What the file imported, by the name that it has there.
        selector: The dotted name, such as `tgs.ExponentialAverage`.
        where: File and line, for the message.

    Raises:
        ConfigError: If there is no such name; offers the nearest ones.
    """
    first, *rest = selector.split(".")
    if first not in symbols:
        raise ConfigError(
            f"{where}: `{selector}` begins with `{first}`, which nothing here imports. "
            f"{nearest(first, symbols)} Or import it at the top of the file."
        )
    found, path = symbols[first], first
    for name in rest:
        parent, found = found, getattr(found, name, _MISSING)
        if found is _MISSING:
            known = [other for other in dir(parent) if not other.startswith("_")]
            raise ConfigError(f"{where}: `{path}` has no `{name}`. {nearest(name, known)}")
        path = f"{path}.{name}"
    return found


def check_argument(found: Any, selector: str, argument: str, where: str) -> None:
    """Refuses a setting for what cannot be called or has no such argument.

    Args:
        found: What `selector` stands for.
        selector: Its name, for the message.
        argument: The argument that is set.
        where: File and line, for the message.

    Raises:
        ConfigError: If it has no such argument; offers the nearest ones.
    """
    if not callable(found):
        raise ConfigError(
            f"{where}: `{selector}` is a {type(found).__name__}; only arguments of functions and "
            f"classes can be set, as in `{selector}.some_function.{argument} = ...`."
        )
    known, is_open = _parameters(found)
    if argument in known:
        return
    # Even if `**kwargs` would accept a name, one letter away from a known one it is a typing error.
    if not is_open or difflib.get_close_matches(argument, known, cutoff=_ONE_LETTER):
        raise ConfigError(
            f"{where}: `{selector}` has no argument `{argument}`. {nearest(argument, known)}"
        )


def _parameters(function: Any) -> tuple[set[str], bool]:
    """The names of all known arguments, and whether there may be others."""
    known: set[str] = set()
    # Arguments that a class does not name may be passed on to the class that it derives from.
    for each in inspect.getmro(function)[:-1] if inspect.isclass(function) else (function,):
        try:
            parameters = inspect.signature(each).parameters.values()
        except ValueError:  # Some built-in types have none.
            return known, True
        known.update(parameter.name for parameter in parameters)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return known, False
    return known, True


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
        is_none: Whether the argument is set to `None`.
    """

    kind: str
    name: str
    file: str
    line: int
    scope: str = ""
    argument: str = ""
    statement: Any = None
    is_none: bool = False

    @property
    def where(self) -> str:
        """File and line, or the flag."""
        return self.file if self.file.startswith("--") else f"{self.file}:{self.line}"

    @property
    def scopes(self) -> list[str]:
        """The scopes, outermost first."""
        return [scope for scope in self.scope.split("/") if scope]


def check(names: Sequence[Name]) -> list[tuple[Name, Any]]:
    """Looks up every name.

    Args:
        names: All names of all files and bindings. Bindings may use what any file imports.

    Returns:
        Each name that is set or referred to, with the class or function that it stands for.

    Raises:
        ConfigError: If a module, function, class, argument, scope or macro does not exist or is
            used by nothing, or a name stands for two modules. The message has the place and the
            nearest names.
    """
    found = _check_dotted_names(names)
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
    return found


def _check_dotted_names(names: Sequence[Name]) -> list[tuple[Name, Any]]:
    symbols: dict[str, dict[str, Any]] = {"": {}}  # By file, and of all files together.
    for name in names:
        if name.kind == "import":
            module = _imported(name)
            own = symbols[""] if name.file.startswith("--") else symbols.setdefault(name.file, {})
            _check_stands_for_one(name, module, own)
            own[name.name] = module
            symbols[""][name.name] = module
    uses = []
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
            uses.append((name, found))
    return uses


def _check_stands_for_one(name: Name, module: Any, known: Mapping[str, Any]) -> None:
    """Refuses a second module of one name: which of them a setting means would depend on lines."""
    if known.get(name.name, module) != module:
        raise ConfigError(
            f"{name.where}: `{name.name}` stands for another module already. Expected one module "
            "of each name. Give this one another: `import ... as ...`."
        )


def _imported(name: Name) -> Any:
    """Imports what the statement names, as Python's own import statement would bind it."""
    statement = name.statement
    if statement.module.startswith("__gin__."):
        return statement.module
    try:
        module = importlib.import_module(statement.module)
        whole = statement.is_from or statement.alias
        return module if whole else importlib.import_module(statement.bound_name())
    except ImportError as error:
        raise ConfigError(
            f"{name.where}: `{statement.format()}` fails: {error}. Install it, correct the name, "
            "or add its folder to PYTHONPATH."
        ) from error
