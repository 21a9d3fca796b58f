"""Procedural 32x32 images for studies of scores: aligned faces, and stripes to contaminate them.

Everything is drawn from NumPy's frozen stream: a seed gives the same images everywhere.
"""

import numpy as np

SIZE = 32


def faces(count, seed):
    """Returns faces of many shapes and colors, float32 `[count, 32, 32, 3]` in [-1, 1].

    Heads, eyes and mouths are ellipses whose centers are jittered by about a pixel, so that
    spatial features see them in the same place in each image.
    """
    random = np.random.RandomState(seed)

    def between(low, high):
        return random.uniform(low, high, [count, 1, 1])

    x, y = between(15, 16), between(15.5, 16.5)
    width, height = between(7.5, 9), between(9.5, 11)
    skin = _mixed(random, count, (0.38, 0.24, 0.16), (0.97, 0.80, 0.68), 0.03)
    hair = _mixed(random, count, (0.08, 0.05, 0.04), (0.80, 0.62, 0.35), 0.05)
    white, black = np.full([1, 1, 1, 3], 0.95), np.full([1, 1, 1, 3], 0.05)

    images = _background(random, count)
    images = _painted(
        images, x, between(33, 36), between(12, 15), between(7, 9), _any(random, count)
    )
    images = _painted(images, x, y - 1.5, width + between(1, 2.5), height + between(0, 1.5), hair)
    images = _painted(images, x, y + height, between(3, 4), between(3, 4), 0.85 * skin)
    images = _painted(images, x, y + 1, width, height - between(0, 1), skin)
    apart, level = between(3.2, 4), y - between(0.5, 1.5)
    lid, iris, brow = between(0.8, 1.6), _any(random, count) / 2, between(2, 3)
    for side in (-1, 1):
        eye = x + side * apart
        images = _painted(images, eye, level, 1.9, lid, white)
        images = _painted(images, eye + between(-0.4, 0.4), level, 1.1, 1.1, iris)
        images = _painted(images, eye, level - brow, 2.2, 0.5, hair)
    images = _painted(images, x, y + between(2, 3), 0.8, 1.5, 0.75 * skin)
    lips = _mixed(random, count, (0.55, 0.20, 0.20), (0.85, 0.40, 0.40), 0.05)
    mouth, smile = y + between(5, 6.5), between(2, 4)
    images = _painted(images, x, mouth, smile, between(0.6, 1.8), lips)
    images = _painted(images, x, mouth, smile - 0.8, between(0.1, 0.8), black)
    images = images * (1 + between(-0.2, 0.2) * (np.arange(SIZE) / SIZE - 0.5))[..., None]
    return (2 * images.clip(0, 1) - 1).astype(np.float32)


def stripes(count, seed):
    """Returns stripes of any direction and two colors, float32 `[count, 32, 32, 3]` in [-1, 1]."""
    random = np.random.RandomState(seed)
    angle, phase = random.uniform(0, 2 * np.pi, [2, count, 1, 1])
    period = random.uniform(4, 16, [count, 1, 1])
    rows, columns = np.indices([SIZE, SIZE])
    along = np.cos(angle) * columns + np.sin(angle) * rows
    share = (0.5 + 0.5 * np.sin(2 * np.pi * along / period + phase))[..., None]
    images = share * _any(random, count) + (1 - share) * _any(random, count)
    return (2 * images - 1).astype(np.float32)


def _painted(images, x, y, width, height, color):
    """Returns images with an ellipse, given by its center and half axes, in one color each."""
    rows, columns = np.indices([SIZE, SIZE])
    u, v = (columns - x) / width, (rows - y) / height
    radius, gradient = np.hypot(u, v), np.hypot(u / width, v / height)
    # How many pixels a place is inside, to first order; the gradient is 0 at an ellipse's center.
    depth = (1 - radius) * (radius + 1e-9) / (gradient + 1e-9)
    # An edge about one pixel wide, so that a shift by a fraction of a pixel shows.
    covered = (0.5 + depth).clip(0, 1)[..., None]
    return images + covered * (color - images)


def _background(random, count):
    """Returns walls that fade from one muted color into another, from top to bottom."""
    top, bottom = (0.25 + 0.6 * _any(random, count) for _ in range(2))
    down = np.linspace(0, 1, SIZE)[:, None, None]
    return np.broadcast_to(top + down * (bottom - top), [count, SIZE, SIZE, 3])


def _any(random, count):
    return random.uniform(0, 1, [count, 1, 1, 3])


def _mixed(random, count, first, second, jitter):
    """Returns random colors between two, with a little noise."""
    share = random.uniform(0, 1, [count, 1, 1, 1])
    own = random.uniform(-jitter, jitter, [count, 1, 1, 3])
    return (share * np.array(first) + (1 - share) * np.array(second) + own).clip(0, 1)
