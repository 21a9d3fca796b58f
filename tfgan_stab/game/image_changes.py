"""Random changes of images that have derivatives: of color, of place, and pieces cut out.

Each is a pure function of images and uniform random numbers. All shapes stay as they are.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab._utils.serialization import Serializable


class Change(Serializable, abc.ABC):
    """A random change of images. Derive from it to write your own: a frozen dataclass.

    Each image is changed by itself, by operations with right second derivatives, and keeps its
    shape.

    Attributes:
        numbers: How many uniform numbers an image's change is made from.
    """

    numbers: ClassVar[int] = 1

    @abc.abstractmethod
    def __call__(self, images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns changed images.

        Args:
            images: float `[batch, height, width, channels]`.
            noise: float `[batch, numbers]`, uniform in [0, 1).
        """

    def check_images(self, image_shape: Sequence[int | None]) -> None:
        """Raises ValueError if images of such a shape cannot be changed."""


@dataclasses.dataclass(frozen=True)
class Color(Change):
    """Changes brightness, saturation and contrast, one after the other.

    With u uniform in [-1, 1), anew for each image and each of the three::

        x <- x + brightness u
        x <- m + (1 + saturation u) (x - m),    m the mean over the channels of a pixel
        x <- m + (1 + contrast u) (x - m),      m the mean over all of an image

    Args:
        brightness: The most that is added, a number >= 0, where images lie in [-1, 1].
        saturation: How far the factor is from 1 at most, a number in [0, 1]. It does nothing to
            images of one channel.
        contrast: The same for differences of pixels.

    Raises:
        ValueError: If an argument is out of range, or all are 0.

    Example:
        >>> float(tf.reduce_max(Color()(tf.zeros([4, 8, 8, 3]), tf.zeros([4, 3]))))
        -0.5

    Source: Zhao et al. 2020 (DiffAugment), arXiv 2006.10738, and its code: the defaults.
    Departures: none. Images may leave [-1, 1], as there: to cut them off would stop gradients.
    """

    numbers: ClassVar[int] = 3

    brightness: float = 0.5
    saturation: float = 1.0
    contrast: float = 0.5

    def __post_init__(self) -> None:
        validation.number("brightness", self.brightness, least=0, fix="Use 0.5.")
        validation.number("saturation", self.saturation, least=0, most=1, fix="Use 1.0.")
        validation.number("contrast", self.contrast, least=0, most=1, fix="Use 0.5.")
        if not (self.brightness or self.saturation or self.contrast):
            raise ValueError(
                "Color needs a brightness, saturation or contrast > 0. Received: 0 for all three. "
                "Leave it out of the changes."
            )

    def __call__(self, images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns changed images."""
        reaches = (self.brightness, self.saturation, self.contrast)
        signed = tf.cast(2.0 * noise - 1.0, images.dtype)
        added, saturated, contrasted = (
            tf.reshape(reach * signed[:, i], [-1, 1, 1, 1]) for i, reach in enumerate(reaches)
        )
        images = images + added
        for amount, axes in ((saturated, [3]), (contrasted, [1, 2, 3])):
            mean = tf.reduce_mean(images, axis=axes, keepdims=True)
            images = mean + (1.0 + amount) * (images - mean)
        return images


@dataclasses.dataclass(frozen=True)
class Translation(Change):
    """Shifts images by whole pixels, up or down and left or right; what is uncovered becomes 0.

    Args:
        reach: How far at most, a part of the side in (0, 0.5], rounded down to pixels.

    Raises:
        ValueError: If `reach` is out of range, or less than a pixel of the images.

    Example:
        >>> float(tf.reduce_sum(Translation()(tf.ones([1, 8, 8, 1]), tf.zeros([1, 2]))))
        49.0

    Source: Zhao et al. 2020 (DiffAugment), arXiv 2006.10738, and its code: the default.
    """

    numbers: ClassVar[int] = 2

    reach: float = 0.125

    def __post_init__(self) -> None:
        fix = "It is a part of the side. Use 0.125."
        validation.number("reach", self.reach, above=0, most=0.5, fix=fix)

    def check_images(self, image_shape: Sequence[int | None]) -> None:
        """Raises ValueError if the farthest shift is less than a pixel."""
        check_pixel("Translation", "reach", self.reach, image_shape)

    def __call__(self, images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns shifted images."""
        for axis in (1, 2):
            side = tf.shape(images)[axis]
            most = tf.cast(self.reach * tf.cast(side, tf.float32), tf.int32)
            shift = whole(noise[:, axis - 1], 2 * most + 1) - most
            # Places in an image with a border of zeros; all that lies beyond is border too.
            places = tf.range(side)[None] + shift[:, None] + 1
            border = [[0, 0], [int(axis == 1)] * 2, [int(axis == 2)] * 2, [0, 0]]
            places = tf.clip_by_value(places, 0, side + 1)
            images = tf.gather(tf.pad(images, border), places, axis=axis, batch_dims=1)
        return images


@dataclasses.dataclass(frozen=True)
class Cutout(Change):
    """Sets a rectangle of each image to 0; its center is anywhere, so parts may lie outside.

    Args:
        size: Height and width of the rectangle, a part of the image's in (0, 1].

    Raises:
        ValueError: If `size` is out of range, or less than a pixel of the images.

    Example:
        >>> float(tf.reduce_sum(Cutout()(tf.ones([1, 8, 8, 1]), 0.5 * tf.ones([1, 2]))))
        48.0

    Source: DeVries and Taylor 2017, arXiv 1708.04552; the default as in Zhao et al. 2020
        (DiffAugment), arXiv 2006.10738, and its code.
    """

    numbers: ClassVar[int] = 2

    size: float = 0.5

    def __post_init__(self) -> None:
        fix = "It is a part of the image's side. Use 0.5."
        validation.number("size", self.size, above=0, most=1, fix=fix)

    def check_images(self, image_shape: Sequence[int | None]) -> None:
        """Raises ValueError if the rectangle is less than a pixel."""
        check_pixel("Cutout", "size", self.size, image_shape)

    def __call__(self, images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns images with a rectangle of zeros."""
        inside = []
        for axis in (1, 2):
            side = tf.shape(images)[axis]
            size = tf.cast(self.size * tf.cast(side, tf.float32), tf.int32)
            first = whole(noise[:, axis - 1], side + 1 - size % 2) - size // 2
            places = tf.range(side)[None] - first[:, None]
            inside.append((places >= 0) & (places < size))
        cut = inside[0][:, :, None, None] & inside[1][:, None, :, None]
        return tf.where(cut, tf.zeros([], images.dtype), images)


def check_pixel(change: str, name: str, part: float, image_shape: Sequence[int | None]) -> None:
    """Raises ValueError if a part of an image's side is less than a pixel."""
    sides = [side for side in image_shape[:2] if side is not None]
    if any(part * side < 1 for side in sides):
        raise ValueError(
            f"{change}({name}={part}) must be a pixel or more. Received: images of "
            f"{' x '.join(map(str, sides))} pixels. Use a {name} of {1 / min(sides):g} or more."
        )


def whole(noise: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns whole numbers in [0, count), int32 `[batch]`, from uniform ones in [0, 1)."""
    scaled = tf.cast(tf.floor(noise * tf.cast(count, noise.dtype)), tf.int32)
    return tf.minimum(scaled, count - 1)  # A product may be rounded up to the count.
