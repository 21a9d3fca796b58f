"""The sampling command: `tfgan-stab-sample`, `scripts/sample.py`.

Everything that can be wrong with flags and paths is found before TensorFlow, which takes seconds to
import.
"""

import os
import sys
from collections.abc import Sequence

from absl import flags as absl_flags

from tfgan_stab import configuring
from tfgan_stab.cli import sample_flags, source_flags
from tfgan_stab.cli.outputs import check_output
from tfgan_stab.cli.source_kinds import kind_of

__all__ = ["main", "run"]

_INTERRUPTED = 130  # What shells call a program that Ctrl-C ended.
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
    try:
        settings = sample_flags.parse(arguments)
    except absl_flags.Error as error:
        return _complain(f"{error}\nSee --help for all flags.", code=2)
    if settings.help:
        print(sample_flags.help_text(arguments[0]))
        return 0
    try:
        kind = kind_of(settings.source)
        source_flags.check_has_effect(settings.given, settings.source, [kind])
        check_output(settings.output, settings.source, settings.overwrite)
        _sample(settings)
    except absl_flags.Error as error:
        return _complain(f"{error}\nSee --help for all flags.", code=2)
    except KeyboardInterrupt:
        return _complain("Interrupted. Nothing was written.", _INTERRUPTED)
    except (ValueError, TypeError, OSError) as error:
        if settings.traceback:
            raise
        message = configuring.plain_message(error)
        return _complain(f"{message}\n--traceback shows where.", code=1)
    return 0


def _sample(settings: sample_flags.Settings) -> None:
    # TensorFlow announces its instruction sets and the like.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # The run may be training on the same GPU, of which TensorFlow would else take all.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    # Here and not above, because these import TensorFlow.
    from tfgan_stab.cli.progress import with_progress
    from tfgan_stab.cli.sampling_files import write_array, write_pictures
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


def _complain(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
