"""Hands checked files and bindings to gin, and tells what has come of them."""

import inspect
import io
from collections.abc import Callable, Collection, Sequence
from typing import Any

import gin

from tfgan_stab.configuring.checks import check
from tfgan_stab.configuring.names import ConfigError
from tfgan_stab.configuring.reading import DYNAMIC_REGISTRATION, Name, Source, read
from tfgan_stab.configuring.text import settings_of

__all__ = ["configured", "operative_text", "parse", "plain_message", "unused"]


def parse(files: Sequence[str], bindings: Sequence[str] = ()) -> None:
    """Makes files and bindings the configuration of this process, and closes it to changes.

    Bindings may use whatever the files import.

    Args:
        files: Gin files; later ones override earlier ones.
        bindings: Settings such as `epochs = 3`; they override all files.

    Raises:
        ConfigError: If a file is missing, or a name stands for nothing or is used by nothing. The
            message names the file and line, and the nearest names.
    """
    sources = read(files, bindings)
    _share_imports(sources, sources[len(sources) - len(bindings) :])
    check(sources)
    gin.clear_config()
    try:
        for source in sources:
            gin.parse_config(_named(source))
        gin.finalize()
    except (ValueError, TypeError, SyntaxError) as error:
        raise ConfigError(plain_message(error)) from error


def configured(function: Callable[..., Any], given: Sequence[str] = ()) -> Callable[..., Any]:
    """Returns `function` with the arguments that the configuration sets for it.

    Args:
        function: What to configure.
        given: Arguments that the caller will pass itself.

    Raises:
        ConfigError: If an argument without a default is neither set nor given.
    """
    parameters = inspect.signature(function).parameters.values()
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = {
        each.name for each in parameters if each.default is each.empty and each.kind not in optional
    }
    try:
        bound = gin.get_bindings(function, resolve_references=False)
    except ValueError:  # No file mentions the function.
        bound = {}
    missing = sorted(required - set(given) - set(bound))
    if missing:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        raise ConfigError(
            f"No gin file sets {', '.join(f'`{name}.{each}`' for each in missing)}. Begin with a "
            "whole run, such as --gin_file=gin_configs/runs/digits.gin; files after it change "
            "parts of it."
        )
    return gin.get_configurable(function)


def operative_text() -> str:
    """Returns every setting that this process has used so far, defaults included, as a gin file."""
    return gin.operative_config_str(max_line_length=100)


def unused(bindings: Sequence[str]) -> list[str]:
    """Returns those bindings that nothing has used so far, or that others override.

    Args:
        bindings: Settings as given to `parse`.
    """
    used = settings_of(operative_text())
    bound = settings_of(gin.config_str(max_line_length=100))
    return [
        source.text
        for source in read([], bindings)
        if not all(_reaches(name, used, bound) for name in source.sets)
        or not all(name.name in used for name in source.defines)
    ]


def plain_message(error: BaseException) -> str:
    """Returns an error's message without the list of calls that gin adds to it."""
    return str(error).split("\n  In call to configurable")[0].strip()


def _share_imports(sources: Sequence[Source], bindings: Sequence[Source]) -> None:
    """Lets bindings of the command line use what the files import."""
    imports = {each.bound_name(): each for source in sources for each in source.imports}
    for source in bindings:
        source.imports = list(imports.values())
        lines = [each.format() for each in source.imports if each.bound_name() != _DYNAMIC]
        source.text = "\n".join([DYNAMIC_REGISTRATION, *lines, source.text])


_DYNAMIC = DYNAMIC_REGISTRATION.rpartition(" ")[2]


def _named(source: Source) -> io.StringIO:
    """A text that gin can name when it finds something wrong in it."""
    text = io.StringIO(source.text)
    text.name = source.label
    return text


def _reaches(name: Name, used: Collection[str], bound: Collection[str]) -> bool:
    """Whether a setting was used, and not another one in its place for a deeper scope."""
    setting = f"{name.name}.{name.argument}"
    scopes = [each.rpartition("/")[0] for each in used if each.rpartition("/")[2] == setting]
    return any(_deciding_scope(scope, setting, bound) == name.scope for scope in scopes)


def _deciding_scope(scope: str, setting: str, bound: Collection[str]) -> str:
    """The scope whose setting holds inside `scope`: the deepest that has one."""
    while scope and f"{scope}/{setting}" not in bound:
        scope = scope.rpartition("/")[0]
    return scope
