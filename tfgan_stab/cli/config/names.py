"""Finds what a name in a config file stands for, or says which name was meant.

Knows nothing of gin: names are dotted paths that begin with something the file imported, such as
`tgs.ExponentialAverage` or `keras.optimizers.Adam`.
"""

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["ConfigError", "check_argument", "look_up", "nearest"]

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
