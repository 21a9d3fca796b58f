"""What gin files and bindings of the command line say, as lists of names; and where files lie."""

import dataclasses
import pathlib
from typing import Any

from tfgan_stab.cli.config.names import ConfigError, nearest

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
        imports: gin's import statements, in order.
        sets: `name.argument = value`.
        refers: `@name` in a value.
        defines: `macro = value`.
        uses: `%macro` in a value.
    """

    label: str
    text: str
    imports: list[Any] = dataclasses.field(default_factory=list)
    sets: list[Name] = dataclasses.field(default_factory=list)
    refers: list[Name] = dataclasses.field(default_factory=list)
    defines: list[Name] = dataclasses.field(default_factory=list)
    uses: list[Name] = dataclasses.field(default_factory=list)


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


def _shipped_folders() -> tuple[pathlib.Path, pathlib.Path]:
    """The folder that holds `gin_configs`, and `gin_configs`: in the package or beside it."""
    package = pathlib.Path(__file__).resolve().parents[2]
    parent = package if (package / "gin_configs").is_dir() else package.parent
    return parent, parent / "gin_configs"
