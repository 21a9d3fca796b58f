"""The flags of `scripts/play_game.py`, checked before TensorFlow is imported."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from absl import flags

from tfgan_stab.cli.config.names import nearest

__all__ = ["GAMES", "LOOKAHEAD", "SCHEMES", "Settings", "help_text", "parse"]


class _Suited(NamedTuple):
    """What shows something on a game."""

    step_sizes: tuple[float, float]
    steps: int
    sync_period: int = 6
    slow_step_size: float = 0.5


GAMES = {
    "bilinear": _Suited((0.3, 0.3), 100),
    "damped_rotation": _Suited((0.3, 0.3), 100),
    "dirac_gan": _Suited((0.3, 0.3), 200),
    "full_batch_problem": _Suited((0.3, 0.3), 400),
    "random_linear": _Suited((0.2, 0.2), 200),
    "saddle": _Suited((1e-4, 1e-2), 1000),
    # The authors' own settings for minibatches of 64.
    "stochastic_problem": _Suited((0.005, 0.005), 5000, sync_period=450, slow_step_size=0.3),
}
SCHEMES = (
    "simultaneous",
    "alternating",
    "euler",
    "midpoint",
    "heun",
    "ralston",
    "rk4",
    "extragradient",
    "optimistic",
)
LOOKAHEAD = "lookahead"

_USAGE = """\
Plays update schemes on a game with a known answer, prints how they fare and draws them.

  {program} --game=bilinear --schemes=euler,extragradient,rk4,lookahead

"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes:
        game: One of `GAMES`.
        schemes: Names out of `SCHEMES`, or "lookahead", or "lookahead-" and one of them.
        step_sizes: The generator's and the discriminator's.
        steps: Steps that each scheme plays.
        sync_period: Lookahead's period in steps.
        slow_step_size: Lookahead's slow step size.
        seed: What random games and their noise are drawn from.
        picture: The PNG file to write.
        animate: Whether to write a GIF beside it.
        help: Whether only help was asked for; the other settings are then unchecked.
    """

    game: str
    schemes: tuple[str, ...]
    step_sizes: tuple[float, float]
    steps: int
    sync_period: int
    slow_step_size: float
    seed: int
    picture: pathlib.Path
    animate: bool
    help: bool


def parse(arguments: Sequence[str]) -> Settings:
    """Returns the settings that the command line asks for.

    Args:
        arguments: The program's name and its arguments, as in `sys.argv`.

    Raises:
        flags.Error: If a flag is unknown or has a value it cannot have.

    Example:
        >>> parse(["play_game.py", "--game=saddle"]).step_sizes
        (0.0001, 0.01)
    """
    values = _flags()
    rest = values(list(arguments))[1:]
    if not values.help:
        _check(values, rest)
    suited = GAMES.get(values.game, _Suited((0.0, 0.0), 1))
    generator, discriminator = suited.step_sizes
    if values.step_size is not None:
        generator = discriminator = values.step_size
    return Settings(
        game=values.game,
        schemes=tuple(values.schemes),
        step_sizes=(generator, _or(values.discriminator_step_size, discriminator)),
        steps=_or(values.steps, suited.steps),
        sync_period=_or(values.sync_period, suited.sync_period),
        slow_step_size=_or(values.slow_step_size, suited.slow_step_size),
        seed=values.seed,
        picture=_picture(values.output, values.game),
        animate=values.animate,
        help=values.help,
    )


def help_text(program: str) -> str:
    """Returns what `--help` shows."""
    return _USAGE.format(program=program) + _flags().get_help(include_special_flags=False)


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    flags.DEFINE_string("game", "bilinear", f"One of {', '.join(GAMES)}.", flag_values=values)
    flags.DEFINE_list(
        "schemes",
        ["euler", "extragradient", "rk4", LOOKAHEAD],
        f"Schemes to compare: {', '.join(SCHEMES)}; {LOOKAHEAD} (around simultaneous), or "
        f"{LOOKAHEAD}-extragradient and so on.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "step_size",
        None,
        "Both players' step size. Without it, one that suits the game.",
        lower_bound=0.0,
        upper_bound=1e6,
        flag_values=values,
    )
    flags.DEFINE_float(
        "discriminator_step_size",
        None,
        "The discriminator's step size, where it differs.",
        lower_bound=0.0,
        upper_bound=1e6,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "steps",
        None,
        "Steps that each scheme plays. Without it, as many as suit the game.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "sync_period",
        None,
        "Lookahead's period in steps. Without it, one that suits the game.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_float(
        "slow_step_size",
        None,
        "How far lookahead's slow weights go, in (0, 1]. Without it, what suits the game.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "What random games and their noise are drawn from.",
        lower_bound=0,
        upper_bound=2**32 - 1,
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        "runs/games",
        "A folder for the picture, or a file whose name ends in .png.",
        flag_values=values,
    )
    flags.DEFINE_bool("animate", False, "Write a GIF beside the picture.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    return values


def _check(values: flags.FlagValues, rest: Sequence[str]) -> None:
    if rest:
        raise flags.Error(
            f"Unexpected {rest[0]!r}: every argument is a flag, such as --schemes=euler,rk4 "
            "(without blanks)."
        )
    if values.game not in GAMES:
        raise flags.Error(
            f"--game={values.game}: there is no such game. {nearest(values.game, GAMES)}"
        )
    names = [*SCHEMES, LOOKAHEAD, *(f"{LOOKAHEAD}-{name}" for name in SCHEMES)]
    for name in values.schemes:
        if name not in names:
            raise flags.Error(f"--schemes: there is no {name!r}. {nearest(name, names)}")
    if not values.schemes or len(set(values.schemes)) < len(values.schemes):
        raise flags.Error(
            f"--schemes={','.join(values.schemes)}: name one scheme or several, each once. Try "
            "--schemes=euler,rk4."
        )
    for name in ("step_size", "discriminator_step_size"):
        if values[name].value is not None and math.isnan(values[name].value):
            raise flags.Error(f"--{name}=nan: must be a number >= 0. Try 0.1.")
    _check_lookahead(values)
    if pathlib.Path(values.output).suffix not in ("", ".png"):
        raise flags.Error(
            f"--output={values.output}: must be a folder or end in .png; --animate puts a .gif "
            f"beside it. Try --output={pathlib.Path(values.output).with_suffix('.png')}."
        )


def _check_lookahead(values: flags.FlagValues) -> None:
    if values.slow_step_size is not None and not 0.0 < values.slow_step_size <= 1.0:
        raise flags.Error(
            f"--slow_step_size={values.slow_step_size}: must be in (0, 1], the part of the way "
            "that the slow weights go. Try 0.5."
        )
    if not any(name.startswith(LOOKAHEAD) for name in values.schemes):
        for name in ("sync_period", "slow_step_size"):
            if values[name].value is not None:
                raise flags.Error(
                    f"--{name} has no effect: none of --schemes={','.join(values.schemes)} is "
                    f"{LOOKAHEAD}. Add it, or leave the flag out."
                )


def _or(given: Any, suited: Any) -> Any:
    return suited if given is None else given


def _picture(output: str, game: str) -> pathlib.Path:
    path = pathlib.Path(output)
    return path if path.suffix else path / f"{game}.png"
