"""The sliced Wasserstein distance of sets of features, and of images by the scale of details.

Both compare along random directions; of images, patches cut from a Laplacian pyramid.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.metrics.inputs import blocks, checked_images, checked_pair

_ROWS = 4096  # Samples taken to float64 at a time.
_DIRECTIONS = 32  # Projections sorted at a time.
_VALUES = 2**20  # Numbers in the images whose pyramid is taken at a time.
# Binomial weights, close to a Gaussian.
_WEIGHTS = np.array([1, 4, 6, 4, 1]) / 16.0
# Below this standard deviation a patch of an image in [-1, 1] is constant but for rounding: an
# 8-bit image has steps of 1 / 128.
_CONSTANT = 1e-6


def sliced_wasserstein(
    real: ArrayLike, fake: ArrayLike, projections: int = 128, seed: int = 0
) -> float:
    """How far two sets of features are apart along random directions; 0 is best.

    The mean over random unit directions of the Wasserstein-1 distance between the projected sets.
    In one dimension that is the area between quantile functions; of equally many samples, the mean
    distance of sorted values::

        mean_direction mean_i |sorted(real . direction)_i - sorted(fake . direction)_i|

    Args:
        real: Features of real images, finite real numbers `[samples, features]`.
        fake: Features of generated images, likewise. The number of samples may differ: the area is
            then taken exactly, over all steps of both quantile functions.
        projections: Number of directions, an integer >= 1: more, less noise.
        seed: Of the directions, an integer in [0, 2^32). One seed gives one number.

    Returns:
        The distance in units of the features, >= 0. It grows as samples get fewer: compare equal
        numbers.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, or the numbers of features differ.
        TypeError: If values are not real numbers.
        OverflowError: If the features are too large for their projections in float64.

    Example:
        >>> sliced_wasserstein([[0.0], [1.0]], [[3.0], [2.0]])
        2.0

    Reference:
        Rabin et al., "Wasserstein Barycenter and Its Application to Texture Mixing", 2011; TF-GAN's
        `_sliced_wasserstein`, with which it agrees for the same directions. Departures: float64;
        sets of different sizes.
    """
    real, fake = checked_pair(real, fake)
    directions = unit_directions(
        real.shape[1], validation.integer("projections", projections), seed
    )
    return distance_along(real, fake, directions)


def unit_directions(features: int, count: int, seed: int) -> np.ndarray:
    """Returns random unit vectors, evenly spread over all directions, float64 `[features, count]`.

    Example:
        >>> bool(np.allclose(np.linalg.norm(unit_directions(3, 5, seed=0), axis=0), 1.0))
        True
    """
    # RandomState's stream is frozen, Generator's may change with NumPy's version.
    directions = np.random.RandomState(seed).normal(size=(features, count))
    return directions / np.linalg.norm(directions, axis=0)


def distance_along(real: np.ndarray, fake: np.ndarray, directions: np.ndarray) -> float:
    """Returns the mean Wasserstein-1 distance of checked features along directions.

    Args:
        real: Real numbers `[samples, features]`.
        fake: Likewise.
        directions: float64 `[features, count]`.

    Raises:
        OverflowError: If a projection is not finite in float64.
    """
    total = 0.0
    for columns in blocks(directions.shape[1], _DIRECTIONS):
        some = directions[:, columns]
        with np.errstate(over="ignore", invalid="ignore"):
            total += _areas(_sorted(real, some), _sorted(fake, some)).sum()
    if not np.isfinite(total):
        raise OverflowError(
            "The features are too large for their projections in float64. Received: a distance of "
            f"{total}. Scale them down; values up to 1e300 are safe."
        )
    return float(total / directions.shape[1])


def _sorted(features: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Returns the projections, each direction's in order, float64 `[directions, samples]`."""
    projected = np.empty((directions.shape[1], len(features)))
    for rows in blocks(len(features), _ROWS):
        projected[:, rows] = directions.T @ features[rows].astype(np.float64).T
    projected.sort(axis=1)
    return projected


