"""Checks of arguments, in one form: what was expected, what was received, how to fix it.

Each check returns the value, as Python's own number, so that it can be used where it is stored:
NumPy's numbers become Python's, and `True` is no number.
"""

import difflib
import functools
import inspect
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


def integer(
    name: str, value: Any, *, least: int = 1, most: int | None = None, unit: str = "", fix: str = ""
) -> int:
    """Returns `value` if it is an integer in range.

    Args:
        name: What the user calls it.
        value: What was given.
        least: The smallest that is allowed.
        most: The largest that is allowed; `None` for any.
        unit: What it counts, such as "steps".
        fix: A sentence that says what to write instead.

    Raises:
        ValueError: If it is no integer, or out of range.

    Example:
        >>> integer("sync_period", 5)
        5
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if whole and least <= int(value) and (most is None or int(value) <= most):
        return int(value)
    bounds = f">= {least}" if most is None else f"from {least} to {most}"
    raise _wrong(name, _of("an integer", bounds, unit), value, fix)


def number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    unit: str = "",
    fix: str = "",
) -> float:
    """Returns `value` if it is a finite number in range.

    Args:
        name: What the user calls it.
        value: What was given.
        least: The smallest that is allowed.
        above: What it must exceed, instead of `least`.
        most: The largest that is allowed.
        below: What it must stay below, instead of `most`.
        unit: What it counts.
        fix: A sentence that says what to write instead.

    Raises:
        ValueError: If it is no finite number, or out of range.

    Example:
        >>> number("decay", 0.5, above=0.0, most=1.0)
        0.5
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if (
        real
        and math.isfinite(value)
        and (least is None or value >= least)
        and (above is None or value > above)
        and (most is None or value <= most)
        and (below is None or value < below)
    ):
        return value if isinstance(value, (int, float)) else float(value)
    raise _wrong(name, _of("a number", _range(least, above, most, below), unit), value, fix)


def choice(name: str, value: Any, choices: Sequence[Any], fix: str = "") -> Any:
    """Returns `value` if it is one of `choices`.

    Raises:
        ValueError: If it is not.

    Example:
        >>> choice("scope", "global", ["replica", "global"])
        'global'
    """
    # By kind too: True is not 1 here.
    if any(type(value) is type(each) and value == each for each in choices):
        return value
    raise _wrong(name, f"one of {', '.join(map(repr, choices))}", value, fix)


def seed(value: Any, name: str = "seed") -> int:
    """Returns `value` if it is a seed.

    Raises:
        ValueError: If it is no integer in [0, 2**62).
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if whole and 0 <= int(value) < 2**62:
        return int(value)
    raise ValueError(f"`{name}` must be an integer in [0, 2**62). Received: {value!r}. Use 0.")


def period(name: str, value: Any, fix: str = "") -> str | int:
    """Returns `value` if it is "epoch" or a number of steps.

    Raises:
        ValueError: If it is neither.
    """
    if value == "epoch":
        return "epoch"
    try:
        return integer(name, value)
    except ValueError:
        raise _wrong(name, '"epoch" or a number of steps, an integer >= 1', value, fix) from None


def _of(kind: str, bounds: str, unit: str) -> str:
    counted = f"a number of {unit}, {kind}" if unit else kind
    return f"{counted} {bounds}".strip()


def _range(
    least: float | None, above: float | None, most: float | None, below: float | None
) -> str:
    """Returns a range in words: ">= 0", "> 0", or an interval such as "in (0, 1]"."""
    lower, upper = (least if above is None else above), (most if below is None else below)
    if lower is None and upper is None:
        return "that is finite"
    if upper is None:
        return f"{'>=' if above is None else '>'} {lower:g}"
    if lower is None:
        return f"{'<=' if below is None else '<'} {upper:g}"
    return f"in {'[' if above is None else '('}{lower:g}, {upper:g}{']' if below is None else ')'}"


def _wrong(name: str, expected: str, value: Any, fix: str) -> ValueError:
    advice = f" {fix}" if fix else ""
    return ValueError(f"`{name}` must be {expected}. Received: {value!r:.200}.{advice}")


def known_arguments(what: str, answers: Mapping[str, str]) -> Callable[[Method], Method]:
    """Returns a decorator: a method says what to write for arguments that it does not have.

    Args:
        what: What the user calls.
        answers: What to write instead of arguments that other programs have.

    Example:
        >>> class Oven:
        ...     @known_arguments("heat", {"celsius": "temperature=180"})
        ...     def heat(self, temperature):
        ...         return temperature
        >>> Oven().heat(celsius=180)
        Traceback (most recent call last):
        TypeError: `heat` takes temperature. Received: celsius=180. Write temperature=180.
    """

    def decorated(method: Method) -> Method:
        _, *names = inspect.signature(method).parameters

        @functools.wraps(method)
        def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
            for name in kwargs:
                if name not in names:
                    raise TypeError(_unknown(what, name, kwargs[name], names, answers))
            return method(self, *args, **kwargs)

        return checked  # type: ignore[return-value]

    return decorated


def _unknown(
    what: str, name: str, value: Any, names: Sequence[str], answers: Mapping[str, str]
) -> str:
    similar = difflib.get_close_matches(name, names, 1)
    answer = answers.get(name) or (f"{similar[0]}=..." if similar else "")
    fix = f"Write {answer}." if answer else "Leave it out."
    return f"`{what}` takes {', '.join(names)}. Received: {name}={value!r:.60}. {fix}"
