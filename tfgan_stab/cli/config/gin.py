"""Turns gin files and bindings into settings; the only module that imports gin.

Config files import what they set (gin's dynamic registration), so the library itself carries no
decorators. Before gin parses anything, each name in each file is looked up: a setting that reaches
nothing is an error, and the error says what was meant and where.
"""

import copy
import inspect
import pathlib
import re
import tokenize
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import gin
from gin import config_parser

from tfgan_stab.cli.config.names import ConfigError, nearest
from tfgan_stab.cli.config.validation import Name, check

__all__ = [
    "ConfigError",
    "arguments",
    "check_used",
    "configured",
    "differences",
    "find_file",
    "operative_text",
    "parse",
    "plain_message",
    "read",
    "settings_of",
]

_WIDTH = 100
_SETTING = re.compile(r"(?P<name>[\w./]+) = (?P<value>.*)")
_PACKAGE = pathlib.Path(__file__).resolve().parents[2]
# The folder that holds gin_configs: the package once installed, the repository before.
_HOME = _PACKAGE if (_PACKAGE / "gin_configs").is_dir() else _PACKAGE.parent
for _folder in (_HOME, _HOME / "gin_configs"):
    gin.add_config_file_search_path(str(_folder))


def find_file(name: str) -> pathlib.Path:
    """Returns the gin file of this name, from the working folder or else from `gin_configs`.

    Raises:
        ConfigError: If it is in neither.
    """
    for folder in (pathlib.Path(), _HOME, _HOME / "gin_configs"):
        if (folder / name).is_file():
            return folder / name
    shipped = _HOME / "gin_configs"
    known = [str(path.relative_to(_HOME)) for path in shipped.glob("**/*.gin")]
    raise ConfigError(
        f"There is no gin file {name!r} in {pathlib.Path.cwd()} or {shipped}. "
        f"{nearest(name, known)}"
    )


def read(files: Sequence[str], bindings: Sequence[str] = ()) -> list[Name]:
    """Returns all names in files, in what they include, and in bindings; imports nothing.

    Raises:
        ConfigError: If a file is missing or something is not gin syntax.
    """
    names: list[Name] = []
    for file in files:
        names += _names_of_file(find_file(file), ())
    for binding in bindings:
        label = f"--gin_param={binding}"
        for name in _names(binding, label):
            if name.kind == "include":
                raise ConfigError(f"{label} includes a file: name it with --gin_file instead.")
            names.append(name)
    return names


def parse(files: Sequence[str], bindings: Sequence[str] = ()) -> None:
    """Makes files and bindings the configuration of this process, and closes it to changes.

    Args:
        files: Gin files; later ones override earlier ones.
        bindings: Settings such as `epochs = 3`; they override all files, and may use whatever the
            files import.

    Raises:
        ConfigError: If a file is missing, or a name stands for nothing or is used by nothing. The
            message has the file and line, and the nearest names.
    """
    names = read(files, bindings)
    check(names)
    imports = {name.name: name.statement for name in names if name.kind == "import"}
    first = imports.pop("dynamic_registration", None)
    lines = [each.format() for each in (first, *imports.values()) if each]
    gin.clear_config()
    try:
        for file in files:
            gin.parse_config_file(str(find_file(file)))
        gin.parse_config([*lines, *bindings])
        gin.finalize()
    except (ValueError, TypeError, SyntaxError) as error:
        raise ConfigError(plain_message(error)) from error


def configured(function: Callable[..., Any], given: Collection[str] = ()) -> Callable[..., Any]:
    """Returns `function` with the arguments that the configuration sets for it.

    Args:
        function: What to configure.
        given: Arguments that the caller will pass itself.

    Raises:
        ConfigError: If an argument without a default is neither set nor given.
    """
    _check_set(function, set(inspect.signature(function).parameters) - set(given))
    return gin.get_configurable(function)


def arguments(function: Callable[..., Any], names: Collection[str]) -> dict[str, Any]:
    """Returns those of a function's arguments that the configuration sets, without calling it.

    What a setting refers to is called, as `function` itself would find it: `@tgs.FID()` is a score.
    Settings that are not asked for are left alone.

    Raises:
        ConfigError: If one of `names` has no default and is not set.
    """
    bound = _check_set(function, names)
    # To copy a reference is, in gin, to call what it refers to.
    return copy.deepcopy({name: bound[name] for name in names if name in bound})


def operative_text() -> str:
    """Returns every setting that this process has used so far, defaults included, as a gin file."""
    return gin.operative_config_str(max_line_length=_WIDTH)


def check_used(bindings: Sequence[str]) -> None:
    """Refuses bindings that nothing has used so far, or that others override.

    Args:
        bindings: Settings as given to `parse`.

    Raises:
        ConfigError: If there is one.
    """
    used = settings_of(operative_text())
    bound = settings_of(gin.config_str(max_line_length=_WIDTH))
    for binding in bindings:
        for name in read([], [binding]):
            setting = f"{name.name}.{name.argument}" if name.argument else name.name
            scopes = [each.rpartition("/")[0] for each in used if each.split("/")[-1] == setting]
            deciding = [_deciding_scope(scope, setting, bound) for scope in scopes]
            if name.kind in ("set", "define") and name.scope not in deciding:
                raise ConfigError(
                    f"--gin_param={binding} has no effect: this run does not use what it sets, or "
                    "a setting for a scope, such as `generator/...`, overrides it. Leave it out, "
                    "or add the scope."
                )


