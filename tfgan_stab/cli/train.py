"""The training command: `python -m tfgan_stab.cli.train`, `tfgan-stab-train`, `scripts/train.py`.

Everything that can be wrong with flags, files and the workdir is found before TensorFlow, which
takes seconds to import.
"""

import functools
import sys
import threading
from collections.abc import Sequence

from absl import flags as absl_flags

from tfgan_stab._utils.errors import DivergenceError
from tfgan_stab.cli.common import INTERRUPTED, complain, complain_of_flags, quieten_tensorflow
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.flags import train as flags
from tfgan_stab.cli.workdir import Workdir, WorkdirError

__all__ = ["main", "run"]


def main() -> None:
    """Trains as the command line says, and ends the process."""
    sys.exit(run(sys.argv))


def run(arguments: Sequence[str]) -> int:
    """Trains as `arguments` say.

    Args:
        arguments: The program's name and its flags, as in `sys.argv`.

    Returns:
        The exit code: 0, 2 for bad flags, 1 for anything else that the user can mend, 130 when
        interrupted. What the user can mend is printed in one message: what goes wrong before the
        first step is done, with files at any time, and that a guard stopped the run. Other errors
        are raised.
    """
    try:
        settings = flags.parse(arguments)
    except absl_flags.Error as error:
        return complain_of_flags(error)
    if settings.help:
        print(flags.help_text(arguments[0]))
        return 0
    try:
        _train(settings)
    except KeyboardInterrupt:
        return complain(
            "Interrupted. The same command continues from the last checkpoint.", INTERRUPTED
        )
    except (configuring.ConfigError, WorkdirError, DivergenceError, OSError) as error:
        if settings.traceback:
            raise
        return complain(configuring.plain_message(error), code=1)
    return 0


def _train(settings: flags.Settings) -> None:
    configuring.read(settings.gin_files, settings.gin_params)
    begun = threading.Event()
    with Workdir(settings.workdir, settings.resume) as workdir:
        try:
            _train_in(workdir, settings, begun)
        except (configuring.ConfigError, WorkdirError):
            raise
        except (ValueError, TypeError) as error:
            if begun.is_set():
                raise
            # No step has been done: whoever raised this, a setting is the likely cause.
            message = configuring.plain_message(error)
            raise configuring.ConfigError(f"{message}\n--traceback shows where.") from error


def _train_in(workdir: Workdir, settings: flags.Settings, begun: threading.Event) -> None:
    quieten_tensorflow()  # What matters is in run.json.
    configuring.parse(settings.gin_files, settings.gin_params)
    # Here and not above, because this imports TensorFlow.
    from tfgan_stab.cli.jobs import train as training

    ready = functools.partial(_settle, workdir, settings.gin_params)
    train = configuring.configured(training.train, given=("workdir", "ready", "begun"))
    train(workdir=workdir, ready=ready, begun=begun.set)


def _settle(workdir: Workdir, gin_params: Sequence[str]) -> None:
    """Once all parts of the run are built, and before it writes: are these its settings?"""
    idle = configuring.unused(gin_params)
    if idle:
        raise configuring.ConfigError(
            f"--gin_param={idle[0]} has no effect: this run does not use what it sets, or a "
            "setting for a scope, such as `generator/...`, overrides it. Leave it out, or add the "
            "scope."
        )
    workdir.settle(configuring.operative_text())


if __name__ == "__main__":
    main()
