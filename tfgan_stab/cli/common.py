"""What all commands do alike: parse flags, print errors, return exit codes. No TensorFlow here."""

import contextlib
import os
import pathlib
import re
import select
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from absl import flags as absl_flags

from tfgan_stab._utils.files import user_path
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.flags.settings import Settings

__all__ = [
    "Command",
    "OutputError",
    "check_output",
    "check_report",
    "import_tensorflow",
    "print_error",
    "run",
]

INTERRUPTED = 130  # What shells call a program that Ctrl-C ended.
UNREAD = 141  # What they call one that writes where nobody reads any more, as before `| head`.
STANDARD_OUTPUT = 1  # Its file descriptor.
FILES = (".npz", ".txt")  # Endings of samples in one file; others are folders.


class Command(NamedTuple):
    """A command of this package.

    Attributes:
        flags: Its flags.
        work: Does what they say.
        errors: Exceptions that the user can do something about: printed without a traceback.
        interrupted: What to print if Ctrl-C ends it.
    """

    flags: type[Settings]
    work: Callable[[Any], None]
    errors: tuple[type[Exception], ...]
    interrupted: str


def run(command: Command, arguments: Sequence[str]) -> int:
    """Does what a command line asks for.

    Args:
        command: The command.
        arguments: The program's name and its flags, as in `sys.argv`.

    Returns:
        The exit code: 0; 2 for wrong flags; 1 for the command's other errors; 130 if interrupted;
        141 if nobody reads what is printed.
    """
    try:
        settings = command.flags.parse(arguments)
    except absl_flags.Error as error:
        return _print_flag_error(error)
    worded: tuple[type[Exception], ...] = (BrokenPipeError, *command.errors)
    try:
        if settings is None:
            print(command.flags.help_text(arguments[0]))
        else:
            command.work(settings)
        print(end="", flush=True)
    except absl_flags.Error as error:
        return _print_flag_error(error)
    except KeyboardInterrupt:
        return print_error(f"Interrupted. {command.interrupted}", INTERRUPTED)
    except worded as error:
        if isinstance(error, BrokenPipeError) and not _is_read():
            return UNREAD
        if settings is None or settings.traceback or not isinstance(error, command.errors):
            raise
        message = configuring.plain_message(error)
        return print_error(f"{message}\n--traceback shows where.", code=1)
    return 0


def _is_read() -> bool:
    """Returns whether somebody still reads standard output; if not, what comes is dropped."""
    poll = select.poll()
    poll.register(STANDARD_OUTPUT, 0)
    if not poll.poll(0):
        return True
    os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_OUTPUT)
    return False


def print_error(message: str, code: int) -> int:
    """Prints what is wrong, and returns the exit code that goes with it."""
    print(f"error: {message}", file=sys.stderr)
    return code


def _print_flag_error(error: absl_flags.Error) -> int:
    return print_error(f"{error}\nSee --help for all flags.", code=2)


def import_tensorflow() -> None:
    """Imports TensorFlow without what it logs of instruction sets, GPUs that are missing, ..."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _lines_left_out(_is_noise):
        import tensorflow as tf

        tf.config.list_physical_devices()


@contextlib.contextmanager
def _lines_left_out(leave_out: Callable[[str], bool]) -> Iterator[None]:
    """Leaves out lines that anyone, C++ included, writes to standard error meanwhile."""
    if sys.stderr is None:  # Closed by whoever started this process.
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        own = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)
            log.seek(0)
            sys.stderr.writelines(line for line in log if not leave_out(line))
            sys.stderr.flush()


def _is_noise(line: str) -> bool:
    """Returns whether a line that TensorFlow logs at its start says nothing that matters."""
    if "cuInit" in line:
        return not pathlib.Path("/dev/nvidiactl").exists()  # No wonder.
    return bool(_LOGGED_AT_START.match(line))


# Notes of TensorFlow's libraries, which they log before they know how much is to be logged.
_LOGGED_AT_START = re.compile(
    r"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} |"
    r"E\d{4} .*Unable to register cu|To enable the following instructions"
)


class OutputError(ValueError):
    """A path that must not be written to."""


def check_report(output: pathlib.Path, flag: str = "output") -> None:
    """Refuses a report's path before hours are spent on its numbers.

    Args:
        output: The file to write.
        flag: The name of the flag that says so.

    Raises:
        OutputError: If something is there already, or its folder cannot be written to.
    """
    if output.exists():
        raise OutputError(f"--{flag}={output} must not exist yet. Choose another name.")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"--{flag}={output}: expected a folder that can be written to. Received: "
            f"{output.parent}. Make it, or choose another one."
        )


def check_output(output: pathlib.Path, source: str | os.PathLike[str], overwrite: bool) -> None:
    """Refuses to replace anything but samples, and those only if asked to.

    Args:
        output: The folder, or the `.npz` or `.txt` file, to write.
        source: Where the samples come from.
        overwrite: Whether existing samples may be replaced.

    Raises:
        OutputError: If something else is there.
    """
    if not output.exists():
        return
    if output.is_dir() == (output.suffix in FILES):
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
    target, origin = output.resolve(), user_path(source).resolve()
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