def settings_of(text: str) -> dict[str, str]:
    r"""Returns the settings in the text of a configuration: value by name, both as text.

    Args:
        text: What `operative_text` returned. Long values continue on indented lines.

    Example:
        >>> settings_of("import keras\n# Numbers:\ntrain.epochs = 20\ntrain.scores = \\\n    [1]")
        {'train.epochs': '20', 'train.scores': '[1]'}
    """
    settings: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if match := _SETTING.fullmatch(line):
            name = match["name"]
            settings[name] = match["value"].removesuffix("\\").strip()
        elif line.startswith(" ") and name:
            settings[name] = f"{settings[name]} {line.strip()}".strip()
        else:
            name = ""
    return settings


def differences(previous: str, current: str) -> list[str]:
    r"""Returns a readable line for each setting that differs between two configurations' texts.

    Order, comments and imports do not count.

    Example:
        >>> differences("train.epochs = 20", "train.epochs = 30\ntrain.seed = 1")
        ['train.epochs: 20 -> 30', 'train.seed: (not set) -> 1']
    """
    before, after = settings_of(previous), settings_of(current)
    return [
        f"{name}: {before.get(name, '(not set)')} -> {after.get(name, '(not set)')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def plain_message(error: BaseException) -> str:
    """Returns an error's message without the list of calls that gin adds to it."""
    return str(error).split("\n  In call to configurable")[0].strip()


def _deciding_scope(scope: str, setting: str, bound: Collection[str]) -> str:
    """Returns the scope whose setting holds inside `scope`: the deepest that has one."""
    while scope and f"{scope}/{setting}" not in bound:
        scope = scope.rpartition("/")[0]
    return scope


def _check_set(function: Callable[..., Any], names: Collection[str]) -> dict[str, Any]:
    """Returns what is set for a function, or refuses it if an argument without default is not."""
    try:
        bound = gin.get_bindings(function, resolve_references=False)
    except ValueError:  # No file mentions the function.
        bound = {}
    for each in inspect.signature(function).parameters.values():
        variadic = each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        if each.name in {*names} - {*bound} and each.default is each.empty and not variadic:
            raise ConfigError(
                f"No gin file sets `{_public_name(function)}.{each.name}`. Begin with a whole run, "
                "such as --gin_file=gin_configs/runs/digits.gin; files after it change parts of it."
            )
    return bound


def _public_name(function: Callable[..., Any]) -> str:
    package, _, module = function.__module__.rpartition(".")
    return f"{'tgs' if package.startswith('tfgan_stab') else module}.{function.__name__}"


class _Mentions(config_parser.ParserDelegate):
    """Collects the names that values mention, as (kind, name with scope)."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> None:
        self.found.append(("refer", scoped_configurable_name))

    def macro(self, macro_name: str) -> None:
        self.found.append(("use", macro_name))


def _names_of_file(path: pathlib.Path, outer: tuple[pathlib.Path, ...]) -> Iterator[Name]:
    """Yields a file's names, and those of files it includes where it includes them."""
    if path in outer:
        raise ConfigError(f"{outer[-1]} includes {path}, which includes it in turn.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8: {error}.") from error
    for name in _names(text, str(path)):
        if name.kind != "include":
            yield name
            continue
        try:
            included = find_file(name.name)
        except ConfigError as error:
            raise ConfigError(f"{name.where}: {error}") from error
        yield from _names_of_file(included, (*outer, path))


def _names(text: str, file: str) -> Iterator[Name]:
    """Yields the names in one text; those of included files are "include"."""
    mentions, has_settings = _Mentions(), False
    try:
        for statement in config_parser.ConfigParser(text, mentions):
            where = _where(file, statement.location.line_num)
            for kind, scoped in mentions.found:
                scope, _, name = scoped.rpartition("/")
                yield Name(kind, name, file, where, scope)
            mentions.found = []
            if isinstance(statement, config_parser.ImportStatement):
                yield Name("import", statement.bound_name(), file, where, statement=statement)
            elif isinstance(statement, config_parser.IncludeStatement):
                if has_settings:  # The included file would override them.
                    raise ConfigError(f"{where}: `include` must come before the first setting.")
                yield Name("include", statement.filename, file, where)
            else:
                argument = getattr(statement, "arg_name", "")
                block = isinstance(statement, config_parser.BlockDeclaration)
                kind = "refer" if block else "set" if argument else "define"
                has_settings = True
                yield Name(kind, statement.selector, file, where, statement.scope, argument)
    except (SyntaxError, tokenize.TokenError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else error.args[1][0]
        message = error.msg if isinstance(error, SyntaxError) else error.args[0]
        raise ConfigError(
            f"{_where(file, line)}: not gin syntax: {message.strip()} Settings look like "
            "`name.argument = value` or `macro = value`; text values stand in quotes."
        ) from error


def _where(file: str, line: int | None) -> str:
    return file if file.startswith("--") or line is None else f"{file}:{line}"