def _areas(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Returns the area between quantile functions, for each row of sorted values."""
    if real.shape == fake.shape:
        return np.abs(real - fake).mean(axis=1)
    count, other = real.shape[1], fake.shape[1]
    # Where either function steps, in units of 1 / (count * other), which whole numbers hold.
    steps = np.union1d(np.arange(1, count + 1) * other, np.arange(1, other + 1) * count)
    widths = np.diff(steps, prepend=0) / (count * other)
    gaps = np.abs(real[:, (steps - 1) // other] - fake[:, (steps - 1) // count])
    return gaps @ widths


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
        ValueError: If images are no such floats or differ in size, a number is no integer or out of
            range, or a patch does not fit.
        TypeError: If the images are not floats.

    Example:
        >>> images = np.random.RandomState(0).uniform(-1, 1, (8, 32, 32, 1))
        >>> sliced_wasserstein_of_images(images, images[::-1] / 2).resolutions
        (32, 16)

    Reference:
        Karras et al., "Progressive Growing of GANs", 2018, section 5; TF-GAN's
        `sliced_wasserstein_distance`, whose second numbers these are for the same patches and
        directions. Departures: any number of channels and any size; constant patches, which have
        no variance and are NaN there, are 0; its first numbers, the baseline, are left to a call
        with two halves of the real images; no SVD variant. As there, a patch is normalized alone,
        where the paper normalizes channels over all patches (from memory).
    """
    real, fake = _checked_images(real, fake)
    patches, size = validation.integer("patches_per_image", patches_per_image), patch_size
    side = min(real.shape[1:3])
    levels = _levels(side, validation.integer("resolution_min", resolution_min))
    resolutions = tuple(-(-side // 2**number) for number in range(levels))
    _check_patch(size, resolutions[-1])
    features = size * size * real.shape[-1]
    directions = unit_directions(features, validation.integer("projections", projections), seed)

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
        level = pyramid_level(images[some], number, last)
        cut = patches_at(level, corners[0][some], corners[1][some], size)
        found[some] = normalized(cut).reshape(found[some].shape)
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
    validation.integer("patch_size", size)
    if size % 2 == 0 or not 3 <= size <= coarsest:
        raise ValueError(
            "`patch_size` must be odd, at least 3, and at most the coarsest level's shorter side. "
            f"Received: {size}, where that side is {coarsest}. Take smaller patches, larger images "
            "or a larger `resolution_min`."
        )


def pyramid_level(images: np.ndarray, number: int, last: bool) -> np.ndarray:
    """Returns one level of the Laplacian pyramid of images, finest first.

    The last level is the image at its low resolution, any other what the next lower resolution
    loses::

        G_0 = images,  G_n+1 = every second pixel of smooth(G_n)
        level n = G_n - 4 smooth(G_n+1 with zeros between its pixels)

    Args:
        images: `[batch, height, width, channels]`, any number of channels.
        number: Which level, an integer >= 0; it has sides of `size / 2^number`, rounded up.
        last: Whether it is the last one.

    Returns:
        float64 `[batch, height / 2^number, width / 2^number, channels]`.

    Reference:
        Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983; TF-GAN's
        `laplacian_pyramid`. Departures: any number of channels and any size, odd ones included.
    """
    finer = images.astype(np.float64)
    for _ in range(number):
        finer = _halved(finer)
    return finer if last else finer - _doubled(_halved(finer), finer.shape)


def patches_at(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: int) -> np.ndarray:
    """Returns square patches of images, `[batch * patches, size, size, channels]`.

    Args:
        images: `[batch, height, width, channels]`.
        rows: Top edges, integers `[batch, patches]`.
        columns: Left edges, likewise.
        size: Width of a patch in pixels.
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    batch = np.arange(len(images))[:, None]
    patches = windows[batch, rows, columns]  # [batch, patches, channels, size, size]
    patches = np.moveaxis(patches, 2, -1)
    return patches.reshape(-1, size, size, images.shape[-1])


def normalized(patches: np.ndarray) -> np.ndarray:
    """Returns each patch with mean 0 and variance 1, flat; a constant one is 0."""
    flat = patches.reshape(len(patches), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    deviations = np.sqrt(np.mean(flat**2, axis=1, keepdims=True))
    constant = deviations < _CONSTANT
    return np.where(constant, 0.0, flat / np.where(constant, 1.0, deviations))


def _halved(images: np.ndarray) -> np.ndarray:
    return _smooth(images)[:, ::2, ::2]


def _doubled(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    wide = np.zeros(shape)
    wide[:, ::2, ::2] = images
    return 4.0 * _smooth(wide)


def _smooth(images: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        edges = [(2, 2) if each == axis else (0, 0) for each in range(4)]
        padded = np.moveaxis(np.pad(images, edges, mode="reflect"), axis, 0)
        length = images.shape[axis]
        smooth = np.zeros(padded[:length].shape)
        for at, weight in enumerate(_WEIGHTS):
            smooth += weight * padded[at : at + length]
        images = np.moveaxis(smooth, 0, axis)
    return images
