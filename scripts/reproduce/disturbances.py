"""Six ways to disturb images, each stronger at a higher level; level 0 changes nothing.

All take float32 images `[images, height, width, channels]` in [-1, 1], a level, and a RandomState,
and return images of the same kind.

Reference: Heusel et al. 2017, appendix A1, and the code released with it.
"""

import numpy as np

BLACK, WHITE = np.float32(-1), np.float32(1)


def gaussian_noise(images, level, random):
    """Returns (1 - level) x + level n, the normals n rescaled to [-1, 1] over the whole set.

    The rescaling is the paper's code's: at 6 million pixels its noise deviates by only 0.19.
    """
    normals = random.standard_normal(images.shape).astype(np.float32)
    low, high = normals.min(), normals.max()
    noise = 2 * (normals - low) / (high - low) - 1
    return (1 - level) * images + level * noise


def gaussian_blur(images, level, random):
    """Returns images blurred by a Gaussian of a standard deviation of `level` pixels."""
    del random
    if not level:
        return images
    down, across = (_blurring(size, level).astype(np.float32) for size in images.shape[1:3])
    return np.einsum("ik,jl,nklc->nijc", down, across, images, optimize=True)


def black_rectangles(images, level, random, rectangles=5):
    """Returns images with black squares of `level` times the image's size, which may overlap."""
    masks = []
    for axis in (1, 2):
        side = round(level * images.shape[axis])
        places = np.arange(images.shape[axis])
        begin = random.randint(0, images.shape[axis] - side + 1, [len(images), rectangles, 1])
        masks.append((begin <= places) & (places < begin + side))
    rows, columns = masks
    covered = (rows[..., :, None] & columns[..., None, :]).any(axis=1)
    return np.where(covered[..., None], BLACK, images)


def swirl(images, level, random, radius=35.0):
    """Returns images turned around their center, less further out, in a random direction each.

    A pixel at distance r comes from level * exp(-5 r / (radius ln 2)) radians further. Beyond the
    image the pixels at its edge are repeated.
    """
    one_way = random.uniform(size=len(images)) < 0.5
    swirled = np.empty_like(images)
    swirled[one_way] = _swirled(images[one_way], level, radius)
    swirled[~one_way] = _swirled(images[~one_way], -level, radius)
    return swirled


def salt_and_pepper(images, level, random):
    """Returns images of which each pixel, with probability `level`, is all white or all black."""
    shape = [*images.shape[:3], 1]
    hit = random.uniform(size=shape) < level
    return np.where(hit, np.where(random.uniform(size=shape) < 0.5, WHITE, BLACK), images)


def contamination(images, level, random, others):
    """Returns images of which a share of `level` is replaced by as many others.

    Images that are replaced at one level are replaced at each higher one, too.
    """
    replaced = random.permutation(len(images))[: round(level * len(images))]
    mixed = images.copy()
    mixed[replaced] = others[replaced]
    return mixed


def _blurring(size, std):
    """Returns the matrix `[size, size]` that blurs a column, mirrored at its ends."""
    reach = int(4 * std + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    mirrored = np.pad(np.eye(size), [(reach, reach), (0, 0)], "symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, 2 * reach + 1, axis=0)
    return windows @ (weights / weights.sum())


def _swirled(images, strength, radius):
    middle_row, middle_column = (np.array(images.shape[1:3]) - 1) / 2
    rows, columns = np.indices(images.shape[1:3])
    down, right = rows - middle_row, columns - middle_column
    angle = strength * np.exp(-5 * np.hypot(down, right) / (radius * np.log(2)))
    # By sine and cosine instead of polar coordinates: a turn of 0 changes nothing, exactly.
    from_down = np.cos(angle) * down + np.sin(angle) * right
    from_right = np.cos(angle) * right - np.sin(angle) * down
    return _interpolated(images, from_down + middle_row, from_right + middle_column)


def _interpolated(images, rows, columns):
    """Returns images at places between their pixels, by bilinear interpolation."""
    (top, down), (left, right) = (
        _split(places, size)
        for places, size in zip((rows, columns), images.shape[1:3], strict=True)
    )
    upper = (1 - right) * images[:, top, left] + right * images[:, top, left + 1]
    lower = (1 - right) * images[:, top + 1, left] + right * images[:, top + 1, left + 1]
    return (1 - down) * upper + down * lower


def _split(places, size):
    """Returns the pixel before each place, and the distance from it."""
    places = places.clip(0, size - 1)
    before = np.minimum(places.astype(int), size - 2)
    return before, (places - before).astype(np.float32)[..., None]
