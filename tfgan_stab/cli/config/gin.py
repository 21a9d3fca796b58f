"""Turns gin files and bindings into settings; the only module that imports gin.

Config files import what they set (gin's dynamic registration), so the library itself carries no
decorators. Before gin parses anything, each name in each file is looked up: a setting that reaches
nothing is an error, and the error says what was meant and where.
"""

import copy
import inspect
import io
import pathlib
import tokenize
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import gin
from gin import config_parser

from tfgan_stab.cli.config.files import DYNAMIC_REGISTRATION, Name, Source, find_file
from tfgan_stab.cli.config.names import ConfigError
from tfgan_stab.cli.config.text import settings_of
from tfgan_stab.cli.config.validation import check

__all__ = [
    "ConfigError",
    "arguments",
    "configured",
    "operative_text",
    "parse",
    "plain_message",
    "read",
    "unused",
]

_DYNAMIC = DYNAMIC_REGISTRATION.rpartition(" ")[2]


def read(files: Sequence[str], bindings: Sequence[str] = ()) -> list[Source]:
    """Reads files, what they include, and bindings.

    Args:
        files: Gin files; later ones override earlier ones.
        bindings: Settings such as `epochs = 3`; they override all files.

    Returns:
        One source per file and binding in the order of overriding: included files stand before
        those that include them.

    Raises:
        ConfigError: If a file is missing or something is not gin syntax.
    """
    sources: list[Source] = []
    for name in files:
        _read_file(find_file(name), sources, ())
    for binding in bindings:
        source = Source(f"--gin_param={binding}", binding)
        if _fill(source):
            raise ConfigError(f"{source.label} includes a file: name it with --gin_file instead.")
        sources.append(source)
    return sources


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
    parameters = inspect.signature(function).parameters
    _check_set(function, set(parameters) - set(given))
    return gin.get_configurable(function)


def arguments(function: Callable[..., Any], names: Collection[str]) -> dict[str, Any]:
    """Returns those of a function's arguments that the configuration sets, without calling it.

    What a setting refers to is called, as `function` itself would find it: `@tgs.FID()` is a score.
    Settings that are not asked for are left alone.

    Args:
        function: Whose arguments to look up.
        names: Which of them.

    Raises:
        ConfigError: If one of them has no default and is not set.
    """
    _check_set(function, names)
    bound = _bound(function)
    # To copy a reference is, in gin, to call what it refers to.
    return copy.deepcopy({name: bound[name] for name in names if name in bound})


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


def _bound(function: Callable[..., Any]) -> dict[str, Any]:
    """What the configuration sets for a function; references as they stand."""
    try:
        return gin.get_bindings(function, resolve_references=False)
    except ValueError:  # No file mentions the function.
        return {}


def _check_set(function: Callable[..., Any], names: Collection[str]) -> None:
    """Refuses a configuration that leaves out an argument without a default."""
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = {
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind not in optional
    }
    missing = sorted((required & set(names)) - set(_bound(function)))
    if missing:
        module = function.__module__.rpartition(".")[2]
        ours = function.__module__.startswith("tfgan_stab.")
        name = f"{'tgs' if ours else module}.{function.__name__}"
        raise ConfigError(
            f"No gin file sets {', '.join(f'`{name}.{each}`' for each in missing)}. Begin with a "
            "whole run, such as --gin_file=gin_configs/runs/digits.gin; files after it change "
            "parts of it."
        )


def _share_imports(sources: Sequence[Source], bindings: Sequence[Source]) -> None:
    """Lets bindings of the command line use what the files import."""
    imports = {each.bound_name(): each for source in sources for each in source.imports}
    for source in bindings:
        source.imports = list(imports.values())
        lines = [each.format() for each in source.imports if each.bound_name() != _DYNAMIC]
        source.text = "\n".join([DYNAMIC_REGISTRATION, *lines, source.text])


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


class _Mentions(config_parser.ParserDelegate):
    """Collects the names that values mention."""

    def __init__(self) -> None:
        self.references: list[str] = []
        self.macros: list[str] = []

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> None:
        self.references.append(scoped_configurable_name)

    def macro(self, macro_name: str) -> None:
        self.macros.append(macro_name)


def _read_file(path: pathlib.Path, sources: list[Source], outer: tuple[pathlib.Path, ...]) -> None:
    if path in outer:
        raise ConfigError(f"{outer[-1]} includes {path}, which includes it in turn.")
    try:
        source = Source(str(path), path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8: {error}.") from error
    for include, where in _fill(source):
        try:
            included = find_file(include)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        _read_file(included, sources, (*outer, path))
    sources.append(source)


def _fill(source: Source) -> list[tuple[str, str]]:
    """Notes every name in the source, and returns (file, where) of its includes."""
    includes = []
    lines = source.text.splitlines()
    for statement, mentions in _statements(source):
        where = _where(source.label, statement.location.line_num)
        source.refers += [_name(scoped, "", where) for scoped in mentions.references]
        source.uses += [Name("", macro, "", where) for macro in mentions.macros]
        if isinstance(statement, config_parser.ImportStatement):
            source.imports.append(statement)
        elif isinstance(statement, config_parser.IncludeStatement):
            if source.sets or source.defines:
                raise ConfigError(f"{where}: `include` must come before the first setting.")
            includes.append((statement.filename, where))
            lines[statement.location.line_num - 1] = ""
        elif isinstance(statement, config_parser.BlockDeclaration):
            source.refers.append(Name(statement.scope, statement.selector, "", where))
        elif statement.arg_name:
            name = Name(statement.scope, statement.selector, statement.arg_name, where)
            source.sets.append(name)
        else:
            source.defines.append(Name(statement.scope, statement.selector, "", where))
    source.text = "\n".join(lines)
    return includes


def _statements(source: Source) -> Iterator[tuple[config_parser.BindingStatement, _Mentions]]:
    """Yields each statement with the names in its value."""
    mentions = _Mentions()
    try:
        parser = config_parser.ConfigParser(source.text, mentions)
        for statement in parser:
            yield statement, mentions
            mentions.references, mentions.macros = [], []
    except (SyntaxError, tokenize.TokenError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else error.args[1][0]
        message = error.msg if isinstance(error, SyntaxError) else error.args[0]
        raise ConfigError(
            f"{_where(source.label, line)}: not gin syntax: {message.strip()} Settings look like "
            "`name.argument = value` or `macro = value`; text values stand in quotes."
        ) from error


def _name(scoped: str, argument: str, where: str) -> Name:
    scope, _, name = scoped.rpartition("/")
    return Name(scope, name, argument, where)


def _where(label: str, line: int | None) -> str:
    return label if label.startswith("--") or line is None else f"{label}:{line}"
