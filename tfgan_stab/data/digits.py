"""1,797 real handwritten digits that come with scikit-learn: nothing to download."""

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches

BRIGHTEST = 16.0  # Each pixel counts the ink in a 4x4 block of a bitmap, 0..16.
NUM_CLASSES = 10
OWN_SIZE = 8  # Pixels of a side.


def digits(
    batch_size: int = 64,
    seed: int = 0,
    labels: bool = False,
    image_size: int = OWN_SIZE,
    channels: int = 1,
) -> Batches:
    """Streams handwritten digits of 8x8 pixels, one gray channel, or enlarged.

    Args:
        batch_size: Images in a minibatch, an integer in [1, 1797].
        seed: Decides the order, an integer in [0, 2**63).
        labels: Whether elements are `(images, labels)`, labels 0..9.
        image_size: Height and width in pixels, an integer >= 8. Other sizes than 8 are interpolated
            (bicubic): more pixels, not more detail.
        channels: 1 for gray, or 3 that are equal.

    Returns:
        Endless batches of float32 `[batch_size, image_size, image_size, channels]` in [-1, 1], with
        int32 `[batch_size]` labels when asked.

    Raises:
        ValueError: If a setting is outside its range.

    Example:
        >>> images, labels = next(iter(digits(batch_size=32, labels=True)))
        >>> images.shape, labels.dtype
        (TensorShape([32, 8, 8, 1]), tf.int32)

    Reference:
        Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
        Repository, 1998 (the test part).
    """
    size = validation.integer("image_size", image_size, least=OWN_SIZE, unit="pixels", fix="Use 8.")
    validation.choice("channels", channels, (1, 3), fix="Use 1 for gray.")
    images, classes = loaded_digits()
    example_set = Digits(images, classes if labels else None, size, channels)
    return Batches(example_set, batch_size, seed)


class Digits(InMemory):
    """Digits that are enlarged when they are needed.

    Args:
        images: float32 `[examples, 8, 8, 1]` in [-1, 1].
        labels: int32 `[examples]`; `None` for a stream of images alone.
        size: Height and width in pixels.
        channels: How many equal channels.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray | None, size: int, channels: int):
        own = (size, channels) == (OWN_SIZE, 1)
        name = "digits" if own else f"digits:{size}x{size}x{channels}"
        super().__init__(name, images, labels, None if labels is None else NUM_CLASSES)
        self._size = size
        self._channels = channels

    def _pick_images(self, indices: tf.Tensor) -> tf.Tensor:
        images = super()._pick_images(indices)
        if self._size != OWN_SIZE:
            # The exact filter: without `antialias` TensorFlow reads its weights from a table.
            sides = [self._size, self._size]
            images = tf.image.resize(images, sides, method="bicubic", antialias=True)
            images = tf.clip_by_value(images, -1.0, 1.0)  # What overshoots at edges.
        return tf.repeat(images, self._channels, axis=-1) if self._channels > 1 else images


def loaded_digits() -> tuple[np.ndarray, np.ndarray]:
    """Returns images float32 `[1797, 8, 8, 1]` in [-1, 1] and labels int32 `[1797]`, in order."""
    # Takes a second to import, and only this set needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / (BRIGHTEST / 2) - 1).astype(np.float32)[..., np.newaxis]
    return images, bunch.target.astype(np.int32)
