"""A command's flags, each stated once: as a field of the command's settings. No TensorFlow here."""

import dataclasses
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, TypeVar

from absl import flags

from tfgan_stab._utils.files import user_path
from tfgan_stab.cli.config.names import nearest

__all__ = ["UNSAFE_IMPORTS", "Settings", "check_choices", "flag", "path"]

# The help of --gin_unsafe_imports, of all commands that read gin files.
UNSAFE_IMPORTS = (
    "Let gin files import any module and call anything in it, such as networks of your own: they "
    "are programs then. Without it they may use tfgan_stab, and Keras' optimizers and the like."
)

Own = TypeVar("Own", bound="Settings")


def flag(
    define: Callable[..., Any],
    default: Any,
    help_text: str,
    *,
    convert: Callable[[Any], Any] | None = None,
    missing: str = "",
    **limits: Any,
) -> Any:
    """Returns a dataclass field that is set by the flag of the same name.

    Args:
        define: What defines the flag, such as `flags.DEFINE_integer`.
        default: The field's value if the command line does not have the flag.
        help_text: What `--help` says.
        convert: Turns the flag's value into the field's; lists become tuples without it. May raise
            `flags.Error`.
        missing: For a flag that must be given: what it says, and a value to try.
        **limits: Other arguments of `define`, such as `lower_bound`.
    """
    metadata = {"define": define, "help": help_text, "convert": convert, "missing": missing}
    return dataclasses.field(default=default, metadata={**metadata, "limits": limits})


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a command line asks for. Fields made by `flag` say in their help what they mean.

    Attributes:
        usage: What `--help` says above the flags, with `{program}` for the program's name.
        example: A flag to show to whoever forgot the dashes; `{}` stands for what was written.
        given: Names of the flags that the command line has.
    """

    usage: ClassVar[str]
    example: ClassVar[str]

    given: frozenset[str] = frozenset()
    traceback: bool = flag(flags.DEFINE_bool, False, "Show where in the program an error occurred.")

    @classmethod
    def parse(cls: type[Own], arguments: Sequence[str]) -> Own | None:
        """Returns the settings that a command line asks for; `None` if it asks for help.

        Args:
            arguments: The program's name and its flags, as in `sys.argv`.

        Raises:
            flags.Error: If a flag is unknown, missing or has a value it cannot have.
        """
        values = _defined(cls)
        rest = values(list(arguments))[1:]
        if values.help:
            return None
        if rest:
            example = cls.example.format(rest[0])
            raise flags.Error(
                f"Unexpected {rest[0]!r}: every argument is a flag, such as {example}."
            )
        given = frozenset(name for name in values if values[name].present)
        settings = cls(
            given=given,
            **{
                field.name: _converted(field, values[field.name].value)
                for field in _flag_fields(cls)
                if field.name in given
            },
        )
        settings.check()
        return settings

    @classmethod
    def help_text(cls, program: str) -> str:
        """Returns what `--help` shows."""
        # Without the first line, which names the module that defines the flags.
        flags_help = _defined(cls).get_help(include_special_flags=False).strip().partition("\n")[2]
        return f"{cls.usage.format(program=program)}\nFlags:\n{flags_help}"

    def check(self) -> None:
        """Checks what one flag's own limits cannot; commands add what their flags need.

        Raises:
            flags.Error: If flags are missing or do not fit each other.
        """
        for field in _flag_fields(type(self)):
            if field.metadata["missing"] and not getattr(self, field.name):
                raise flags.Error(f"--{field.name} is missing: {field.metadata['missing']}")


def path(text: str) -> pathlib.Path | None:
    """Converts a flag's value to a path; an empty one counts as not given."""
    return user_path(text) if text else None


def check_choices(name: str, values: Sequence[str], known: Collection[str] | None = None) -> None:
    """Checks a flag that lists names.

    Args:
        name: The flag's name.
        values: What it lists.
        known: The names there are; `None` if they are not known yet.

    Raises:
        flags.Error: If there is no such name, or the list is empty or repeats one.
    """
    for value in values:
        if known is not None and value not in known:
            raise flags.Error(f"--{name}: there is no {value!r}. {nearest(value, known)}")
    if not values or "" in values or len(set(values)) < len(values):
        raise flags.Error(
            f"--{name}={','.join(values)}: name one or several, each once, with commas between "
            "them and no blanks."
        )


def _flag_fields(kind: type[Settings]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if "define" in field.metadata]


def _defined(kind: type[Settings]) -> flags.FlagValues:
    """Defines the flags in a set of their own, so that commands do not see each other's."""
    values = flags.FlagValues()
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    for field in _flag_fields(kind):
        stated = field.metadata
        default = field.default
        if isinstance(default, tuple):
            default = list(default)
        elif isinstance(default, pathlib.Path):
            default = str(default)
        stated["define"](
            field.name, default, help=stated["help"], flag_values=values, **stated["limits"]
        )
    return values


def _converted(field: dataclasses.Field[Any], value: Any) -> Any:
    convert = field.metadata["convert"] or (tuple if isinstance(value, list) else None)
    return convert(value) if convert else value
