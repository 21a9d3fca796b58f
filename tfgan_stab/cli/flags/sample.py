"""The flags of `scripts/sample.py`, checked before TensorFlow is imported."""

import dataclasses
import pathlib
from collections.abc import Sequence

from absl import flags

from tfgan_stab.cli.flags import source as source_flags
from tfgan_stab.cli.flags.source import Opening

__all__ = ["Settings", "help_text", "parse"]

_USAGE = """\
Draws samples from a trained generator into a folder of PNG files, or into a .npz file.

  {program} --source=runs/digits --output=runs/digits-samples --count=50000
  {program} --source=runs/digits/generator.keras --output=samples.npz

A .npz file holds `arr_0`, uint8 [count, height, width, channels], and `arr_1`, the classes, where
there are any. Images can also come from a folder of pictures or an array, to turn one into the
other.

"""
# What an output must not be called: these are files, but not of the kind that is written.
_OTHER_FILES = (".bmp", ".gif", ".h5", ".jpeg", ".jpg", ".keras", ".npy", ".pkl", ".png", ".zip")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes:
        source: Where images come from.
        opening: How to read it.
        given: Names of the flags that the command line has.
        output: The folder or the `.npz` file to write.
        count: How many images; `None` for 50,000, or for all that there are.
        weights: Which weights generate them; `None` for those that the run itself shows.
        seed: Decides the noise.
        label: Their class; `None` for all classes in turn.
        overwrite: Whether to replace what is there.
        traceback: Whether errors show where they arose.
        help: Whether only help was asked for; the other settings are then unchecked.
    """

    source: str
    opening: Opening
    given: frozenset[str]
    output: pathlib.Path
    count: int | None
    weights: str | None
    seed: int
    label: int | None
    overwrite: bool
    traceback: bool
    help: bool


def parse(arguments: Sequence[str]) -> Settings:
    """Returns the settings that the command line asks for.

    Args:
        arguments: The program's name and its arguments, as in `sys.argv`.

    Raises:
        flags.Error: If a flag is unknown, missing or has a value it cannot have.

    Example:
        >>> parse(["sample.py", "--source=runs/digits", "--output=samples.npz"]).output.suffix
        '.npz'
    """
    values = _flags()
    rest = values(list(arguments))[1:]
    if not values.help:
        _check(values, rest)
    return Settings(
        source=values.source,
        opening=Opening(None, None, None, None, 1) if values.help else source_flags.opening(values),
        given=frozenset(name for name in values if values[name].present),
        output=pathlib.Path(values.output).expanduser(),
        count=values.count,
        weights=values.weights,
        seed=values.seed,
        label=values.label,
        overwrite=values.overwrite,
        traceback=values.traceback,
        help=values.help,
    )


def help_text(program: str) -> str:
    """Returns what `--help` shows."""
    return _USAGE.format(program=program) + _flags().get_help(include_special_flags=False)


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    source_flags.define(values)
    flags.DEFINE_string(
        "output",
        "",
        "The folder for PNG files, or a file whose name ends in .npz.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "count",
        None,
        "How many images; without it 50000, or all that there are.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_string(
        "weights",
        None,
        "Which weights generate them: live, or an average such as ema. Without it, those that the "
        "run draws and saves, or by which a checkpoint is the best.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "label",
        None,
        "The class of the images. Without it all classes in turn, each in a folder of its own.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_bool("overwrite", False, "Replace the samples that are there.", flag_values=values)
    return values


def _check(values: flags.FlagValues, rest: Sequence[str]) -> None:
    if rest:
        raise flags.Error(
            f"Unexpected {rest[0]!r}: every argument is a flag, such as --source={rest[0]}."
        )
    source_flags.opening(values)
    if not values.output:
        raise flags.Error(
            "--output is missing: it says where to write. Try --output=samples for a folder of "
            "PNG files, or --output=samples.npz."
        )
    output = pathlib.Path(values.output)
    if output.suffix.lower() in _OTHER_FILES:
        raise flags.Error(
            f"--output={output}: must be a folder, for PNG files, or end in .npz. Try "
            f"--output={output.with_suffix('.npz')}."
        )
