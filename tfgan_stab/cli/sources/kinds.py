"""What lies at a path that images are to come from; told without importing TensorFlow."""

import difflib
import enum
import os
import pathlib

from tfgan_stab._utils.files import user_path

__all__ = ["NAMED", "Kind", "SourceError", "kind_of", "workdir_of"]

CONFIG = "config.gin"
PROGRESS = "progress.json"
ARRAY_SUFFIXES = (".npy", ".npz")
_KINDS = (
    "a workdir, a checkpoint in one, a .keras file, a folder of pictures, or a .npz or .npy file"
)


# Real images can also be a data set's that is loaded by its name: what each takes of the settings
# that say how pictures are read, and whether with their classes.
NAMED: dict[str, tuple[str, ...]] = {
    "arrays": ("white",),
    "digits": ("channels", "labels"),
    "image_folder": ("size", "channels", "white", "labels"),
    "mixture": ("labels",),
    "photo_patches": ("size", "channels", "labels"),
    "text": (),
    "tfds": ("size", "channels", "labels"),
    "tfrecords": ("size", "channels", "labels"),
}


class SourceError(ValueError):
    """A path that images cannot come from."""


class Kind(enum.Enum):
    """What images can come from."""

    WORKDIR = "a workdir"
    CHECKPOINT = "a checkpoint"
    KERAS = "a .keras file"
    FOLDER = "a folder of pictures"
    ARRAYS = "a .npz or .npy file"

    @property
    def trained(self) -> bool:
        """Whether it is a run, whose settings are known."""
        return self in (Kind.WORKDIR, Kind.CHECKPOINT)

    @property
    def generates(self) -> bool:
        """Whether images are made as they are asked for."""
        return self.trained or self is Kind.KERAS


def kind_of(source: str | os.PathLike[str]) -> Kind:
    """Returns what lies at a path.

    Args:
        source: The path.

    Raises:
        FileNotFoundError: If nothing lies there.
        SourceError: If images cannot come from what lies there.

    Example:
        >>> import tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> (folder / "config.gin").touch()
        >>> kind_of(folder)
        <Kind.WORKDIR: 'a workdir'>
    """
    path = user_path(source)
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is nothing at {path}. Expected {_KINDS}.{_nearest(path)} Relative paths begin "
            f"at {os.getcwd()}."
        )
    if path.suffix == ".keras":
        return Kind.KERAS
    if path.suffix in ARRAY_SUFFIXES:
        return Kind.ARRAYS
    hint = "Give the folder that it lies in" if (path.parent / CONFIG).exists() else "Convert it"
    raise SourceError(
        f"Images can come from {_KINDS}. Received: {path}, a file ending in "
        f"{path.suffix or 'nothing'}. {hint}, or choose another source."
    )


def workdir_of(run: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the workdir of a run: the nearest folder with settings, there or above.

    Args:
        run: The workdir, or a checkpoint in it, such as `runs/digits/checkpoints/step-0000000200`.

    Raises:
        SourceError: If no folder holds settings.
    """
    path = user_path(run).absolute()
    for folder in (path, *path.parents[:3]):  # Below best/ each score has a folder.
        if (folder / CONFIG).is_file():
            return folder
    raise SourceError(
        f"A checkpoint can be read only with its run's settings. Received: {run}, with no "
        f"{CONFIG} in the folders above it. Leave it in its workdir, or save the generator itself: "
        'gan.generator.save("generator.keras").'
    )


def _kind_of_folder(path: pathlib.Path) -> Kind:
    if (path / CONFIG).is_file():
        return Kind.WORKDIR
    if (path / PROGRESS).is_file():
        workdir_of(path)
        return Kind.CHECKPOINT
    several = sorted(path.glob(f"step-*/{PROGRESS}"))
    if several:
        raise SourceError(
            f"{path} holds {len(several)} checkpoints. Choose one, such as {several[-1].parent}, "
            "or the workdir for the newest."
        )
    below = sorted(path.glob(f"*/step-*/{PROGRESS}"))
    if below and not list(path.glob(f"checkpoints/step-*/{PROGRESS}")):
        raise SourceError(
            f"{path} holds the best checkpoint by each score. Choose one, such as "
            f"{below[-1].parent}."
        )
    if below:
        raise SourceError(
            f"{path} holds checkpoints, but no {CONFIG}, without which they cannot be read. Put "
            "the run's settings there, or choose a .keras file."
        )
    if (path / "saved_model.pb").is_file():
        raise SourceError(
            f"{path} holds a SavedModel. Expected {_KINDS}. Save the generator with "
            'generator.save("generator.keras").'
        )
    return Kind.FOLDER


def _nearest(path: pathlib.Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = [name for name in os.listdir(path.parent) if not name.startswith(".")]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean {path.parent / near[0]}?" if near else ""
