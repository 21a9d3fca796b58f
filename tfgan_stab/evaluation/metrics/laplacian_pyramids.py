"""Images -> what each scale of resolution adds, and patches cut from it."""

import numpy as np

# Binomial weights, close to a Gaussian.
_WEIGHTS = np.array([1, 4, 6, 4, 1]) / 16.0
# Below this standard deviation a patch of an image in [-1, 1] is constant but for rounding: an
# 8-bit image has steps of 1 / 128.
_CONSTANT = 1e-6


def level(images: np.ndarray, number: int, last: bool) -> np.ndarray:
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
    spread = np.zeros(shape)
    spread[:, ::2, ::2] = images
    return 4.0 * _smooth(spread)


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
