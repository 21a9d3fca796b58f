"""Checks that writing to a path loses no files. Imports no TensorFlow."""

import os
import pathlib

__all__ = ["OutputError", "check_output", "check_report"]


class OutputError(ValueError):
    """A path that must not be written to."""


def check_report(output: pathlib.Path) -> None:
    """Refuses a report's path before hours are spent on its numbers.

    Args:
        output: The file to write.

    Raises:
        OutputError: If something is there already, or its folder cannot be written to.
    """
    if output.exists():
        raise OutputError(f"--output={output} must not exist yet. Choose another name.")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"--output={output}: expected a folder that can be written to. Received: "
            f"{output.parent}. Make it, or choose another one."
        )


def check_output(output: pathlib.Path, source: str | os.PathLike[str], overwrite: bool) -> None:
    """Refuses to replace anything but samples, and those only if asked to.

    Args:
        output: The folder or the `.npz` file to write.
        source: Where the samples come from.
        overwrite: Whether existing samples may be replaced.

    Raises:
        OutputError: If something else is there.
    """
    if not output.exists():
        return
    if output.is_dir() == (output.suffix == ".npz"):
        kind, wanted = ("folder", "file") if output.is_dir() else ("file", "folder")
        raise OutputError(
            f"--output={output} must be a {wanted}. Received: a {kind} of that name. Choose "
            "another name; one that ends in .npz is a file."
        )
    content = [] if output.is_file() else list(output.iterdir())
    if output.is_dir() and not content:
        return
    if not overwrite:
        what = "file" if output.is_file() else f"folder that holds {len(content)} files or folders"
        raise OutputError(
            f"--output={output} must not exist yet. Received: a {what}. Choose another name, or "
            "replace it with --overwrite."
        )
    target, origin = output.resolve(), pathlib.Path(source).expanduser().resolve()
    if target == origin or target in origin.parents:
        raise OutputError(
            f"--output={output} would replace {source}, where the samples come from. Choose "
            "another name."
        )
    foreign = [path for path in output.rglob("*") if not path.is_dir() and path.suffix != ".png"]
    if output.is_dir() and foreign:
        raise OutputError(
            f"--overwrite replaces folders of PNG files. Received: {output}, which holds "
            f"{foreign[0].relative_to(output)}. Choose another name, or remove it yourself."
        )
