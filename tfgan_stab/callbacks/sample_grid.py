"""Grids of samples, as PNG files."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.files import user_path, write_atomically
from tfgan_stab._utils.validation import integer
from tfgan_stab.callbacks.base import ImageEvent, Periodic, usable_directory
from tfgan_stab.data.image_decoding import to_bytes

SHOWN_SIDE = 32  # Pixels; smaller images are enlarged to about this, so that a person can see them.
GAP = 2  # Pixels.


class SampleGrid(Periodic):
    """Writes a grid of samples as a PNG file, from the same noise each time.

    The file `step-00001200.png` is of the weights after 1200 steps. Images of 4 channels,
    color and alpha, make a transparent PNG.

    Args:
        directory: Where to write; made if it is not there.
        rows: Images from top to bottom, an integer >= 1.
        columns: Images from left to right, an integer >= 1. A class-conditional generator shows
            class 0, 1, ... in turn: as many columns as classes show one class in each.
        weights: "live" for the trained weights, or an average's name.
        every: "epoch", or a number of steps >= 1.
        seed: Decides the noise, an integer in [0, 2**62).
        labels: The conditions, for a conditional pair; see `GAN.sample`. Needed unless they are
            classes.

    Raises:
        ValueError: If a number is out of range, there are no such weights or conditions, or the
            generator makes no images.
        OSError: If the directory cannot be written to.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.SampleGrid("runs/digits/samples", columns=10).columns
        10
    """

    chief_only = True

    def __init__(
        self,
        directory: str | os.PathLike[str],
        rows: int = 8,
        columns: int = 8,
        weights: str = "ema",
        every: str | int = "epoch",
        seed: int = 0,
        labels: Any = None,
    ):
        super().__init__(every)
        self.directory = user_path(directory)
        self.rows = integer("rows", rows, unit="images", fix="Use 8.")
        self.columns = integer("columns", columns, unit="images", fix="Use 8.")
        self.weights = weights
        self.seed = validation.seed(seed)
        self.labels = labels

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that there will be something to draw, and somewhere to put it."""
        super().on_train_begin(logs)
        # Draws nothing yet, but raises if the weights or the classes are not known.
        count = self.rows * self.columns
        self.gan.sample_batches(count, weights=self.weights, labels=self.labels)
        shape = self.gan.pair.example_shape
        if len(shape) != 3 or shape[-1] not in (1, 3, 4):
            raise ValueError(
                "SampleGrid draws images [height, width, 1, 3 or 4]. Received: a generator of "
                f"{list(shape)}. Leave this callback out; SampleText writes texts."
            )
        usable_directory(self.directory)

    def act(self, logs: dict[str, Any]) -> None:
        """Draws the samples, writes and publishes the image."""
        images = self.gan.sample(
            self.rows * self.columns, weights=self.weights, seed=self.seed, labels=self.labels
        )
        pixels = grid(images, self.columns)
        steps = self.gan.steps
        path = self.directory / f"step-{steps:08d}.png"
        write_atomically(path, tf.io.encode_png(pixels).numpy())
        self.gan.publish(ImageEvent(steps, f"samples ({self.weights})", pixels))


def grid(images: np.ndarray, columns: int) -> np.ndarray:
    """Lays images out in rows, small ones enlarged, with opaque white gaps.

    Args:
        images: float `[count, height, width, channels]` in [-1, 1].
        columns: Images in a row; the last row may be shorter.

    Returns:
        uint8 `[height, width, channels]`.

    Example:
        >>> grid(np.zeros([6, 8, 8, 1], "float32"), columns=3).shape
        (70, 104, 1)
    """
    pixels = to_bytes(np.asarray(images))
    scale = max(1, SHOWN_SIDE // max(pixels.shape[1:3]))
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, channels = pixels.shape
    rows = -(-count // columns)
    sheet = np.full(
        [rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels], 255, np.uint8
    )
    for number, image in enumerate(pixels):
        top = GAP + number // columns * (height + GAP)
        left = GAP + number % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    return sheet
