"""Features for images that no classifier was trained on: a fixed random network.

Its features are spatial: they keep where in the image something is. FID with them rises with every
disturbance of aligned images, but its numbers compare only with one another.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.extractors import weights_cache
from tfgan_stab.evaluation.extractors.fixed_batches import in_fixed_batches
from tfgan_stab.evaluation.extractors.resizing import resized
from tfgan_stab.evaluation.metrics.inputs import checked_color_images, checked_count

_SIZE = 32


class RandomFeatures:
    """`16 * channels` features of any images, from a random network that is never trained.

    Three times a 3x3 convolution to 16, 32 and `channels` channels, ReLU and 2x2 average pooling;
    the last 4x4 maps, flattened. Weights are normal with variance 2 / (9 input channels); there are
    no biases.

    Images of other sizes are first resized to 32x32 (anti-aliased, see `resized`), images of one
    channel repeated to three.

    Args:
        seed: Determines the weights, an integer in [0, 2**32).
        channels: Channels of the last convolution, an integer >= 1.
        batch_size: Images per call of the network, an integer >= 1.

    Raises:
        TypeError: If an argument is no integer.
        ValueError: If it is out of range.

    Example:
        >>> random = RandomFeatures()
        >>> random(np.zeros([3, 28, 28, 1], "float32")).shape
        (3, 256)

    Reference:
        He et al., "Delving Deep into Rectifiers", 2015, equation 10, for the variance.
    """

    name = "random-features"
    preprocessing = f"clean-resize-{_SIZE}"

    def __init__(self, seed: int = 0, channels: int = 16, batch_size: int = 256) -> None:
        if checked_count("seed", seed, 0) >= 2**32:
            raise ValueError(f"`seed` must be < 2**32. Received: {seed}.")
        self.feature_size = (_SIZE // 8) ** 2 * checked_count("channels", channels)
        self._batch_size = checked_count("batch_size", batch_size)
        self._kernels = _kernels(seed, [3, 16, 32, channels])

    @functools.cached_property
    def content_hash(self) -> str:
        """The first 8 hex digits of the weights' sha256."""
        return weights_cache.content_hash(self._kernels)[:8]

    def __call__(self, images: ArrayLike) -> np.ndarray:
        """Returns float32 features `[batch, 16 * channels]` of images in [-1, 1].

        Args:
            images: Floats `[batch, height, width, 1 or 3]` in [-1, 1].

        Raises:
            ValueError: If the images have another shape, leave [-1, 1] or are not finite.
            TypeError: If they are not floats.
        """
        return in_fixed_batches(self._forward, checked_color_images(images), self._batch_size)

    @functools.cached_property
    def _forward(self) -> Any:
        @tf.function(autograph=False)
        def forward(images: tf.Tensor) -> tf.Tensor:
            hidden = resized(images, _SIZE, "clean")
            for kernel in self._kernels:
                hidden = tf.nn.relu(tf.nn.conv2d(hidden, kernel, strides=1, padding="SAME"))
                hidden = tf.nn.avg_pool2d(hidden, ksize=2, strides=2, padding="VALID")
            return tf.reshape(hidden, [self._batch_size, self.feature_size])

        return forward


def _kernels(seed: int, channels: list[int]) -> list[np.ndarray]:
    # RandomState's stream is frozen, Generator's may change with NumPy's version.
    random = np.random.RandomState(seed)
    kernels = []
    for inputs, outputs in zip(channels, channels[1:], strict=False):
        normal = random.standard_normal((3, 3, inputs, outputs))
        kernels.append((normal * np.sqrt(2 / (9 * inputs))).astype(np.float32))
    return kernels
