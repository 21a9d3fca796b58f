"""Where the players of a game have been, and how fast they came nearer."""

import dataclasses
from typing import Any

import numpy as np

from tfgan_stab.game.players import Players


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of a game with a known answer.

    Attributes:
        points: Where the players were at the start and after each step: NumPy arrays
            `[steps + 1, ..., n]`, the game's leading axes in between.
        solution: The game's equilibrium.
        evaluations: Evaluations of the field in all steps, counted.
        cycle: Steps after which the scheme does the same again: 1, or lookahead's period.

    Example:
        >>> import tfgan_stab as tgs
        >>> run = tgs.games.play(tgs.games.Bilinear(), tgs.Alternating(), 0.3, steps=10)
        >>> run.points.generator.shape, run.evaluations, len(run.distances)
        ((11, 1), 20, 11)
    """

    points: Players
    solution: Players
    evaluations: int
    cycle: int = 1

    @property
    def steps(self) -> int:
        """How many steps were played."""
        return len(self.points.generator) - 1

    @property
    def distances(self) -> np.ndarray:
        """Distance of both together, `sqrt(|x - x*|^2 + |y - y*|^2)`: `[steps + 1, ...]`."""
        return np.hypot(*self._own_distances())

    @property
    def summed_distances(self) -> np.ndarray:
        """The players' distances added, `|x - x*| + |y - y*|`: lookahead-minmax's measure."""
        generator, discriminator = self._own_distances()
        return generator + discriminator

    @property
    def factor(self) -> float:
        """How much a step multiplies the distance by, late in the run: < 1 if it converges.

        Where the run follows a linear law, this is the law's largest eigenvalue to about ten
        digits, the distance's own ups and downs removed; otherwise the trend of the distance over
        the second half. NaN if there are too few steps to tell, or all are at the solution.
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
    """Returns after how many steps a scheme does the same again.

    Example:
        >>> import tfgan_stab as tgs
        >>> cycle_of(tgs.Lookahead(tgs.Alternating(), sync_period=5, super_slow_period=20))
        20
    """
    longest: int | None = getattr(scheme, "super_slow_period", None)
    return getattr(scheme, "sync_period", 1) if longest is None else longest


# DOC: """Measures how fast a sequence of points contracts."""
#
# A law is believed if it predicts the points to this part of themselves.
_FITS = 1e-2
# Displacements below this many roundings of the solution's own numbers are noise.
_ROUNDINGS = 1e6 * np.finfo(np.float64).eps
_LARGEST, _SMALLEST = 1e140, 1e-140  # Their squares are numbers still.


def measured_factor(displacements: np.ndarray, cycle: int = 1, magnitude: float = 0.0) -> float:
    """Returns how much one step multiplies the distance to the solution by.

    Points are taken once per cycle, from the second half of those that mean something. If three in
    a row obey `z_{t+2} = p z_{t+1} + q z_t`, as they do on a linear game once the slowest pair of
    eigenvalues has outlived the others, the answer is the modulus of the larger root of
    `r^2 = p r + q` (Prony's method); a mere ratio of distances would follow the ups and downs of
    a turning ellipse. If no such law fits to 1 %, it is the slope of the logarithm of the distance.

    Args:
        displacements: `[steps + 1, numbers]`, from the solution.
        cycle: Steps after which the same is done again.
        magnitude: Largest number of the solution, which decides what is lost in rounding.

    Returns:
        The factor, or NaN with fewer than four points of use.

    Example:
        >>> turned = 0.9 ** np.arange(40) * np.exp(0.3j * np.arange(40))
        >>> round(measured_factor(np.stack([turned.real, 2 * turned.imag], axis=1)), 12)
        0.9
    """
    points = displacements[::cycle]
    sizes = np.abs(points).max(axis=1)
    useful = (sizes < _LARGEST) & (sizes > max(_SMALLEST, _ROUNDINGS * magnitude))
    # What comes after the first useless point is useless: lost in rounding, or overflown.
    end = len(points) if useful.all() else int(np.argmin(useful))
    late = points[end // 2 : end]
    if len(late) < 4:
        return float("nan")
    scales = np.linalg.norm(late, axis=1)
    root, misfit = _prony(late, scales)
    if misfit > _FITS:
        root = float(np.exp(np.polyfit(np.arange(len(scales)), np.log(scales), deg=1)[0]))
    return float(root ** (1.0 / cycle))


def _prony(points: np.ndarray, scales: np.ndarray) -> tuple[float, float]:
    """Returns the larger root of the fitted law, and how badly it fits, relative to the points."""
    # Each equation is divided by its own size: else only the largest points would count.
    weighted = [points[i : len(points) - 2 + i] / scales[:-2, None] for i in range(3)]
    first, second, third = (each.reshape(-1) for each in weighted)
    law, *_ = np.linalg.lstsq(np.stack([second, first], axis=1), third, rcond=1e-12)
    misfit = np.linalg.norm(law[0] * second + law[1] * first - third) / np.linalg.norm(third)
    return float(np.abs(np.roots([1.0, -law[0], -law[1]])).max()), float(misfit)
