"""The sliced Wasserstein distance of images, one for each scale of their details."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.extractors.base import checked_images
from tfgan_stab.evaluation.metrics import laplacian_pyramids
from tfgan_stab.evaluation.metrics.inputs import blocks, checked_count
from tfgan_stab.evaluation.metrics.sliced_wasserstein import distance_along, unit_directions

_VALUES = 2**20  # Numbers in the images whose pyramid is taken at a time.


class PyramidDistances(NamedTuple):
    """Distances of image patches, one for each level of a Laplacian pyramid, finest first.

    Attributes:
        resolutions: Length of the images' shorter side at each level, in pixels.
        distances: The sliced Wasserstein distance at each level, >= 0.
    """

    resolutions: tuple[int, ...]
    distances: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over levels, which is what papers rank by."""
        return math.fsum(self.distances) / len(self.distances)


def sliced_wasserstein_of_images(
    real: ArrayLike,
    fake: ArrayLike,
    resolution_min: int = 16,
    patches_per_image: int = 64,
    patch_size: int = 7,
    projections: int = 147,
    seed: int = 0,
) -> PyramidDistances:
    """How far generated images are from real ones, separately for fine and coarse details.

    Random patches of each level of a Laplacian pyramid, each brought to mean 0 and variance 1, are
    compared by `sliced_wasserstein`. High values at fine levels mean wrong textures, at the
    coarsest wrong shapes.

    Args:
        real: Real images, floats `[samples, height, width, channels]` in [-1, 1], any number of
            channels.
        fake: Generated images of the same size; the number may differ.
        resolution_min: About the shorter side of the coarsest level, an integer >= 1; there are
            `floor(log2(side)) - floor(log2(min(resolution_min, side))) + 1` levels.
        patches_per_image: Patches of each image and level, an integer >= 1.
        patch_size: Side of a patch in pixels, an odd integer >= 3, at most the side of the coarsest
            level.
        projections: Number of random directions, an integer >= 1.
        seed: Of patches and directions, an integer in [0, 2^32). One seed gives one number.

    Returns:
        Resolutions and distances by level, and their `.mean`. Distances are in standard deviations
        of a patch, and depend on the number of images: compare equal numbers (8,192 in the paper).

    Raises:
        ValueError: If images are no such floats or differ in size, or a patch does not fit.
        TypeError: If the images are not floats, or a number is no integer.

    Example:
        >>> images = np.random.RandomState(0).uniform(-1, 1, (8, 32, 32, 1))
        >>> sliced_wasserstein_of_images(images, images[::-1] / 2).resolutions
        (32, 16)

    Reference:
        Karras et al., "Progressive Growing of GANs", 2018, section 5; TF-GAN's
        `sliced_wasserstein_distance`, whose second numbers these are for the same patches and
        directions. Departures: any number of channels and any size; constant patches, which have
        no variance and are NaN there, are 0; the floor (its first numbers) is left to a call with
        two halves of the real images; no SVD variant. As there, a patch is normalized alone, where
        the paper normalizes channels over all patches (from memory).
    """
    real, fake = _checked_images(real, fake)
    patches, size = checked_count("patches_per_image", patches_per_image), patch_size
    side = min(real.shape[1:3])
    levels = _levels(side, checked_count("resolution_min", resolution_min))
    resolutions = tuple(-(-side // 2**number) for number in range(levels))
    _check_patch(size, resolutions[-1])
    features = size * size * real.shape[-1]
    directions = unit_directions(features, checked_count("projections", projections), seed)

    def cut(images: np.ndarray, number: int, side: int) -> np.ndarray:
        # Each side and level has a stream of its own, so that none moves another's.
        random = np.random.RandomState([seed, number, side])
        shape = [-(-length // 2**number) for length in images.shape[1:3]]
        corners = _corners(random, (len(images), patches), shape, size)
        return _patches(images, corners, size, number, last=number == levels - 1)

    distances = [
        distance_along(cut(real, number, 0), cut(fake, number, 1), directions)
        for number in range(levels)
    ]
    return PyramidDistances(resolutions, tuple(distances))


def _corners(
    random: np.random.RandomState, count: tuple[int, int], shape: list[int], size: int
) -> list[np.ndarray]:
    """Draws top and left edges of patches, two arrays `[images, patches]`."""
    return [random.randint(length - size + 1, size=count) for length in shape]


def _patches(
    images: np.ndarray, corners: list[np.ndarray], size: int, number: int, last: bool
) -> np.ndarray:
    """Returns normalized patches of one level, float32 `[images * patches, features]`."""
    channels = images.shape[-1]
    found = np.empty((*corners[0].shape, size * size * channels), np.float32)
    for some in blocks(len(images), max(1, _VALUES // images[0].size)):
        level = laplacian_pyramids.level(images[some], number, last)
        cut = laplacian_pyramids.patches_at(level, corners[0][some], corners[1][some], size)
        found[some] = laplacian_pyramids.normalized(cut).reshape(found[some].shape)
    return found.reshape(-1, found.shape[-1])


def _levels(side: int, resolution_min: int) -> int:
    # Bit lengths are floor(log2) + 1, without its rounding.
    return side.bit_length() - min(resolution_min, side).bit_length() + 1


def _checked_images(real: ArrayLike, fake: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    real, fake = checked_images(real), checked_images(fake)
    if real.ndim != 4 or real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            "Real and fake images must have one shape [height, width, channels]. "
            f"Received: shapes {list(real.shape[1:])} and {list(fake.shape[1:])}. "
            "Resize one of them."
        )
    return real, fake


def _check_patch(size: int, coarsest: int) -> None:
    checked_count("patch_size", size)
    if size % 2 == 0 or not 3 <= size <= coarsest:
        raise ValueError(
            "`patch_size` must be odd, at least 3, and at most the coarsest level's shorter side. "
            f"Received: {size}, where that side is {coarsest}. Take smaller patches, larger images "
            "or a larger `resolution_min`."
        )
