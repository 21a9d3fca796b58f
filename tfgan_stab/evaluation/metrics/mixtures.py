"""Points of a mixture of Gaussians: which modes they show, how well, and how evenly."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.metrics.inputs import blocks, checked_features

_ROWS = 4096  # Points whose distances to all modes are held at a time.


class MixtureQuality(NamedTuple):
    """How well points show a mixture.

    Attributes:
        modes: Number of modes that are recovered.
        high_quality: Share of points that are near a mode, in [0, 1].
        reverse_kl: KL(points' distribution over modes || uniform) in nats, in [0, ln(modes)];
            infinite if no point is finite.
    """

    modes: int
    high_quality: float
    reverse_kl: float


@dataclasses.dataclass(frozen=True, eq=False)
class MixtureCounts:
    """How many points belong to each mode, and how many of them are near; merges by adding.

    Args:
        points: Number of points, whatever they are.
        nearest: Finite points by the mode they are nearest to, int64 `[modes]`.
        near: Of those, the points within reach of their mode, int64 `[modes]`.

    Example:
        >>> centers = [[0.0, 0.0], [1.0, 0.0]]
        >>> first = MixtureCounts.of([[0.0, 0.1]], centers, std=0.05)
        >>> (first + MixtureCounts.of([[0.6, 0.0]], centers, std=0.05)).quality()
        MixtureQuality(modes=1, high_quality=0.5, reverse_kl=0.0)
    """

    points: int
    nearest: np.ndarray
    near: np.ndarray

    @classmethod
    def of(
        cls, points: ArrayLike, centers: ArrayLike, std: float, reach: float = 4.0
    ) -> "MixtureCounts":
        """Returns the counts of points; arguments as for `mixture_quality`."""
        array, modes = _checked_points(points), checked_features(centers, "Centers")
        if array.shape[1] != modes.shape[1]:
            raise ValueError(
                "Points and centers must lie in one space. "
                f"Received: {array.shape[1]} and {modes.shape[1]} coordinates."
            )
        radius = validation.number("std", std, above=0.0) * validation.number(
            "reach", reach, above=0.0
        )
        nearest, near = np.zeros((2, len(modes)), np.int64)
        for rows in blocks(len(array), _ROWS):
            some = array[rows].astype(np.float64)
            distances = _distances(some, modes)
            distances = distances[np.isfinite(distances).all(axis=1)]
            own = distances.argmin(axis=1)
            nearest += np.bincount(own, minlength=len(modes))
            near += np.bincount(own[distances.min(axis=1) <= radius], minlength=len(modes))
        return cls(len(array), nearest, near)

    def merge(self, other: "MixtureCounts") -> "MixtureCounts":
        """Returns the counts of both sets of points together.

        Raises:
            ValueError: If the numbers of modes differ.
        """
        if self.near.shape != other.near.shape:
            raise ValueError(
                "Counts merge only when taken with the same mixture. "
                f"Received: {self.near.size} and {other.near.size} modes."
            )
        return MixtureCounts(
            self.points + other.points, self.nearest + other.nearest, self.near + other.near
        )

    __add__ = merge

    def quality(self, least_share: float = 0.0) -> MixtureQuality:
        """Returns what the counts say; `least_share` as for `mixture_quality`.

        Raises:
            ValueError: If `least_share` is not in [0, 1].
        """
        validation.number("least_share", least_share, least=0.0, most=1.0)
        recovered = (self.near > 0) & (self.near / self.points >= least_share)
        return MixtureQuality(
            modes=int(recovered.sum()),
            high_quality=float(self.near.sum() / self.points),
            reverse_kl=self._reverse_kl(),
        )

    def _reverse_kl(self) -> float:
        total = int(self.nearest.sum())
        if not total:
            return math.inf
        shares = self.nearest[self.nearest > 0] / total
        # Rounding may leave a tiny negative number where all modes are equally frequent.
        return max(float(np.sum(shares * np.log(shares * self.nearest.size))), 0.0)


def mixture_quality(
    points: ArrayLike,
    centers: ArrayLike,
    std: float,
    reach: float = 4.0,
    least_share: float = 0.0,
) -> MixtureQuality:
    """How many modes of a mixture points show, how many points are near one, and how evenly.

    A point is near (of high quality) if it is within `reach * std` of the nearest mode. A mode is
    recovered if at least one near point is its own. With p the shares of modes in all finite
    points, near or not, each counted for the mode it is nearest to::

        reverse_kl = KL(p || uniform) = sum p ln(p * modes)

    Args:
        points: Generated points, real numbers `[samples, size]`. Those with NaN, infinity or beyond
            1e150, as from a training that diverged, count as far from every mode and as nearest to
            none.
        centers: Means of the modes, finite real numbers `[modes, size]`.
        std: Standard deviation of a mode along each axis, > 0.
        reach: How many of them are near, > 0.
        least_share: Share of all points that must be near a mode to recover it, in [0, 1].

    Returns:
        Modes recovered, the share of near points, and the divergence in nats.

    Raises:
        ValueError: If a shape is wrong, a center is not finite, or a number is out of range.
        TypeError: If values are not real numbers.

    Example:
        >>> points, centers = [[0.1], [0.9], [1.0], [3.0]], [[0.0], [1.0], [2.0]]
        >>> quality = mixture_quality(points, centers, std=0.05)
        >>> quality.modes, quality.high_quality, round(quality.reverse_kl, 4)
        (2, 0.75, 0.0589)

    Reference:
        Sinha et al., "Top-k Training of GANs", 2020, arXiv 2002.06224 version 1, sections 4.1 and
        4.2 (near points, recovered modes); Lin et al., "PacGAN", 2018 (reverse KL; from memory).
        Departures: none.
    """
    return MixtureCounts.of(points, centers, std, reach).quality(least_share)


def _checked_points(points: ArrayLike) -> np.ndarray:
    array = np.asarray(points)
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        raise TypeError(f"Points must be real numbers. Received: dtype {array.dtype}.")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            "Points must have shape [samples, size], neither of them 0. "
            f"Received: shape {list(array.shape)}."
        )
    return array


def _distances(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Returns distances `[points, modes]`, not finite where a point is not or squares overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.linalg.norm(points[:, None] - centers[None], axis=-1)
