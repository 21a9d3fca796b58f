"""Writes files so that a kill or a full disk never leaves half of one.

Whatever this package writes into a workdir or a cache goes through here: first into a new file
beside the target, then onto the disk, then over the target in one step.
"""

import contextlib
import glob
import os
import pathlib
import shutil
import socket
from collections.abc import Iterator

__all__ = ["flush", "replacing", "replacing_folder", "write_atomically"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Lends a fresh path to write to, and puts the result in place of `path` at the end.

    Until the block ends without an exception, `path` stays as it was. The lent path lies in the
    same folder and keeps the suffix, because some writers choose the format by it.

    Args:
        path: The file to write or replace. Its folder must exist.

    Yields:
        The path to write to: one file that does not exist yet.

    Raises:
        OSError: If the file cannot be written; the message names `path` and says what to do.

    Example:
        >>> import tempfile
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "scores.txt"
        >>> with replacing(target) as draft:
        ...     _ = draft.write_text("fid 8.5")
        >>> target.read_text()
        'fid 8.5'
    """
    path = pathlib.Path(path)
    before, after = _affixes(path)
    draft = path.with_name(f"{before}{os.getpid()}{after}")
    try:
        _sweep(path)
        yield draft
        flush(draft)
        os.replace(draft, path)
        flush(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Lends a fresh folder to fill, and puts it in place of `path` at the end, with all in it.

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
        >>> with replacing_folder(target) as draft:
        ...     _ = (draft / "0.txt").write_text("first")
        >>> os.listdir(target)
        ['0.txt']
    """
    path = pathlib.Path(path)
    before, after = _affixes(path)
    draft = path.with_name(f"{before}{os.getpid()}{after}")
    try:
        _sweep(path)
        draft.mkdir()
        yield draft
        os.sync()  # Once for all, since there may be very many files.
        _exchange(draft, path)
        flush(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes `content` to `path`: afterwards the file is the new one or the former one, whole.

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
    with replacing(path) as draft:
        draft.write_bytes(data)


def flush(path: pathlib.Path) -> None:
    """Waits until the file, or a folder's list of names, has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _affixes(path: pathlib.Path) -> tuple[str, str]:
    """Returns how the names of drafts of `path` begin and end; a process stands between."""
    return f".{path.stem}.", f"@{socket.gethostname()}{path.suffix}"


def _sweep(path: pathlib.Path) -> None:
    """Removes what processes of this machine left of `path` when they were killed."""
    before, after = _affixes(path)
    for other in path.parent.glob(f"{glob.escape(before)}*{glob.escape(after)}"):
        process = other.name.removeprefix(before).removesuffix(after)
        if process.isdigit() and not _alive(int(process)):
            if other.is_dir():
                shutil.rmtree(other)
            else:
                other.unlink(missing_ok=True)


def _exchange(draft: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a folder to `path`; removes what was there, unless that fails."""
    former = draft.with_name(f"{draft.name}.former")
    if path.exists():
        os.rename(path, former)
    try:
        os.rename(draft, path)
    except OSError:
        if former.exists():
            os.rename(former, path)
        raise
    if former.exists():
        shutil.rmtree(former)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # Sends nothing.
    except ProcessLookupError:
        return False
    except PermissionError:  # Somebody else's.
        return True
    return True


def _explained(error: OSError, path: pathlib.Path) -> OSError:
    return type(error)(
        error.errno,
        f"Could not write {path}: {error.strerror or error}. What was there, if anything, is "
        "untouched. Free some space or allow writing there, or choose another folder",
    )
