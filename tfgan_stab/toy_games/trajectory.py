"""The points that both players visited, and how fast they contracted to the solution."""

import dataclasses

import numpy as np

from tfgan_stab.game.players import Players
from tfgan_stab.updates.lookahead import Lookahead
from tfgan_stab.updates.scheme import Scheme

# A linear law is accepted if its relative error on the points is at most this.
_TOLERANCE = 1e-2
# Displacements below this many rounding errors of the solution's own numbers are noise.
_ROUNDINGS = 1e6 * np.finfo(np.float64).eps
_LARGEST, _SMALLEST = 1e140, 1e-140  # Beyond these, squares overflow or vanish.


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of a game with a known answer.

    Attributes:
        points: The players at the start and after each step: NumPy arrays `[steps + 1, ..., n]`,
            the game's leading axes in between.
        solution: The game's equilibrium.
        evaluations: Field evaluations of all steps together.
        cycle: After how many steps the scheme repeats itself: 1, or lookahead's period.

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
        """Number of steps played."""
        return len(self.points.generator) - 1

    @property
    def distances(self) -> np.ndarray:
        """Distance of both together, `sqrt(|x - x*|^2 + |y - y*|^2)`: `[steps + 1, ...]`."""
        return np.hypot(*self._own_distances())

    @property
    def summed_distances(self) -> np.ndarray:
        """Sum of the players' distances, `|x - x*| + |y - y*|`, as lookahead-minmax plots it."""
        generator, discriminator = self._own_distances()
        return generator + discriminator

    @property
    def factor(self) -> float:
        """What a step multiplies the distance by, late in the run: below 1 if it converges.

        Where the run follows a linear law, this is the modulus of the law's largest eigenvalue to
        about ten digits, without the distance's oscillation; otherwise the trend of the distance
        over the second half. NaN if there are too few steps, or all points are the solution.
        """
        displacements = [
            (own - there).reshape(len(own), -1)
            for own, there in zip(self.points, self.solution, strict=True)
        ]
        magnitude = max(float(np.abs(there).max()) for there in self.solution)
        return measured_factor(np.concatenate(displacements, axis=1), self.cycle, magnitude)

    def _own_distances(self) -> list[np.ndarray]:
        return [
            np.linalg.norm(own - there, axis=-1)
            for own, there in zip(self.points, self.solution, strict=True)
        ]


def cycle_of(scheme: Scheme) -> int:
    """Returns after how many steps a scheme repeats itself.

    Example:
        >>> import tfgan_stab as tgs
        >>> cycle_of(tgs.Lookahead(tgs.Alternating(), sync_period=5, super_slow_period=20))
        20
    """
    if isinstance(scheme, Lookahead):
        return scheme.super_slow_period or scheme.sync_period
    return scheme.synchronization_period or 1


def measured_factor(displacements: np.ndarray, cycle: int = 1, magnitude: float = 0.0) -> float:
    """Returns what one step multiplies the distance to the solution by.

    Points are taken once per cycle, from the second half of those that neither overflow nor vanish
    in rounding. If each three in a row obey `z_{t+2} = p z_{t+1} + q z_t`, as they do on a linear
    game once the slowest pair of eigenvalues has outlived the others, the factor is the modulus of
    the larger root of `r^2 = p r + q` (Prony's method); a ratio of distances would oscillate
    with a turning ellipse. If no such law fits to 1 %, it is the trend of the distance's logarithm.

    Args:
        displacements: `[steps + 1, numbers]`, from the solution.
        cycle: After how many steps the scheme repeats itself.
        magnitude: Largest number of the solution, which decides what is lost in rounding.

    Returns:
        The factor, or NaN with fewer than four usable points.

    Example:
        >>> turned = 0.9 ** np.arange(40) * np.exp(0.3j * np.arange(40))
        >>> round(measured_factor(np.stack([turned.real, 2 * turned.imag], axis=1)), 12)
        0.9
    """
    points = displacements[::cycle]
    sizes = np.abs(points).max(axis=1)
    usable = (sizes < _LARGEST) & (sizes > max(_SMALLEST, _ROUNDINGS * magnitude))
    # After the first unusable point all are: they overflowed, or vanished in rounding.
    end = len(points) if usable.all() else int(np.argmin(usable))
    late = points[end // 2 : end]
    if len(late) < 4:
        return float("nan")
    scales = np.linalg.norm(late, axis=1)
    root, misfit = _prony(late, scales)
    if misfit > _TOLERANCE:
        root = float(np.exp(np.polyfit(np.arange(len(scales)), np.log(scales), deg=1)[0]))
    return float(root ** (1.0 / cycle))


def _prony(points: np.ndarray, scales: np.ndarray) -> tuple[float, float]:
    """Returns the larger root's modulus for the fitted law, and the law's relative error."""
    # Each equation is divided by its own size, or only the largest points would count.
    weighted = [points[i : len(points) - 2 + i] / scales[:-2, None] for i in range(3)]
    first, second, third = (each.reshape(-1) for each in weighted)
    law, *_ = np.linalg.lstsq(np.stack([second, first], axis=1), third, rcond=1e-12)
    misfit = np.linalg.norm(law[0] * second + law[1] * first - third) / np.linalg.norm(third)
    return float(np.abs(np.roots([1.0, -law[0], -law[1]])).max()), float(misfit)
