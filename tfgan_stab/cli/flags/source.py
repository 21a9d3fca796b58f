"""The flags that say where images come from, which several commands share."""

import dataclasses
from collections.abc import Collection
from typing import Any

from absl import flags

from tfgan_stab.cli.flags.settings import UNSAFE_IMPORTS, Settings, flag
from tfgan_stab.cli.sources.kinds import Kind

__all__ = ["SourceSettings"]


@dataclasses.dataclass(frozen=True)
class SourceSettings(Settings):
    """Where images come from, and how to read or generate them."""

    source: str = flag(
        flags.DEFINE_string,
        "",
        "Where images come from: a workdir, a checkpoint in one, a generator's .keras file, a "
        "folder of pictures, or a .npz or .npy file.",
        missing="it says where images come from. Try --source=runs/digits.",
    )
    latents: str | None = flag(
        flags.DEFINE_enum,
        None,
        "What noise a .keras file's generator expects: N(0, I) unless given. Runs know their own.",
        enum_values=("normal", "sphere", "uniform"),
    )
    num_classes: int | None = flag(
        flags.DEFINE_integer,
        None,
        "Classes of a .keras file's generator, where the file does not say how many.",
        lower_bound=1,
    )
    size: int | None = flag(
        flags.DEFINE_integer,
        None,
        "Height and width to resize a folder's pictures to. Without it they must be of one size.",
        lower_bound=1,
    )
    channels: int | None = flag(
        flags.DEFINE_integer,
        None,
        "1, 3 or 4: reads a folder's pictures as gray, as color, or as color and alpha. Without "
        "it, as they are, on white where they are transparent.",
    )
    white: int | None = flag(
        flags.DEFINE_integer,
        None,
        "Which value is white in pictures of 16 bits and in arrays of such integers: 65535 for "
        "full 16 bits, 4095 for 12 bits.",
        lower_bound=1,
        upper_bound=65535,
    )
    batch_size: int = flag(
        flags.DEFINE_integer,
        256,
        "Images generated at once. A different batch size gives different images.",
        lower_bound=1,
    )
    seed: int = flag(
        flags.DEFINE_integer,
        0,
        "Decides the noise that images are generated from.",
        lower_bound=0,
        upper_bound=2**63 - 1,
    )

    gin_unsafe_imports: bool = flag(flags.DEFINE_bool, False, UNSAFE_IMPORTS)

    def check(self) -> None:
        """Also checks the number of channels."""
        super().check()
        if self.channels not in (None, 1, 3, 4):
            raise flags.Error(
                f"--channels={self.channels}: must be 1 for gray, 3 for color, or 4 for color and "
                "alpha. Leave it out to take pictures as they are."
            )

    @property
    def opening(self) -> dict[str, Any]:
        """The arguments of `open_source`."""
        names = ("latents", "num_classes", "size", "channels", "white", "batch_size")
        opening = {name: getattr(self, name) for name in names}
        return {**opening, "unsafe_imports": self.gin_unsafe_imports}

    def check_have_effect(self, kinds: Collection[Kind]) -> None:
        """Refuses flags that no source of these kinds uses.

        Args:
            kinds: What lies at the paths that flags name.

        Raises:
            flags.Error: If a flag would change nothing.
        """
        generators = {kind for kind in Kind if kind.generates}
        users = {
            "gin_unsafe_imports": {kind for kind in Kind if kind.trained},
            "latents": {Kind.KERAS},
            "num_classes": {Kind.KERAS},
            "size": {Kind.FOLDER},
            "channels": {Kind.FOLDER},
            "white": {Kind.FOLDER, Kind.ARRAYS},
            "batch_size": generators,
            "weights": generators,
        }
        for name, using in users.items():
            if name in self.given and not using & set(kinds):
                wanted = " or ".join(kind.value for kind in Kind if kind in using)
                raise flags.Error(
                    f"--{name} has no effect: it is for {wanted}. Received: {self.source}, "
                    f"{' and '.join(kind.value for kind in kinds)}. Leave the flag out."
                )
