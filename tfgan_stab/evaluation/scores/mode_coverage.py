"""How well generated points show the modes of a mixture of Gaussians."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils.model_hash import content_hash
from tfgan_stab.evaluation.accumulators import Batch
from tfgan_stab.evaluation.metrics.mixtures import MixtureCounts
from tfgan_stab.evaluation.score import Score


class ModeCoverage(Score):
    """Modes found, share of points near a mode, and how unevenly modes are shown.

    Its numbers are "modes" and "high_quality", larger for better generators, and "reverse_kl",
    0 for the best.

    Args:
        real: The points, `tgs.data.mixture(...)`: they know their modes. `None` where `centers` and
            `std` are given; there is no baseline then.
        samples: How many generated points a score takes, an integer >= 2.
        seed: Draws the latents.
        centers: Means of the modes, float `[modes, size]`, if `real` does not know.
        std: Standard deviation of a mode along each axis, a number > 0, if `real` does not know.
        reach: How many standard deviations from its mode a point may be to be of high quality, a
            number > 0.
        least_share: Share of all points that must be near a mode to find it, in [0, 1].

    Raises:
        ValueError: If a number is no integer or out of range, or nothing says where the modes are.

    Example:
        >>> import tfgan_stab as tgs
        >>> data = tgs.data.mixture(modes=16)
        >>> found, quality, unevenness = ModeCoverage(data, samples=500).baseline()
        >>> found.name, found.value, quality.value > 0.99
        ('modes', 16.0, True)

    Reference:
        Sinha et al., "Top-k Training of GANs", 2020, section 4.1: within 4 standard deviations; see
        `tgs.evaluation.mixture_quality`.
    """

    name = "mode_coverage"
    compares = False
    larger_is_better = ("modes", "high_quality")

    def __init__(
        self,
        real: Any = None,
        samples: int = 2500,
        seed: int = 0,
        centers: ArrayLike | None = None,
        std: float | None = None,
        reach: float = 4.0,
        least_share: float = 0.0,
    ) -> None:
        super().__init__(real, samples, seed)
        centers = getattr(real, "modes", None) if centers is None else centers
        std = getattr(real, "std", None) if std is None else std
        if centers is None or std is None:
            raise ValueError(
                "ModeCoverage needs to know where the modes are. Received: neither data of "
                "tgs.data.mixture(...) nor `centers` and `std`. Give one of them."
            )
        self._centers, self._std = np.asarray(centers), std
        self._reach, self._least_share = reach, least_share
        # Whatever is wrong with the settings is said now.
        MixtureCounts.of(self._centers, self._centers, self._std, reach).quality(least_share)

    def keep(self, batch: Batch) -> MixtureCounts:
        """Returns how many points are near which mode."""
        return MixtureCounts.of(batch.images, self._centers, self._std, self._reach)

    def compute(self, real: Any, fake: MixtureCounts) -> dict[str, float]:
        """Returns all three."""
        return fake.quality(self._least_share)._asdict()

    @property
    def number_names(self) -> list[str]:
        """The names of the three."""
        return ["modes", "high_quality", "reverse_kl"]

    @property
    def settings(self) -> list[str]:
        """The mixture with a hash of its modes, and what counts as near and as found."""
        share = [f"least-share={self._least_share:g}"] if self._least_share else []
        where = content_hash([self._centers.astype(np.float64)])[:8]
        return [
            f"{len(self._centers)}-modes@{where}",
            f"std={self._std:g}",
            f"reach={self._reach:g}",
            *share,
        ]
