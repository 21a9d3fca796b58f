"""The evaluation command: `tfgan-stab-evaluate`, `scripts/evaluate.py`.

Everything that can be wrong with flags and paths is found before TensorFlow, which takes seconds to
import.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

from absl import flags as absl_flags

from tfgan_stab import configuring
from tfgan_stab.cli import evaluate_flags, source_flags
from tfgan_stab.cli.outputs import check_report
from tfgan_stab.cli.source_kinds import kind_of

__all__ = ["main", "run"]

_INTERRUPTED = 130  # What shells call a program that Ctrl-C ended.


def main() -> None:
    """Scores as the command line says, and ends the process."""
    sys.exit(run(sys.argv))


def run(arguments: Sequence[str]) -> int:
    """Scores as `arguments` say.

    Args:
        arguments: The program's name and its flags, as in `sys.argv`.

    Returns:
        The exit code: 0, 2 for bad flags, 1 for anything else that the user can mend, 130 when
        interrupted.
    """
    try:
        settings = evaluate_flags.parse(arguments)
    except absl_flags.Error as error:
        return _complain(f"{error}\nSee --help for all flags.", code=2)
    if settings.help:
        print(evaluate_flags.help_text(arguments[0]))
        return 0
    try:
        kinds = [kind_of(settings.source)]
        if settings.real and pathlib.Path(settings.real).expanduser().exists():
            kinds.append(kind_of(settings.real))
        source_flags.check_has_effect(settings.given, settings.source, kinds)
        if settings.output is not None:
            check_report(settings.output)
        _evaluate(settings)
    except absl_flags.Error as error:
        return _complain(f"{error}\nSee --help for all flags.", code=2)
    except KeyboardInterrupt:
        return _complain("Interrupted. No scores were written.", _INTERRUPTED)
    except (ValueError, TypeError, OSError) as error:
        if settings.traceback:
            raise
        message = configuring.plain_message(error)
        return _complain(f"{message}\n--traceback shows where.", code=1)
    return 0


def _evaluate(settings: evaluate_flags.Settings) -> None:
    # TensorFlow announces its instruction sets and the like.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # The run may be training on the same GPU, of which TensorFlow would else take all.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    # Here and not above, because this imports TensorFlow.
    from tfgan_stab.cli import evaluating

    evaluating.evaluate(settings)


def _complain(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
