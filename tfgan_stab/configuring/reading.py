"""Reads gin files and bindings into lists of names, without importing or setting anything.

So a missing file or a slip of syntax shows before TensorFlow starts, and names can be checked with
the line they stand on.
"""

import dataclasses
import pathlib
import tokenize
from collections.abc import Iterator, Sequence

from gin import config_parser
from gin.config_parser import ImportStatement

from tfgan_stab.configuring.names import ConfigError, nearest

__all__ = ["DYNAMIC_REGISTRATION", "ImportStatement", "Name", "Source", "find_file", "read"]

DYNAMIC_REGISTRATION = "from __gin__ import dynamic_registration"


@dataclasses.dataclass(frozen=True)
class Name:
    """A name that a config mentions.

    Attributes:
        scope: What stands before the last slash, such as `generator` in `generator/tgs.Adam`.
        name: The dotted name, or the name of a macro.
        argument: The argument that is set, or empty.
        where: File and line.
    """

    scope: str
    name: str
    argument: str
    where: str


@dataclasses.dataclass
class Source:
    """What one file, or one binding of the command line, says.

    Attributes:
        label: The file, or the flag.
        text: The text for gin; included files are sources of their own, before this one.
        imports: Import statements, in order.
        sets: `name.argument = value`.
        refers: `@name` in a value.
        defines: `macro = value`.
        uses: `%macro` in a value.
    """

    label: str
    text: str
    imports: list[ImportStatement] = dataclasses.field(default_factory=list)
    sets: list[Name] = dataclasses.field(default_factory=list)
    refers: list[Name] = dataclasses.field(default_factory=list)
    defines: list[Name] = dataclasses.field(default_factory=list)
    uses: list[Name] = dataclasses.field(default_factory=list)


class _Mentions(config_parser.ParserDelegate):
    """Collects the names that values mention."""

    def __init__(self) -> None:
        self.references: list[str] = []
        self.macros: list[str] = []

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> None:
        self.references.append(scoped_configurable_name)

    def macro(self, macro_name: str) -> None:
        self.macros.append(macro_name)


def find_file(name: str) -> pathlib.Path:
    """Returns the gin file `name`, from the working folder or else from `gin_configs`.

    Args:
        name: A path. A relative one is tried from the working folder, then beside and inside the
            `gin_configs` folder that comes with the package.

    Raises:
        ConfigError: If it is in none of these places.
    """
    parent, shipped = _shipped_folders()
    for folder in (pathlib.Path(), parent, shipped):
        path = folder / name
        if path.is_file():
            return path
    known = [str(path.relative_to(parent)) for path in shipped.glob("**/*.gin")]
    raise ConfigError(
        f"There is no gin file {name!r} in {pathlib.Path.cwd()} or {shipped}. "
        f"{nearest(name, known)}"
    )


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


def _shipped_folders() -> tuple[pathlib.Path, pathlib.Path]:
    """The folder that holds `gin_configs`, and `gin_configs`: in the package or beside it."""
    package = pathlib.Path(__file__).resolve().parent.parent
    parent = package if (package / "gin_configs").is_dir() else package.parent
    return parent, parent / "gin_configs"


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
        if isinstance(statement, ImportStatement):
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
