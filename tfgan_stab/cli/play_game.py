"""Plays update schemes on a game with a known answer: `scripts/play_game.py`.

Everything that can be wrong with the flags is found before TensorFlow, which takes seconds to
import.
"""

import sys
from collections.abc import Sequence

from absl import flags as absl_flags

from tfgan_stab.cli.common import complain, complain_of_flags, quieten_tensorflow
from tfgan_stab.cli.flags import play_game as game_flags

__all__ = ["main", "run"]


def main() -> None:
    """Plays as the command line says, and ends the process."""
    sys.exit(run(sys.argv))


def run(arguments: Sequence[str]) -> int:
    """Plays as `arguments` say, prints a table and draws a picture.

    Args:
        arguments: The program's name and its flags, as in `sys.argv`.

    Returns:
        The exit code: 0; 2 for bad flags; 1 if the picture cannot be written.
    """
    try:
        settings = game_flags.parse(arguments)
    except absl_flags.Error as error:
        return complain_of_flags(error)
    if settings.help:
        print(game_flags.help_text(arguments[0]))
        return 0
    try:
        settings.picture.parent.mkdir(parents=True, exist_ok=True)
        _play(settings)
    except OSError as error:
        return complain(f"Cannot write to --output: {error}. Choose another folder.", code=1)
    return 0


def _play(settings: game_flags.Settings) -> None:
    quieten_tensorflow()
    # Here and not above, because this imports TensorFlow.
    from tfgan_stab.cli.jobs import play_game as playing

    for line in playing.play_all(settings):
        print(line)


if __name__ == "__main__":
    main()
