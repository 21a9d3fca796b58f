"""Scores that look at pixels: the sliced Wasserstein distance, and likeness among images."""

from typing import Any

import numpy as np

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.accumulators import Batch
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.ms_ssim import ms_ssim
from tfgan_stab.evaluation.metrics.sliced_wasserstein import sliced_wasserstein_of_images
from tfgan_stab.evaluation.score import Score


class _PictureScore(Score):
    """A score that looks at the pixels of pictures; keeps all of them."""

    def keep(self, batch: Batch) -> np.ndarray:
        """Returns the pictures, checked."""
        images = super().keep(batch)
        if images.ndim != 4:
            raise ValueError(
                "This score looks at pictures [batch, height, width, channels]. Received: shape "
                f"{list(images.shape)}. Use tgs.ModeCoverage for points."
            )
        return images


class SlicedWasserstein(_PictureScore):
    """Sliced Wasserstein distance of patches, for each scale of details; needs no classifier.

    Its numbers are "swd_32", say, for the level of 32 pixels, and "swd" for the mean of all levels.
    All images are kept.

    Args:
        real: As in `tgs.FID`.
        samples: How many generated images a score takes, and how many real ones at most, an integer
            >= 2; the paper takes 8,192.
        seed: Draws latents, patches and directions.
        quantize: As in `tgs.FID`.
        resolution_min: About the shorter side of the coarsest level in pixels, an integer >= 1.
        patches_per_image: Patches of each image and level, an integer >= 1.
        patch_size: Side of a patch in pixels, an odd integer >= 3.
        projections: Number of random directions, an integer >= 1.

    Raises:
        ValueError: If a number is no integer or out of range, or the data set is endless.

    Example:
        >>> real = np.random.RandomState(0).uniform(-1, 1, [60, 32, 32, 1]).astype("float32")
        >>> score = SlicedWasserstein(real, samples=20, patches_per_image=4)
        >>> [result.name for result in score([real])]
        ['swd', 'swd_32', 'swd_16']

    Reference:
        Karras et al., "Progressive Growing of GANs", 2018, section 5; see
        `tgs.evaluation.sliced_wasserstein_of_images`.
    """

    name = "swd"

    def __init__(
        self,
        real: Any,
        samples: int = 8192,
        seed: int = 0,
        quantize: bool = False,
        resolution_min: int = 16,
        patches_per_image: int = 64,
        patch_size: int = 7,
        projections: int = 147,
    ) -> None:
        self._options = {
            "resolution_min": validation.integer("resolution_min", resolution_min),
            "patches_per_image": validation.integer("patches_per_image", patches_per_image),
            "patch_size": validation.integer("patch_size", patch_size, least=3),
            "projections": validation.integer("projections", projections),
        }
        if patch_size % 2 == 0:
            raise ValueError(
                f"`patch_size` must be odd, at least 3. Received: {patch_size}. Use 7, as the "
                "paper does."
            )
        super().__init__(real, samples, seed, None, samples, quantize)

    def compute(self, real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
        """Returns the mean, followed by the distance at each level."""
        levels = sliced_wasserstein_of_images(real, fake, seed=self.seed % 2**32, **self._options)
        pairs = zip(levels.resolutions, levels.distances, strict=True)
        at_levels = {f"{self.name}_{side}": distance for side, distance in pairs}
        return {self.name: levels.mean, **at_levels}

    @property
    def settings(self) -> list[str]:
        """What decides levels, patches and directions."""
        resolution, patches, size, projections = self._options.values()
        return [f"pyramid-to-{resolution}", f"{patches}x{size}px", f"projections={projections}"]


class MSSSIM(_PictureScore):
    """How alike generated images are to each other; lower is more various, 1 is all the same.

    Meant for the images of one class: `tgs.PerClass` makes it so. What the real images have is its
    baseline; more is a sign of collapse, and less can come from mere noise.

    Args:
        real: The real images, for `baseline()`; as in `tgs.FID`.
        samples: How many generated images a score takes, an integer >= 2. They make half as many
            pairs; of an odd number one is left over.
        seed: Draws the latents, and which images are pairs.
        quantize: As in `tgs.FID`.

    Raises:
        ValueError: If a number is no integer or out of range, or the data set is endless.

    Example:
        >>> images = np.random.RandomState(0).uniform(-1, 1, [20, 16, 16, 1]).astype("float32")
        >>> result = MSSSIM(samples=20)([images])
        >>> result.name, result.value < 0.5
        ('ms_ssim', True)

    Reference:
        Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017,
        section 4.2 (from memory); see `tgs.evaluation.ms_ssim`.
    """

    name = "ms_ssim"
    compares = False

    def __init__(
        self, real: Any = None, samples: int = 1000, seed: int = 0, quantize: bool = False
    ) -> None:
        super().__init__(real, samples, seed, None, None, quantize)
        self._scales: list[str] = []

    def compute(self, real: Any, fake: np.ndarray) -> Estimate:
        """Returns the mean likeness of pairs, with its standard error."""
        likeness, scales = ms_ssim(fake, seed=self.seed % 2**32)
        self._scales = [f"{scales.levels}-levels", f"{scales.filter_size}px"]
        return likeness

    @property
    def settings(self) -> list[str]:
        """The scales, once images were seen."""
        return self._scales
