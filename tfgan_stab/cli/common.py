"""What commands do alike: say what is wrong, end with the right code. Imports no TensorFlow."""

import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from absl import flags as absl_flags

from tfgan_stab.cli.config import gin as configuring

__all__ = ["INTERRUPTED", "complain", "complain_of_flags", "quieten_tensorflow", "run_on_images"]

INTERRUPTED = 130  # What shells call a program that Ctrl-C ended.


def complain(message: str, code: int) -> int:
    """Prints what is wrong, and returns the exit code that goes with it."""
    print(f"error: {message}", file=sys.stderr)
    return code


def complain_of_flags(error: absl_flags.Error) -> int:
    """Prints what is wrong with the flags, and returns 2."""
    return complain(f"{error}\nSee --help for all flags.", code=2)


def quieten_tensorflow() -> None:
    """Keeps TensorFlow from announcing its instruction sets and the like; before its import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def run_on_images(
    arguments: Sequence[str], flags: ModuleType, work: Callable[[Any], None], interrupted: str
) -> int:
    """Runs a command that reads images, perhaps those of a run that is training.

    Args:
        arguments: The program's name and its flags, as in `sys.argv`.
        flags: The module that parses them, and knows the help.
        work: Does what the settings say.
        interrupted: What to say if Ctrl-C ends it.

    Returns:
        The exit code: 0, 2 for bad flags, 1 for anything else that the user can mend, 130 when
        interrupted.
    """
    try:
        settings = flags.parse(arguments)
    except absl_flags.Error as error:
        return complain_of_flags(error)
    if settings.help:
        print(flags.help_text(arguments[0]))
        return 0
    quieten_tensorflow()
    # The run may be training on the same GPU, of which TensorFlow would else take all.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    try:
        work(settings)
    except absl_flags.Error as error:
        return complain_of_flags(error)
    except KeyboardInterrupt:
        return complain(f"Interrupted. {interrupted}", INTERRUPTED)
    except (ValueError, TypeError, OSError) as error:
        if settings.traceback:
            raise
        message = configuring.plain_message(error)
        return complain(f"{message}\n--traceback shows where.", code=1)
    return 0
