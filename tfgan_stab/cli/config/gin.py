"""Turns gin files and bindings into settings; the only module that imports gin.

Config files import what they set (gin's dynamic registration), so the library itself carries no
decorators. Before gin parses anything, each name in each file is looked up: a setting that reaches
nothing is an error, and the error says what was meant and where.
"""

import codecs
import copy
import inspect
import io
import os
import pathlib
import re
import tokenize
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import gin
from gin import config as gin_config
from gin import config_parser

from tfgan_stab.cli.config import trusted
from tfgan_stab.cli.config.names import DYNAMIC_REGISTRATION, ConfigError, Name, check, nearest

_WIDTH = 100
_SETTING = re.compile(r"(?P<name>[\w./]+) = (?P<value>.*)")
_PACKAGE = pathlib.Path(__file__).resolve().parents[2]
# The folder that holds gin_configs: the package once installed, the repository before.
_HOME = _PACKAGE if (_PACKAGE / "gin_configs").is_dir() else _PACKAGE.parent


class ConfigText(NamedTuple):
    """A file without what it includes, or a binding of the command line; and the names in it."""

    file: str
    text: str
    names: list[Name]


class Call(NamedTuple):
    """A call that a setting asks for, such as `@tgs.data.digits()`.

    Attributes:
        text: As the setting writes it.
        function: What would be called.
        settings: The arguments that the configuration sets for it.
    """

    text: str
    function: Callable[..., Any]
    settings: dict[str, Any]


def shipped_files(*patterns: str) -> list[pathlib.Path]:
    """Returns the gin files that we ship whose paths below `gin_configs` match, in order."""
    folder = _HOME / "gin_configs"
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def find_file(name: str) -> pathlib.Path:
    """Returns a gin file from the working folder, or else from the `gin_configs` that we ship."""
    shipped, place = _HOME / "gin_configs", os.path.expanduser(name)
    for folder in (pathlib.Path(), _HOME, shipped):
        if (folder / place).is_file():
            return folder / place
    known = [str(path.relative_to(_HOME)) for path in shipped.glob("**/*.gin")]
    raise ConfigError(
        f"There is no gin file {name!r} in {pathlib.Path.cwd()} or {shipped}. "
        f"{nearest(name, known)}"
    )


def read(files: Sequence[str], bindings: Sequence[str] = ()) -> list[ConfigText]:
    """Returns files, what they include, and bindings, in the order of overriding; imports nothing.

    Raises:
        ConfigError: If a file is missing or something is not gin syntax.
    """
    sources = [source for file in files for source in _read_file(find_file(file), ())]
    for binding in bindings:
        label = f"--gin_param={binding}"
        names = _names(binding, label)
        if any(name.kind == "include" for name in names):
            raise ConfigError(f"{label} includes a file: name it with --gin_file instead.")
        sources.append(ConfigText(label, binding, names))
    return sources


def parse(files: Sequence[str], bindings: Sequence[str] = (), unsafe_imports: bool = False) -> None:
    """Makes files and bindings the configuration of this process, and closes it to changes.

    Args:
        files: Gin files; later ones override earlier ones.
        bindings: Settings such as `epochs = 3`; they override all files, and may use whatever the
            files import.
        unsafe_imports: Whether they may import and call anything: they are programs then.

    Raises:
        ConfigError: If a file is missing, or a name stands for nothing, is used by nothing, or is
            none that is trusted. The message has the file and line, and the nearest names.
    """
    sources = read(files, bindings)
    names = [name for source in sources for name in source.names]
    if not unsafe_imports:
        trusted.check_imports(names)
    uses = check(names)
    if not unsafe_imports:
        trusted.check_uses(uses)
    imports = {name.name: name.statement for name in names if name.kind == "import"}
    imports.pop("dynamic_registration", None)  # It must come first.
    lines = [DYNAMIC_REGISTRATION, *(statement.format() for statement in imports.values())]
    gin.clear_config()
    try:
        for source in sources:
            is_binding = source.file.startswith("--")
            text = io.StringIO("\n".join([*lines, source.text]) if is_binding else source.text)
            text.name = source.file  # For gin's own messages.
            gin.parse_config(text)
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
    _settings_for(function, set(inspect.signature(function).parameters) - set(given))
    return gin.get_configurable(function)


def arguments(function: Callable[..., Any], names: Collection[str]) -> dict[str, Any]:
    """Returns those of a function's arguments that the configuration sets, without calling it.

    What a setting refers to is called, as `function` itself would find it: `@tgs.FID()` is a score.
    Settings that are not asked for are left alone.

    Raises:
        ConfigError: If one of `names` has no default and is not set.
    """
    bound = _settings_for(function, names)
    # To copy a reference is, in gin, to call what it refers to.
    return copy.deepcopy({name: bound[name] for name in names if name in bound})


