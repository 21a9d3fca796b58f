"""Scores that look at pixels: the sliced Wasserstein distance, and likeness among images."""

from typing import Any

import numpy as np

from tfgan_stab.evaluation.accumulators import Batch, KeptArrays
from tfgan_stab.evaluation.extractors.base import checked_images
from tfgan_stab.evaluation.measures import Number
from tfgan_stab.evaluation.metrics.image_sliced_wasserstein import sliced_wasserstein_of_images
from tfgan_stab.evaluation.metrics.inputs import checked_count
from tfgan_stab.evaluation.metrics.ms_ssim import ms_ssim
from tfgan_stab.evaluation.score import Score


class SlicedWasserstein(Score):
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
        TypeError: If a number is not an integer.
        ValueError: If a number is out of range, or the data set is endless.

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
            "resolution_min": checked_count("resolution_min", resolution_min),
            "patches_per_image": checked_count("patches_per_image", patches_per_image),
            "patch_size": checked_count("patch_size", patch_size, 3),
            "projections": checked_count("projections", projections),
        }
        if patch_size % 2 == 0:
            raise ValueError(
                f"`patch_size` must be odd, at least 3. Received: {patch_size}. Use 7, as the "
                "paper does."
            )
        super().__init__(real, samples, seed, None, samples, quantize)

    def gatherer(self) -> KeptArrays:
        """Returns a keeper of all images."""
        return kept_images()

    def numbers(self, real: np.ndarray, fake: np.ndarray) -> list[Number]:
        """Returns the mean, followed by the distance at each level."""
        levels = sliced_wasserstein_of_images(real, fake, seed=self.seed % 2**32, **self._options)
        pairs = zip(levels.resolutions, levels.distances, strict=True)
        at_levels = [Number(f"{self.name}_{side}", distance) for side, distance in pairs]
        return [Number(self.name, levels.mean), *at_levels]

    @property
    def settings(self) -> list[str]:
        """What decides levels, patches and directions."""
        resolution, patches, size, projections = self._options.values()
        return [f"pyramid-to-{resolution}", f"{patches}x{size}px", f"projections={projections}"]


class MSSSIM(Score):
    """How alike generated images are to each other; lower is more various, 1 is all the same.

    Meant for the images of one class: `tgs.PerClass` makes it so. What the real images have is its
    floor; more is a sign of collapse, and less can come from mere noise.

    Args:
        real: The real images, for `floor()`; as in `tgs.FID`.
        samples: How many generated images a score takes, an integer >= 2. They make half as many
            pairs; of an odd number one is left over.
        seed: Draws the latents, and which images are pairs.
        quantize: As in `tgs.FID`.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is out of range, or the data set is endless.

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
        self._scales = ""

    def gatherer(self) -> KeptArrays:
        """Returns a keeper of all images."""
        return kept_images()

    def numbers(self, real: Any, fake: np.ndarray) -> list[Number]:
        """Returns the mean likeness of pairs, with its standard error."""
        value, scales = ms_ssim(fake, seed=self.seed % 2**32)
        self._scales = f"{scales.levels}-levels/{scales.filter_size}px"
        error = value.standard_error
        return [Number(self.name, value, standard_error=None if np.isnan(error) else error)]

    @property
    def settings(self) -> list[str]:
        """The scales, once images were seen."""
        return self._scales.split("/") if self._scales else []


def kept_images() -> KeptArrays:
    """Returns a keeper of all images, checked."""
    return KeptArrays(_pictures)


def _pictures(batch: Batch) -> np.ndarray:
    images = checked_images(batch.images)
    if images.ndim != 4:
        raise ValueError(
            "This score looks at pictures [batch, height, width, channels]. Received: shape "
            f"{list(images.shape)}. Use tgs.ModeCoverage for points."
        )
    return images
