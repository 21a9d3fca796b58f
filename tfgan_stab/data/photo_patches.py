"""Pieces of the two photographs that come with scikit-learn: color, and nothing to download."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.data import image_decoding
from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches

LEAST, MOST = 8, 128  # Pixels of a side.
STRIDE = 4  # Pixels from one piece to the next.
TEST_WIDTH = 160  # Pixels at the right of each photograph, for the test split alone.
SPLITS = ("train", "test")
PHOTOGRAPHS = ["temple", "flower"]


def photo_patches(
    batch_size: int = 64,
    seed: int = 0,
    size: int = 32,
    split: str = "train",
    channels: int = 3,
    labels: bool = False,
) -> Batches:
    """Streams square pieces of two photographs of 640x427 pixels, a temple and a flower.

    The pieces of a split begin at every fourth pixel, down and across, and overlap; those of
    different splits share no pixel: the test split has the right quarter of each photograph. A
    generator that learns them all has learnt two photographs: good for trying networks and
    recipes, and for finding mistakes.

    Args:
        batch_size: Images in a minibatch, an integer >= 1.
        seed: Decides the order, an integer in [0, 2**63).
        size: Height and width in pixels, an integer in [8, 128].
        split: "train" or "test".
        channels: 3 for color, 1 for gray (luma, as in ITU-R BT.601).
        labels: Whether elements are `(images, labels)`: 0 for the temple, 1 for the flower.

    Returns:
        Endless batches of float32 `[batch_size, size, size, channels]` in [-1, 1], with int32
        `[batch_size]` labels when asked.

    Raises:
        ValueError: If a setting is outside its range.

    Example:
        >>> photo_patches(size=32).num_examples, photo_patches(size=32, split="test").num_examples
        (22374, 6534)

    Reference:
        Pedregosa et al., "Scikit-learn: Machine Learning in Python", JMLR 2011; its
        `load_sample_images`. The photographs are licensed CC BY.
    """
    size = validation.integer("size", size, least=LEAST, most=MOST, unit="pixels", fix="Use 32.")
    validation.choice("split", split, SPLITS)
    validation.choice("channels", channels, (1, 3), fix="Use 3 for color.")
    return Batches(PhotoPatches(size, split, channels, labels), batch_size, seed)


class PhotoPatches(InMemory):
    """Pieces of photographs that are cut out when they are needed.

    Args:
        size: Height and width in pixels.
        split: "train" or "test".
        channels: 3 for color, 1 for gray.
        labels: Whether each piece comes with the number of its photograph.
    """

    def __init__(self, size: int, split: str, channels: int = 3, labels: bool = False):
        # Takes a second to import, and only this set needs it.
        from sklearn.datasets import load_sample_images

        colored = load_sample_images().images
        photographs = np.stack(
            [image_decoding.with_channels(tf.constant(each), channels) for each in colored]
        )
        end = photographs.shape[2] - TEST_WIDTH
        columns = slice(0, end) if split == "train" else slice(end, None)
        name = f"photo_patches:{size}/{split}" + ("/gray" if channels == 1 else "")
        super().__init__(name, photographs[:, :, columns])
        photos, height, width, _ = self._images.shape
        self._grid = (photos, *(1 + (side - size) // STRIDE for side in (height, width)))
        self.num_examples = int(np.prod(self._grid))
        self._size = size
        if labels:
            self.num_classes = photos
            self.class_names = PHOTOGRAPHS
            with tf.device("CPU:0"):
                self._labels = tf.repeat(tf.range(photos), self.num_examples // photos)

    def metadata(self) -> dict[str, Any]:
        """A hash of the pixels, and what the classes are called, where there are any."""
        names = {"class_names": PHOTOGRAPHS} if self.num_classes else {}
        return {**super().metadata(), **names}

    def _pick_images(self, indices: tf.Tensor) -> tf.Tensor:
        grid = tf.constant(self._grid, indices.dtype)
        photo, row, column = tf.unstack(tf.unravel_index(indices, grid))
        steps = tf.range(self._size, dtype=indices.dtype)
        rows = (STRIDE * row[:, None] + steps)[:, :, None]
        columns = (STRIDE * column[:, None] + steps)[:, None, :]
        _, height, width, channels = self._images.shape
        places = (photo[:, None, None] * height + rows) * width + columns
        return image_decoding.to_float(tf.gather(tf.reshape(self._images, [-1, channels]), places))