def setting(function: Callable[..., Any], name: str) -> Any:
    """Returns what the configuration sets for an argument; `None` if it sets nothing.

    Args:
        function: Whose argument it is, perhaps as a setting refers to it, `@tgs.FID`.
        name: The argument.
    """
    # Where a setting refers to a class, gin makes one that is derived from it.
    kinds = inspect.getmro(function) if inspect.isclass(function) else (function,)
    bound = next(filter(None, map(_bound, kinds)), {})
    return copy.deepcopy(bound.get(name))


def asked_call(function: Callable[..., Any], name: str) -> Call:
    """Returns the call that gives an argument its value, without making it.

    Args:
        function: Whose argument it is.
        name: The argument.

    Raises:
        ConfigError: If the argument is not set, or to something else than a call.
    """
    value = _settings_for(function, [name]).get(name)
    reference = gin_config.ConfigurableReference
    while isinstance(value, reference) and value.configurable.wrapped is gin_config.macro:
        value = gin.get_bindings("/".join([*value.scopes, "gin.macro"]), False)["value"]
    if not isinstance(value, reference) or not value.evaluate:
        raise ConfigError(
            f"`{name}` must be what a function returns, such as @tgs.data.digits(), with its "
            f"brackets. Received: {value!r:.200}."
        )
    target = "/".join([*value.scopes, value.configurable.selector])
    return Call(repr(value), value.configurable.wrapped, gin.get_bindings(target))


def operative_text() -> str:
    """Returns every setting that this process has used so far, defaults included, as a gin file."""
    return gin.operative_config_str(max_line_length=_WIDTH)


def check_used(bindings: Sequence[str], known: Collection[Callable[..., Any]] = ()) -> None:
    """Raises `ConfigError` if nothing has used a binding so far, or another one overrides it.

    Args:
        bindings: The bindings.
        known: Functions whose settings have been read without a call: those count as used.
    """
    names_of_known = {function.__name__ for function in known}
    used = settings_of(operative_text())
    bound = settings_of(gin.config_str(max_line_length=_WIDTH))
    for name in [name for source in read([], bindings) for name in source.names]:
        setting = f"{name.name}.{name.argument}" if name.argument else name.name
        scopes = [each.rpartition("/")[0] for each in used if each.split("/")[-1] == setting]
        deciding = [_deciding_scope(scope, setting, bound) for scope in scopes]
        if name.kind == "set" and name.name.split(".")[-1] in names_of_known:
            continue
        if name.kind in ("set", "define") and name.scope not in deciding:
            raise ConfigError(
                f"{name.file} has no effect: this run does not use what it sets, or a setting for "
                "a scope, such as `generator/...`, overrides it. Leave it out, or add the scope."
            )


def settings_of(text: str) -> dict[str, str]:
    r"""Returns the settings in what `operative_text` returned: value by name, both as text.

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
        elif line.startswith(" ") and name:  # Long values continue on indented lines.
            settings[name] = f"{settings[name]} {line.strip()}".strip()
        else:
            name = ""
    return settings


def defaults() -> set[str]:
    """Returns the names of the settings used so far that no file and no binding sets."""
    bound = settings_of(gin.config_str(max_line_length=_WIDTH))
    return settings_of(operative_text()).keys() - bound.keys()


def differences(previous: str, current: str, defaults: Collection[str] = ()) -> list[str]:
    r"""Returns a line for each setting that differs between two texts, comments and imports aside.

    Args:
        previous: A text that `operative_text` returned earlier, perhaps of an earlier version.
        current: Another one.
        defaults: Names of settings that have their default in `current`: `previous` may lack them.

    Example:
        >>> differences("train.epochs = 20", "train.epochs = 30\ntrain.seed = 1")
        ['train.epochs: 20 -> 30', 'train.seed: (not set) -> 1']
    """
    before, after = settings_of(previous), settings_of(current)
    return [
        f"{name}: {before.get(name, '(not set)')} -> {after.get(name, '(not set)')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name) and (name in before or name not in defaults)
    ]


def plain_message(error: BaseException) -> str:
    """Returns an error's message without the list of calls that gin adds to it."""
    text = str(error).split("\n  In call to configurable")[0]
    message, _, unset = text.partition("\n  No values supplied by Gin")
    if unset:
        message += ". Set it; or leave out round brackets where makers are asked for: [@tgs.FID]."
    return message.strip()


