"""Files: written so that a kill or a full disk never leaves half of one, and found by any name.

Whatever this package writes into a workdir or a cache goes through here: into a temporary file
beside the target, onto the disk, and then over the target in one step.
"""

import contextlib
import glob
import os
import pathlib
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator

__all__ = [
    "cache_directory",
    "flush",
    "named_in",
    "replacing",
    "replacing_folder",
    "under_plain_name",
    "user_path",
    "write_atomically",
]

# Temporary files of a killed process are removed by the next write of the same target, once nobody
# has written to them for this many seconds: until then they may be another process's.
ABANDONED = 3600.0
# What has a meaning in patterns of file names.
_OF_PATTERNS = re.compile(r"[*?\[\\]")


def user_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """Returns a path that a user wrote; a leading `~` or `~name` is a home, if there is such a one.

    Example:
        >>> str(user_path("~nobody-of-this-name/runs/"))
        '~nobody-of-this-name/runs'
    """
    # Path.expanduser raises for a folder whose name merely begins with "~".
    return pathlib.Path(os.path.expanduser(path))


def named_in(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the path of a name in a folder; refuses names that lead elsewhere.

    Args:
        folder: The folder.
        name: What lies directly in it is called, such as a score or a checkpoint's file.

    Raises:
        ValueError: If the name has separators in it, or stands for another folder.

    Example:
        >>> str(named_in(pathlib.Path("runs/best"), "fid_ema"))
        'runs/best/fid_ema'
    """
    if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
        raise ValueError(
            f"Expected the name of something in {folder}. Received: {name!r}, which leads "
            "elsewhere. Choose a name without slashes."
        )
    return folder / name


@contextlib.contextmanager
def under_plain_name(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    r"""Yields a path to a folder in which no character has a meaning in patterns of file names.

    TensorFlow looks for a checkpoint as for a pattern, and opens it by the path as it was given: in
    a folder called `lr=[1,2]` or `a\b` it finds nothing, escaped or not. Such a folder is reached
    through a link among the system's temporary files, which is removed at the end.

    Args:
        folder: The folder.

    Yields:
        The folder itself, or the link to it.

    Example:
        >>> with under_plain_name(pathlib.Path("runs/lr=[1,2]")) as plain:
        ...     "[" in str(plain), os.readlink(plain).endswith("runs/lr=[1,2]")
        (False, True)
    """
    if not _OF_PATTERNS.search(os.fspath(folder)):
        yield folder
        return
    place = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(dir="/tmp" if _OF_PATTERNS.search(place) else place) as links:
        link = pathlib.Path(links) / "folder"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link


def cache_directory() -> pathlib.Path:
    """Returns the folder `TFGAN_STAB_CACHE` names, else `~/.cache/tfgan_stab`."""
    return user_path(os.environ.get("TFGAN_STAB_CACHE") or "~/.cache/tfgan_stab")


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a temporary path to write to, and puts the file in place of `path` at the end.

    Until the block ends without an exception, `path` stays as it was. The temporary path lies in
    the same folder and keeps the suffix, because some writers choose the format by it.

    Args:
        path: The file to write or replace. Its folder must exist.

    Yields:
        The path to write to: a file that does not exist yet.

    Raises:
        OSError: If the file cannot be written; the message names `path` and says what to do.

    Example:
        >>> import tempfile
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "scores.txt"
        >>> with replacing(target) as temporary:
        ...     _ = temporary.write_text("fid 8.5")
        >>> target.read_text()
        'fid 8.5'
    """
    path = pathlib.Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a temporary folder to fill, and puts it in place of `path` at the end, with all in it.

    Until the block ends without an exception, `path` stays as it was; then what was there is
    removed.

    Args:
        path: The folder to make or replace. The folder that it lies in must exist.

    Yields:
        The folder to fill, empty.

    Raises:
        OSError: If it cannot be written; the message names `path` and says what to do.

    Example:
        >>> import tempfile
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "samples"
        >>> with replacing_folder(target) as temporary:
        ...     _ = (temporary / "0.txt").write_text("first")
        >>> os.listdir(target)
        ['0.txt']
    """
    path = pathlib.Path(path)
    temporary = _temporary(path)
    try:
        temporary.mkdir()
        yield temporary
        os.sync()  # Once for all, since there may be very many files.
        _exchange(temporary, path)
        flush(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes `content` to `path`: afterwards the file is the new one or the previous one, whole.

    Args:
        path: The file to write or replace. Its folder must exist.
        content: Text, written as UTF-8, or bytes.

    Raises:
        OSError: If the file cannot be written; the message names `path` and says what to do.

    Example:
        >>> import tempfile
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "config.gin"
        >>> write_atomically(target, "epochs = 20")
        >>> target.read_text()
        'epochs = 20'
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def flush(path: pathlib.Path) -> None:
    """Waits until the file, or a folder's list of names, has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: pathlib.Path) -> pathlib.Path:
    """Returns a free name beside `path`; removes what killed processes left under such names."""
    start, end = f".{path.stem}.", f".unfinished{path.suffix}"
    for other in path.parent.glob(f"{glob.escape(start)}*{glob.escape(end)}"):
        with contextlib.suppress(FileNotFoundError):  # Another process removes it too.
            if time.time() - other.stat().st_mtime > ABANDONED:
                remove = shutil.rmtree if other.is_dir() else os.unlink
                remove(other)
    return path.with_name(f"{start}{secrets.token_hex(4)}{end}")


def _exchange(temporary: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a folder to `path`; removes what was there, unless that fails."""
    previous = temporary.with_name(f"{temporary.name}.previous")
    if path.exists():
        os.rename(path, previous)
    try:
        os.rename(temporary, path)
    except OSError:
        if previous.exists():
            os.rename(previous, path)
        raise
    if previous.exists():
        shutil.rmtree(previous)


def _explained(error: OSError, path: pathlib.Path) -> OSError:
    return type(error)(
        error.errno,
        f"Could not write {path}: {error.strerror or error}. What was there, if anything, is "
        "untouched. Free some space or allow writing there, or choose another folder",
    )
