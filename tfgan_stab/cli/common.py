"""What all commands do alike: parse flags, print errors, return exit codes. No TensorFlow here."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from absl import flags as absl_flags

from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.flags.settings import Settings

__all__ = ["Command", "print_error", "run", "silence_tensorflow"]

INTERRUPTED = 130  # What shells call a program that Ctrl-C ended.


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
        The exit code: 0; 2 for wrong flags; 1 for the command's other errors; 130 if interrupted.
    """
    try:
        settings = command.flags.parse(arguments)
    except absl_flags.Error as error:
        return _print_flag_error(error)
    if settings is None:
        print(command.flags.help_text(arguments[0]))
        return 0
    silence_tensorflow()
    try:
        command.work(settings)
    except absl_flags.Error as error:
        return _print_flag_error(error)
    except KeyboardInterrupt:
        return print_error(f"Interrupted. {command.interrupted}", INTERRUPTED)
    except command.errors as error:
        if settings.traceback:
            raise
        message = configuring.plain_message(error)
        return print_error(f"{message}\n--traceback shows where.", code=1)
    return 0


def print_error(message: str, code: int) -> int:
    """Prints what is wrong, and returns the exit code that goes with it."""
    print(f"error: {message}", file=sys.stderr)
    return code


def _print_flag_error(error: absl_flags.Error) -> int:
    return print_error(f"{error}\nSee --help for all flags.", code=2)


def silence_tensorflow() -> None:
    """Keeps TensorFlow from logging its instruction sets and the like; call before its import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
