"""The flags of sampling."""

import dataclasses
import pathlib

from absl import flags

from tfgan_stab.cli.flags.settings import flag, path
from tfgan_stab.cli.flags.source import GENERATORS, USERS, SourceSettings

__all__ = ["SampleSettings"]

# What an output must not be called: these are files, but not of the kind that is written.
_OTHER_FILES = (".bmp", ".gif", ".h5", ".jpeg", ".jpg", ".keras", ".npy", ".pkl", ".png", ".zip")


@dataclasses.dataclass(frozen=True)
class SampleSettings(SourceSettings):
    """Which images to write, and where.

    Example:
        >>> given = ["--source=runs/digits", "--output=samples.npz"]
        >>> SampleSettings.parse(["sample.py", *given]).output.suffix
        '.npz'
    """

    usage = """\
Draws samples from a trained generator into a folder of PNG files, a .npz file, or texts into a .txt
file.

  {program} --source=runs/digits --output=runs/digits-samples --count=50000
  {program} --source=runs/digits/generator.keras --output=samples.npz
  {program} --source=runs/text --output=samples.txt --count=100

A .npz file holds `arr_0`, uint8 [count, height, width, channels], and `arr_1`, the classes, where
there are any. Images can also come from a folder of pictures or an array, to turn one into the
other.
"""
    example = "--source={}"
    users = {**USERS, "seed": GENERATORS}  # Stored images come in their order.

    output: pathlib.Path = flag(
        flags.DEFINE_string,
        None,
        "The folder for PNG files, or a file whose name ends in .npz, for texts in .txt.",
        convert=path,
        missing="it says where to write. Try --output=samples for a folder of PNG files, or "
        "--output=samples.npz.",
    )
    count: int | None = flag(
        flags.DEFINE_integer,
        None,
        "How many images; without it 50000, or all that there are.",
        lower_bound=1,
    )
    weights: str | None = flag(
        flags.DEFINE_string,
        None,
        "Which weights generate them: live, or an average such as ema. Without it, those that the "
        "run draws and saves, or by which a checkpoint is the best.",
    )
    label: int | None = flag(
        flags.DEFINE_integer,
        None,
        "The class of the images. Without it all classes in turn, each in a folder of its own.",
        lower_bound=0,
    )
    overwrite: bool = flag(flags.DEFINE_bool, False, "Replace the samples that are there.")

    def check(self) -> None:
        """Also checks the output's name."""
        super().check()
        if self.output.suffix.lower() in _OTHER_FILES:
            raise flags.Error(
                f"--output={self.output}: must be a folder, for PNG files, or end in .npz. Try "
                f"--output={self.output.with_suffix('.npz')}."
            )
