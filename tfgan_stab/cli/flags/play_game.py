"""The flags of playing a small game."""

import dataclasses
import math
import pathlib
from typing import NamedTuple

from absl import flags

from tfgan_stab.cli.flags.settings import Settings, check_choices, flag, path

__all__ = ["GAMES", "LOOKAHEAD", "SCHEMES", "GameSettings", "Numbers"]


class Numbers(NamedTuple):
    """The numbers that a game is played with.

    Attributes:
        step_sizes: The generator's and the discriminator's.
        steps: Steps that each scheme plays.
        sync_period: Lookahead's period in steps.
        slow_step_size: Lookahead's slow step size.
    """

    step_sizes: tuple[float, float]
    steps: int
    sync_period: int = 6
    slow_step_size: float = 0.5


# Games, and numbers that show something on each.
GAMES = {
    "bilinear": Numbers((0.3, 0.3), 100),
    "damped_rotation": Numbers((0.3, 0.3), 100),
    "dirac_gan": Numbers((0.3, 0.3), 200),
    "full_batch_problem": Numbers((0.3, 0.3), 400),
    "random_linear": Numbers((0.2, 0.2), 200),
    "saddle": Numbers((1e-4, 1e-2), 1000),
    # The authors' own settings for minibatches of 64.
    "stochastic_problem": Numbers((0.005, 0.005), 5000, sync_period=450, slow_step_size=0.3),
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
_LARGEST = 1e6


@dataclasses.dataclass(frozen=True)
class GameSettings(Settings):
    """Which game to play, with which schemes.

    Example:
        >>> GameSettings.parse(["play_game.py", "--game=saddle"]).numbers.step_sizes
        (0.0001, 0.01)
    """

    usage = """\
Plays update schemes on a game with a known answer, prints how they do and draws them.

  {program} --game=bilinear --schemes=euler,extragradient,rk4,lookahead
"""
    example = "--schemes=euler,rk4 (without blanks)"

    game: str = flag(flags.DEFINE_string, "bilinear", f"One of {', '.join(GAMES)}.")
    schemes: tuple[str, ...] = flag(
        flags.DEFINE_list,
        ("euler", "extragradient", "rk4", LOOKAHEAD),
        f"Schemes to compare: {', '.join(SCHEMES)}; {LOOKAHEAD} (around simultaneous), or "
        f"{LOOKAHEAD}-extragradient and so on.",
    )
    step_size: float | None = flag(
        flags.DEFINE_float,
        None,
        "Both players' step size. Without it, one that suits the game.",
        lower_bound=0.0,
        upper_bound=_LARGEST,
    )
    discriminator_step_size: float | None = flag(
        flags.DEFINE_float,
        None,
        "The discriminator's step size, where it differs.",
        lower_bound=0.0,
        upper_bound=_LARGEST,
    )
    steps: int | None = flag(
        flags.DEFINE_integer,
        None,
        "Steps that each scheme plays. Without it, as many as suit the game.",
        lower_bound=1,
    )
    sync_period: int | None = flag(
        flags.DEFINE_integer,
        None,
        "Lookahead's period in steps. Without it, one that suits the game.",
        lower_bound=1,
    )
    slow_step_size: float | None = flag(
        flags.DEFINE_float,
        None,
        "How far lookahead's slow weights go, in (0, 1]. Without it, what suits the game.",
    )
    seed: int = flag(
        flags.DEFINE_integer,
        0,
        "What random games and their noise are drawn from.",
        lower_bound=0,
        upper_bound=2**32 - 1,
    )
    output: pathlib.Path = flag(
        flags.DEFINE_string,
        pathlib.Path("runs/games"),
        "A folder for the picture, or a file whose name ends in .png.",
        convert=path,
        missing="it says where to draw. Try --output=runs/games.",
    )
    animate: bool = flag(flags.DEFINE_bool, False, "Write a GIF beside the picture.")

    def check(self) -> None:
        """Also checks that games and schemes exist, and the range of numbers."""
        super().check()
        check_choices("game", [self.game], GAMES)
        names = [*SCHEMES, LOOKAHEAD, *(f"{LOOKAHEAD}-{name}" for name in SCHEMES)]
        check_choices("schemes", self.schemes, names)
        for name in ("step_size", "discriminator_step_size"):
            if math.isnan(getattr(self, name) or 0.0):
                raise flags.Error(f"--{name}=nan: must be a number >= 0. Try 0.1.")
        self._check_lookahead()
        if self.output.suffix not in ("", ".png"):
            raise flags.Error(
                f"--output={self.output}: must be a folder or end in .png; --animate puts a .gif "
                f"beside it. Try --output={self.output.with_suffix('.png')}."
            )

    @property
    def numbers(self) -> Numbers:
        """What the flags say, and what suits the game where they say nothing."""
        suited = GAMES[self.game]
        generator, discriminator = (
            suited.step_sizes if self.step_size is None else (self.step_size, self.step_size)
        )
        if self.discriminator_step_size is not None:
            discriminator = self.discriminator_step_size
        given = {name: getattr(self, name) for name in ("steps", "sync_period", "slow_step_size")}
        given = {name: value for name, value in given.items() if value is not None}
        return suited._replace(step_sizes=(generator, discriminator), **given)

    @property
    def picture(self) -> pathlib.Path:
        """The PNG file to write."""
        return self.output if self.output.suffix else self.output / f"{self.game}.png"

    def _check_lookahead(self) -> None:
        if self.slow_step_size is not None and not 0.0 < self.slow_step_size <= 1.0:
            raise flags.Error(
                f"--slow_step_size={self.slow_step_size}: must be in (0, 1], the share of the way "
                "that the slow weights go. Try 0.5."
            )
        if not any(name.startswith(LOOKAHEAD) for name in self.schemes):
            for name in ("sync_period", "slow_step_size"):
                if name in self.given:
                    raise flags.Error(
                        f"--{name} has no effect: none of --schemes={','.join(self.schemes)} is "
                        f"{LOOKAHEAD}. Add it, or leave the flag out."
                    )
