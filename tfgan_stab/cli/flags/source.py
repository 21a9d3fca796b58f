"""Flags that say where images come from, which several commands share. Imports no TensorFlow."""

import dataclasses
from collections.abc import Collection
from typing import Any

from absl import flags

from tfgan_stab.cli.sources.kinds import Kind

__all__ = ["Opening", "check_has_effect", "define", "opening"]

LATENTS = ("normal", "sphere", "uniform")
_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Opening:
    """How to read a source, where its kind leaves that open.

    Attributes:
        latents: One of `LATENTS`, or `None` for the usual ones.
        num_classes: Classes of a generator, or `None` where its file tells.
        size: Height and width that pictures are resized to, or `None` for their own.
        channels: 1 or 3, or `None` for what pictures have.
        batch_size: Images generated at once.
    """

    latents: str | None
    num_classes: int | None
    size: int | None
    channels: int | None
    batch_size: int

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `open_source`."""
        return dataclasses.asdict(self)


def define(values: flags.FlagValues) -> None:
    """Adds the flags.

    Args:
        values: Where to add them.
    """
    flags.DEFINE_string(
        "source",
        "",
        "Where images come from: a workdir, a checkpoint in one, a generator's .keras file, a "
        "folder of pictures, or a .npz or .npy file.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "latents",
        None,
        LATENTS,
        "What noise a .keras file's generator expects: N(0, I) unless given. Runs know their own.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "num_classes",
        None,
        "Classes of a .keras file's generator, where the file does not tell.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "size",
        None,
        "Height and width to resize a folder's pictures to. Without it they must be of one size.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "channels",
        None,
        "1 or 3: reads a folder's pictures as gray or as color. Without it, as they are.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "batch_size",
        None,
        f"Images generated at once; without it {_BATCH}. Another number draws other noise.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "Decides the noise that images are generated from.",
        lower_bound=0,
        upper_bound=2**63 - 1,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "traceback", False, "Show where in the program an error arose.", flag_values=values
    )
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)


def opening(values: flags.FlagValues) -> Opening:
    """Returns what the flags say of how to read a source.

    Args:
        values: The flags, parsed.

    Raises:
        flags.Error: If there is no source, or a number is out of range.
    """
    if not values.source:
        raise flags.Error(
            "--source is missing: it says where images come from. Try --source=runs/digits."
        )
    if values.channels not in (None, 1, 3):
        raise flags.Error(
            f"--channels={values.channels}: must be 1 for gray or 3 for color. Leave it out to "
            "take pictures as they are."
        )
    return Opening(
        values.latents,
        values.num_classes,
        values.size,
        values.channels,
        values.batch_size or _BATCH,
    )


def check_has_effect(given: Collection[str], source: str, kinds: Collection[Kind]) -> None:
    """Refuses flags that no source of these kinds takes.

    Args:
        given: Names of the flags that the command line has.
        source: The paths, for the message.
        kinds: What lies there.

    Raises:
        flags.Error: If a flag would change nothing.
    """
    takers = {
        "latents": {Kind.KERAS},
        "num_classes": {Kind.KERAS},
        "size": {Kind.FOLDER},
        "channels": {Kind.FOLDER},
        "batch_size": {kind for kind in Kind if kind.generates},
        "weights": {kind for kind in Kind if kind.generates},
    }
    for name, taking in takers.items():
        if name in given and not taking & set(kinds):
            wanted = " or ".join(kind.value for kind in Kind if kind in taking)
            raise flags.Error(
                f"--{name} has no effect: it is for {wanted}. Received: {source}, "
                f"{' and '.join(kind.value for kind in kinds)}. Leave the flag out."
            )
