"""Small changes of an image that leave what it shows the same."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tfgan_stab.serializing import Serializable

# How many random numbers each example gets.
DRAWS = 8


@dataclasses.dataclass(frozen=True)
class FlipAndShift(Serializable):
    """Mirrors half of the images, and shifts each a little, with mirrored borders.

    Args:
        reach: How far at most, a part of the side in [0, 0.5].
        flip: Whether to mirror left and right at all: not for digits or letters.

    Raises:
        ValueError: If `reach` is out of range.

    Example:
        >>> images, draws = tf.zeros([4, 8, 8, 1]), tf.zeros([4, DRAWS])
        >>> FlipAndShift()(images, draws).shape
        TensorShape([4, 8, 8, 1])

    Source: Zhang et al. 2020, arXiv 1910.12027, section 4 (from memory: shifts and flips).
    Departures: shifts are whole pixels.
    """

    reach: float = 0.125
    flip: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.reach, (int, float)) or not 0.0 <= self.reach <= 0.5:
            raise ValueError(
                "`reach` must be in [0, 0.5], a part of the image's side. Received: "
                f"{self.reach!r}. Use 0.125."
            )

    def check_examples(self, example_shape: Sequence) -> None:
        """Raises ValueError if examples of such a shape are no images."""
        if len(example_shape) != 3:
            raise ValueError(
                "Flips and shifts need images, [height, width, channels] each. Received: examples "
                f"of shape {list(example_shape)}. Give ConsistencyRegularization(augment=...) a "
                "function of your own, (examples, draws) -> examples."
            )

    def __call__(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Returns changed images.

        Args:
            images: float `[batch, height, width, channels]`.
            draws: float `[batch, 8]`, uniform in [0, 1): what each image's change is made from.

        Raises:
            ValueError: If the examples are no images.
        """
        self.check_examples(images.shape[1:])
        if self.flip:
            mirror = tf.reshape(draws[:, 0] < 0.5, [-1, 1, 1, 1])
            images = tf.where(mirror, tf.reverse(images, axis=[2]), images)
        for axis in (1, 2):
            side = images.shape[axis]
            places = _shifted(side, int(self.reach * side), draws[:, axis])
            images = tf.gather(images, places, axis=axis, batch_dims=1)
        return images


def _shifted(side: int, most: int, draws: tf.Tensor) -> tf.Tensor:
    """Returns which pixel goes where along an axis, int32 `[batch, side]`, mirrored at borders."""
    shift = tf.cast(tf.floor(draws * (2 * most + 1)), tf.int32) - most
    places = tf.abs(tf.range(side)[None] + shift[:, None])
    return tf.minimum(places, 2 * (side - 1) - places)
