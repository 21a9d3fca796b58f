"""The five commands: `scripts/*.py`, `python -m tfgan_stab.cli COMMAND`, `tfgan-stab-COMMAND`.

The last form has hyphens where the others have underscores: `tfgan-stab-play-game`.

Everything that can be wrong with flags, files and folders is found before TensorFlow, which takes
seconds to import: hence the imports inside functions.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence

from tfgan_stab._utils.cluster import is_chief
from tfgan_stab._utils.errors import DivergenceError, WorkerLostError
from tfgan_stab.cli import common
from tfgan_stab.cli.common import (
    Command,
    OutputError,
    check_output,
    check_report,
    import_tensorflow,
    print_error,
)
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.config.names import nearest
from tfgan_stab.cli.flags.evaluate import EvaluateSettings
from tfgan_stab.cli.flags.play_game import GameSettings
from tfgan_stab.cli.flags.recipes import RecipesSettings
from tfgan_stab.cli.flags.sample import SampleSettings
from tfgan_stab.cli.flags.train import TrainSettings
from tfgan_stab.cli.workdir import Workdir, WorkdirError

__all__ = ["evaluate", "main", "play_game", "recipes", "run", "sample", "train"]


def train() -> None:
    """Trains as the command line says, and ends the process."""
    sys.exit(run("train", sys.argv))


def evaluate() -> None:
    """Scores as the command line says, and ends the process."""
    sys.exit(run("evaluate", sys.argv))


def sample() -> None:
    """Writes samples as the command line says, and ends the process."""
    sys.exit(run("sample", sys.argv))


def play_game() -> None:
    """Plays a small game as the command line says, and ends the process."""
    sys.exit(run("play_game", sys.argv))


def recipes() -> None:
    """Lists recipes as the command line says, and ends the process."""
    sys.exit(run("recipes", sys.argv))


def main() -> None:
    """Runs the command that the first argument names, and ends the process."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in _COMMANDS:
        unknown = name and not name.startswith("-")
        message = f"There is no command {name!r}. {nearest(name, _COMMANDS)}\n" if unknown else ""
        usage = f"Usage: python -m tfgan_stab.cli {'|'.join(_COMMANDS)} --help"
        sys.exit(print_error(f"{message}{usage}", code=2))
    sys.exit(run(name, [f"python -m tfgan_stab.cli {name}", *arguments]))


def run(name: str, arguments: Sequence[str]) -> int:
    """Runs a command in this process.

    Args:
        name: "train", "evaluate", "sample", "play_game" or "recipes".
        arguments: The program's name and its flags, as in `sys.argv`.

    Returns:
        The exit code: 0; 2 for wrong flags; 1 for anything else that the user can correct, printed
        as one message; 130 if interrupted. Other errors are raised: when training, those are all
        but errors of files and the guard's stop once the first step is done.
    """
    return common.run(_COMMANDS[name], arguments)


def _evaluate(settings: EvaluateSettings) -> None:
    settings.check_have_effect(settings.real)
    for name in ("output", "write_statistics"):
        if getattr(settings, name) is not None:
            check_report(getattr(settings, name), name)
    _share_gpu()
    import_tensorflow()
    from tfgan_stab.cli.jobs import evaluate as job

    job.evaluate(settings)


def _sample(settings: SampleSettings) -> None:
    settings.check_have_effect()
    check_output(settings.output, settings.source, settings.overwrite)
    _share_gpu()
    import_tensorflow()
    from tfgan_stab.cli.jobs import sample as job

    job.sample(settings)


def _share_gpu() -> None:
    """Leaves memory to a run that is training on the same GPU; TensorFlow would take it all."""
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def _play_game(settings: GameSettings) -> None:
    try:
        settings.picture.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write to --output: {error}. Choose another folder.") from error
    import_tensorflow()
    from tfgan_stab.cli.jobs import play_game as job

    for line in job.play_all(settings):
        print(line)


def _recipes(settings: RecipesSettings) -> None:
    from tfgan_stab.cli.jobs import recipes as job

    print(job.recipes(settings))


def _train(settings: TrainSettings) -> None:
    configuring.read(settings.gin_file, settings.gin_settings)
    started = threading.Event()
    with _settings_blamed(started):
        if settings.dry_run:
            _dry_run(settings)
            return
        chief = settings.distribution != "multi_worker" or is_chief(os.environ)
        with Workdir(settings.workdir, settings.resume, chief) as workdir:
            _train_in(workdir, settings, started)


@contextlib.contextmanager
def _settings_blamed(started: threading.Event) -> Iterator[None]:
    """Before the first step is done, a setting is the likely cause of whatever is raised."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if started.is_set() or isinstance(error, (configuring.ConfigError, WorkdirError)):
            raise
        raise configuring.ConfigError(configuring.plain_message(error)) from error


def _dry_run(settings: TrainSettings) -> None:
    import_tensorflow()
    configuring.parse(settings.gin_file, settings.gin_settings, settings.gin_unsafe_imports)
    from tfgan_stab.cli.jobs import dry_run as job

    print(job.dry_run(settings.gin_settings))


def _train_in(workdir: Workdir, settings: TrainSettings, started: threading.Event) -> None:
    import_tensorflow()
    from tfgan_stab.training.workers import strategy_of

    strategy = strategy_of(settings.distribution)
    configuring.parse(settings.gin_file, settings.gin_settings, settings.gin_unsafe_imports)
    from tfgan_stab.cli.jobs import train as job

    def ready() -> None:
        """Checks the settings once everything is built, before anything is written."""
        configuring.check_used(settings.gin_settings)
        workdir.settle(configuring.operative_text(), configuring.defaults())

    configured = configuring.configured(job.train, given=("workdir", "ready", "started"))
    configured(workdir=workdir, ready=ready, started=started.set, strategy=strategy)


_COMMANDS = {
    "train": Command(
        TrainSettings,
        _train,
        (configuring.ConfigError, WorkdirError, DivergenceError, WorkerLostError, OSError),
        "The same command continues from the last checkpoint.",
    ),
    "evaluate": Command(
        EvaluateSettings, _evaluate, (ValueError, TypeError, OSError), "No scores were written."
    ),
    "sample": Command(
        SampleSettings, _sample, (ValueError, TypeError, OSError), "Nothing was written."
    ),
    "play_game": Command(GameSettings, _play_game, (OutputError, OSError), "Nothing was drawn."),
    "recipes": Command(RecipesSettings, _recipes, (ValueError, OSError), "Nothing was written."),
}
