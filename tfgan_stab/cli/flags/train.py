"""The command line's flags, checked before TensorFlow is imported."""

import dataclasses
from collections.abc import Sequence

from absl import flags

__all__ = ["RESUME", "Settings", "help_text", "parse"]

RESUME = ("auto", "never", "must")

_USAGE = """\
Trains a GAN as gin files describe.

  {program} --gin_file=gin_configs/runs/digits.gin --workdir=runs/digits

"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes:
        gin_files: Gin files, in the order of overriding.
        gin_params: Settings that override the files.
        workdir: The folder of the run.
        resume: One of `RESUME`.
        traceback: Whether errors show where they arose.
        help: Whether only help was asked for; the other settings are then unchecked.
    """

    gin_files: tuple[str, ...]
    gin_params: tuple[str, ...]
    workdir: str
    resume: str
    traceback: bool
    help: bool


def parse(arguments: Sequence[str]) -> Settings:
    """Returns the settings that the command line asks for.

    Args:
        arguments: The program's name and its arguments, as in `sys.argv`.

    Raises:
        flags.Error: If a flag is unknown, missing or has a value it cannot have.

    Example:
        >>> parse(["train.py", "--gin_file=run.gin", "--workdir=runs/one"]).resume
        'auto'
    """
    values = _flags()
    rest = values(list(arguments))[1:]
    settings = Settings(
        gin_files=tuple(values.gin_file),
        gin_params=tuple(values.gin_param),
        workdir=values.workdir,
        resume=values.resume,
        traceback=values.traceback,
        help=values.help,
    )
    if not settings.help:
        _check(settings, rest)
    return settings


def help_text(program: str) -> str:
    """Returns what `--help` shows."""
    return _USAGE.format(program=program) + _flags().get_help(include_special_flags=False)


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    flags.DEFINE_multi_string(
        "gin_file",
        [],
        "A gin file, from the working folder or from gin_configs/. Later ones override earlier.",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "gin_param",
        [],
        "A setting, such as 'epochs = 3'. Overrides all files.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "workdir",
        "",
        "The folder of this run: settings, scores, samples, checkpoints, the trained generator.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "resume",
        "auto",
        RESUME,
        "auto: continue the run in the workdir if there is one; never: refuse such a workdir; "
        "must: refuse a workdir without a checkpoint.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "traceback", False, "Show where in the program an error arose.", flag_values=values
    )
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    return values


def _check(settings: Settings, rest: Sequence[str]) -> None:
    if rest:
        raise flags.Error(
            f"Unexpected {rest[0]!r}: every argument is a flag, such as --gin_file={rest[0]}."
        )
    if not settings.gin_files:
        raise flags.Error(
            "--gin_file is missing: it says what to train. "
            "Try --gin_file=gin_configs/runs/digits.gin."
        )
    if not settings.workdir:
        raise flags.Error(
            "--workdir is missing: it says where to put the run. Try --workdir=runs/digits."
        )
