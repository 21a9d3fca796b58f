"""Where the players of a game have been, and how fast they came nearer."""

import dataclasses
from typing import Any

import numpy as np

from tfgan_stab.game.players import Players
from tfgan_stab.games.contraction import measured_factor


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of a game with a known answer.

    Attributes:
        points: Where the players were at the start and after each round: NumPy arrays
            `[rounds + 1, ..., n]`, the game's leading axes in between.
        solution: The game's equilibrium.
        evaluations: Evaluations of the field in all rounds, counted.
        cycle: Rounds after which the scheme does the same again: 1, or lookahead's period.

    Example:
        >>> import tfgan_stab as tgs
        >>> run = tgs.games.play(tgs.games.Bilinear(), tgs.Alternating(), 0.3, rounds=10)
        >>> run.points.generator.shape, run.evaluations, len(run.distances)
        ((11, 1), 20, 11)
    """

    points: Players
    solution: Players
    evaluations: int
    cycle: int = 1

    @property
    def rounds(self) -> int:
        """How many rounds were played."""
        return len(self.points.generator) - 1

    @property
    def distances(self) -> np.ndarray:
        """Distance of both together, `sqrt(|x - x*|^2 + |y - y*|^2)`: `[rounds + 1, ...]`."""
        return np.hypot(*self._own_distances())

    @property
    def summed_distances(self) -> np.ndarray:
        """The players' distances added, `|x - x*| + |y - y*|`: lookahead-minmax's measure."""
        generator, discriminator = self._own_distances()
        return generator + discriminator

    @property
    def factor(self) -> float:
        """How much a round multiplies the distance by, late in the run: < 1 if it converges.

        Where the run follows a linear law, this is the law's largest eigenvalue to about ten
        digits, the distance's own ups and downs removed; otherwise the trend of the distance over
        the second half. NaN if there are too few rounds to tell, or all are at the solution.
        """
        displacements = [
            (own - there).reshape(len(own), -1)
            for own, there in zip(self.points, self.solution, strict=True)
        ]
        rounding = max(float(np.abs(there).max()) for there in self.solution)
        return measured_factor(np.concatenate(displacements, axis=1), self.cycle, rounding)

    def _own_distances(self) -> list[np.ndarray]:
        return [
            np.linalg.norm(own - there, axis=-1)
            for own, there in zip(self.points, self.solution, strict=True)
        ]


def cycle_of(scheme: Any) -> int:
    """Returns after how many rounds a scheme does the same again.

    Example:
        >>> import tfgan_stab as tgs
        >>> cycle_of(tgs.Lookahead(tgs.Alternating(), sync_period=5, super_slow_period=20))
        20
    """
    longest: int | None = getattr(scheme, "super_slow_period", None)
    return getattr(scheme, "sync_period", 1) if longest is None else longest
