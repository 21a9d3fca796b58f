"""The sampling command: `tfgan-stab-sample`, `scripts/sample.py`.

Everything that can be wrong with flags and paths is found before TensorFlow, which takes seconds to
import.
"""

import sys
from collections.abc import Sequence

from tfgan_stab.cli.common import run_on_images
from tfgan_stab.cli.flags import sample as sample_flags
from tfgan_stab.cli.flags import source as source_flags
from tfgan_stab.cli.outputs import check_output
from tfgan_stab.cli.sources.kinds import kind_of

__all__ = ["main", "run"]

_COUNT = 50_000


def main() -> None:
    """Samples as the command line says, and ends the process."""
    sys.exit(run(sys.argv))


def run(arguments: Sequence[str]) -> int:
    """Samples as `arguments` say.

    Args:
        arguments: The program's name and its flags, as in `sys.argv`.

    Returns:
        The exit code: 0, 2 for bad flags, 1 for anything else that the user can mend, 130 when
        interrupted. Nothing half-written is left.
    """
    return run_on_images(arguments, sample_flags, _sample, "Nothing was written.")


def _sample(settings: sample_flags.Settings) -> None:
    kind = kind_of(settings.source)
    source_flags.check_has_effect(settings.given, settings.source, [kind])
    check_output(settings.output, settings.source, settings.overwrite)
    # Here and not above, because these import TensorFlow.
    from tfgan_stab._utils.progress import with_progress
    from tfgan_stab.cli.jobs.sample import write_array, write_pictures
    from tfgan_stab.cli.sources.opening import open_source

    source = open_source(settings.source, **settings.opening.settings)
    count = settings.count or source.count or _COUNT
    images = source.draw(count, settings.weights, settings.seed, settings.label)
    classes = source.labels(count, settings.label)
    images = with_progress(images, count, "sampling")
    if settings.output.suffix == ".npz":
        write_array(settings.output, images, count, classes)
    else:
        # Of one class alone no folder: it would count as class 0.
        apart = None if settings.label is not None else classes
        write_pictures(settings.output, images, count, apart)
    weights = settings.weights or source.default_weights
    by = f", {weights} weights" if weights else ""
    print(f"Wrote {count} samples of {source.description}{by} to {settings.output}.")


if __name__ == "__main__":
    main()
