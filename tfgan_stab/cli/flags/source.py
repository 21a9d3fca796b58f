"""The flags that say where images come from, which several commands share."""

import dataclasses
from typing import Any, ClassVar

from absl import flags

from tfgan_stab._utils.files import user_path
from tfgan_stab.cli.flags.settings import UNSAFE_IMPORTS, Settings, flag
from tfgan_stab.cli.sources.kinds import NAMED, Kind, kind_of

__all__ = ["GENERATORS", "USERS", "SourceSettings"]

GENERATORS = {kind for kind in Kind if kind.generates}
# What lies at the paths where a flag has an effect.
USERS = {
    "gin_unsafe_imports": {kind for kind in Kind if kind.trained},
    "latents": {Kind.KERAS},
    "num_classes": {Kind.KERAS},
    "size": {Kind.FOLDER},
    "channels": {Kind.FOLDER},
    "white": {Kind.FOLDER, Kind.ARRAYS},
    "batch_size": GENERATORS,
    "weights": GENERATORS,
}


@dataclasses.dataclass(frozen=True)
class SourceSettings(Settings):
    """Where images come from, and how to read or generate them.

    Attributes:
        users: What lies at the paths where a flag has an effect; others have one everywhere.
    """

    users: ClassVar[dict[str, set[Kind]]] = USERS

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
        "Height and width to resize a folder's pictures to, which must be of one size without it; "
        "with evaluate.py also those of a data set, such as --real=tfds:celeb_a.",
        lower_bound=1,
    )
    channels: int | None = flag(
        flags.DEFINE_integer,
        None,
        "1, 3 or 4: reads pictures of a folder or a data set as gray, as color, or as color and "
        "alpha. Without it, as they are, on white where they are transparent.",
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
        "Decides the noise that images are generated from, and in evaluate.py which of the stored "
        "and of the real images are taken.",
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

    def check_have_effect(self, real: str | None = None) -> None:
        """Refuses flags that neither the source nor the real images use.

        Args:
            real: Where real images come from, if there are any: a data set's name or a path.

        Raises:
            flags.Error: If a flag would change nothing.
            FileNotFoundError: If there is no such source.
            SourceError: If images cannot come from there.
        """
        kinds = {self.source: kind_of(self.source)}
        of_set = NAMED.get(real.partition(":")[0]) if real else None
        if real and of_set is None and user_path(real).exists():
            kinds[real] = kind_of(real)
        for name, using in self.users.items():
            if name in self.given and name not in (of_set or ()) and not using & {*kinds.values()}:
                wanted = " or ".join(kind.value for kind in Kind if kind in using)
                received = [f"{place}, {kind.value}" for place, kind in kinds.items()]
                received += [f"--real={real}"] if of_set is not None else []
                raise flags.Error(
                    f"--{name} has no effect: it is for {wanted}{_named_sets(name, real)}. "
                    f"Received: {' and '.join(received)}. Leave the flag out."
                )

    def check_white(self, used: bool) -> None:
        """Refuses --white where all images that were opened do without.

        Args:
            used: Whether some are of more than 8 bits.

        Raises:
            flags.Error: If there are none.
        """
        if self.white is not None and not used:
            places = [self.source, getattr(self, "real", None)]
            raise flags.Error(
                "--white has no effect: it is for pictures and arrays of more than 8 bits. "
                f"Received: {' and '.join(filter(None, places))}, where white is 255 in 8 bits and "
                "1 in floats. Leave the flag out."
            )


def _named_sets(flag_name: str, real: str | None) -> str:
    """Returns which data sets that are loaded by their names use a flag, for a message."""
    names = [name for name, taken in NAMED.items() if flag_name in taken]
    return f" or --real={' or '.join(names)}" if real and names else ""