def _deciding_scope(scope: str, setting: str, bound: Collection[str]) -> str:
    """Returns the scope whose setting holds inside `scope`: the deepest that has one."""
    while scope and f"{scope}/{setting}" not in bound:
        scope = scope.rpartition("/")[0]
    return scope


def _bound(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns what is set for a function, as it is written."""
    try:
        return gin.get_bindings(function, resolve_references=False)
    except ValueError:  # No file mentions the function.
        return {}


def _settings_for(function: Callable[..., Any], names: Collection[str]) -> dict[str, Any]:
    """Returns what is set for a function; refuses to leave out a name that has no default."""
    bound = _bound(function)
    missing = [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        if each.name in names and each.name not in bound
    ]
    if missing:
        package, *modules = function.__module__.split(".")
        name = (
            f"{'tgs' if package == 'tfgan_stab' else [package, *modules][-1]}.{function.__name__}"
        )
        raise ConfigError(
            f"No gin file sets {', '.join(f'`{name}.{each}`' for each in sorted(missing))}. Begin "
            "with a whole run, such as --gin_file=gin_configs/runs/digits.gin; files after it "
            "change parts of it."
        )
    return bound


class _Mentions(config_parser.ParserDelegate):
    """Collects the names that values mention, as (kind, name with scope)."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> str:
        self.found.append(("refer", scoped_configurable_name))
        return scoped_configurable_name

    def macro(self, macro_name: str) -> str:
        self.found.append(("use", macro_name))
        return macro_name


def _read_file(path: pathlib.Path, outer: tuple[pathlib.Path, ...]) -> list[ConfigText]:
    """Returns the files that a file includes, and then the file itself."""
    if path in outer:
        raise ConfigError(f"{outer[-1]} includes {path}, which includes it in turn.")
    text = _text_of(path)
    # As gin counts lines: `splitlines` ends them at other marks too, such as form feeds.
    sources, lines, names = [], text.split("\n"), _names(text, str(path))
    for name in names:
        if name.kind == "include":
            try:
                included = find_file(name.name)
            except ConfigError as error:
                raise ConfigError(f"{name.where}: {error}") from error
            sources += _read_file(included, (*outer, path))
            lines[name.line - 1] = ""
    return [*sources, ConfigText(str(path), "\n".join(lines), names)]


def _text_of(path: pathlib.Path) -> str:
    """Returns a file's text, without the mark that editors on Windows put at its beginning."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        reason = str(error)
    else:
        if "\0" not in text:
            return text
        reason = "it holds zero bytes"
    wide = path.read_bytes()[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    received = "UTF-16, as some editors and shells on Windows write" if wide else reason
    raise ConfigError(
        f"Expected {path} to be a text file in UTF-8. Received: {received}. Save it as UTF-8."
    )


def _names(text: str, file: str) -> list[Name]:
    """Returns the names in one text; those of included files are of the kind "include"."""
    mentions, names = _Mentions(), list[Name]()
    try:
        for statement in config_parser.ConfigParser(text, mentions):
            line = statement.location.line_num
            for kind, scoped in mentions.found:
                scope, _, target = scoped.rpartition("/")
                names.append(Name(kind, target, file, line, scope))
            mentions.found = []
            name = _name_of(statement, file)
            if name.kind == "include" and any(each.kind in ("set", "define") for each in names):
                raise ConfigError(f"{name.where}: `include` must come before the first setting.")
            names.append(name)
    except (SyntaxError, tokenize.TokenError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else error.args[1][0]
        message = error.msg if isinstance(error, SyntaxError) else error.args[0]
        reason = message.strip().rpartition("\n")[2].strip(" .")  # Python's parser is before.
        raise ConfigError(
            f"{Name('', '', file, line or 1).where}: not gin syntax: {reason}. Settings "
            "look like `name.argument = value` or `macro = value`; text values stand in quotes."
        ) from error
    return names


def _name_of(statement: Any, file: str) -> Name:
    line = statement.location.line_num
    if isinstance(statement, config_parser.ImportStatement):
        return Name("import", statement.bound_name(), file, line, statement=statement)
    if isinstance(statement, config_parser.IncludeStatement):
        return Name("include", statement.filename, file, line)
    if isinstance(statement, config_parser.BlockDeclaration):
        return Name("refer", statement.selector, file, line, statement.scope)
    kind = "set" if statement.arg_name else "define"
    none = statement.value is None
    return Name(
        kind, statement.selector, file, line, statement.scope, statement.arg_name, is_none=none
    )
