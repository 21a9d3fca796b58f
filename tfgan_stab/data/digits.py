"""1,797 real handwritten digits that come with scikit-learn: nothing to download."""

import numpy as np

from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches

BRIGHTEST = 16.0  # Each pixel counts the ink in a 4x4 block of a bitmap, 0..16.
NUM_CLASSES = 10


def digits(batch_size: int = 64, seed: int = 0, labels: bool = False) -> Batches:
    """Streams handwritten digits of 8x8 pixels, one gray channel.

    Args:
        batch_size: Images in a minibatch, an integer in [1, 1797].
        seed: Decides the order, an integer in [0, 2**63).
        labels: Whether elements are `(images, labels)`, labels 0..9.

    Returns:
        Endless batches of float32 `[batch_size, 8, 8, 1]` in [-1, 1], with int32 `[batch_size]`
        labels when asked.

    Example:
        >>> images, labels = next(iter(digits(batch_size=32, labels=True)))
        >>> images.shape, labels.dtype
        (TensorShape([32, 8, 8, 1]), tf.int32)

    Reference:
        Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
        Repository, 1998 (the test part).
    """
    images, classes = loaded_digits()
    if not labels:
        return Batches(InMemory("digits", images), batch_size, seed)
    return Batches(InMemory("digits", images, classes, NUM_CLASSES), batch_size, seed)


def loaded_digits() -> tuple[np.ndarray, np.ndarray]:
    """Returns images float32 `[1797, 8, 8, 1]` in [-1, 1] and labels int32 `[1797]`, in order."""
    # Takes a second to import, and only this set needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / (BRIGHTEST / 2) - 1).astype(np.float32)[..., np.newaxis]
    return images, bunch.target.astype(np.int32)
