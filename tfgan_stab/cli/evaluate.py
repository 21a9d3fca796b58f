"""The evaluation command: `tfgan-stab-evaluate`, `scripts/evaluate.py`.

Everything that can be wrong with flags and paths is found before TensorFlow, which takes seconds to
import.
"""

import pathlib
import sys
from collections.abc import Sequence

from tfgan_stab.cli.common import run_on_images
from tfgan_stab.cli.flags import evaluate as evaluate_flags
from tfgan_stab.cli.flags import source as source_flags
from tfgan_stab.cli.outputs import check_report
from tfgan_stab.cli.sources.kinds import kind_of

__all__ = ["main", "run"]


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
    return run_on_images(arguments, evaluate_flags, _evaluate, "No scores were written.")


def _evaluate(settings: evaluate_flags.Settings) -> None:
    kinds = [kind_of(settings.source)]
    if settings.real and pathlib.Path(settings.real).expanduser().exists():
        kinds.append(kind_of(settings.real))
    source_flags.check_has_effect(settings.given, settings.source, kinds)
    if settings.output is not None:
        check_report(settings.output)
    # Here and not above, because this imports TensorFlow.
    from tfgan_stab.cli.jobs import evaluate as evaluating

    evaluating.evaluate(settings)


if __name__ == "__main__":
    main()
