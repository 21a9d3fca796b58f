"""Features for images that no classifier was trained on: a fixed random network.

Its features are spatial: they keep where in the image something is. FID with them rises with every
disturbance of aligned images, but its numbers compare only with one another.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab._utils.model_hash import content_hash
from tfgan_stab.evaluation.extractors.base import Extractor, resized
from tfgan_stab.evaluation.metrics.inputs import checked_color_images

_SIZE = 32


class RandomFeatures(Extractor):
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
        ValueError: If an argument is no integer or out of range.

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
        validation.integer("seed", seed, least=0, most=2**32 - 1)
        self.feature_size = (_SIZE // 8) ** 2 * validation.integer("channels", channels)
        self.batch_size = validation.integer("batch_size", batch_size)
        self._kernels = _kernels(seed, [3, 16, 32, channels])

    @functools.cached_property
    def content_hash(self) -> str:
        """The first 8 hex digits of the weights' sha256."""
        return content_hash(self._kernels)[:8]

    def prepare(self, images: ArrayLike) -> np.ndarray:
        """Returns images as float32 `[batch, height, width, 3]`, one channel being repeated.

        Raises:
            ValueError: If the images have another shape, leave [-1, 1] or are not finite.
            TypeError: If they are not floats.
        """
        return checked_color_images(images)

    def run(self, images: tf.Tensor) -> tf.Tensor:
        """Returns float32 features `[batch, 16 * channels]`."""
        return self._forward(images)

    @functools.cached_property
    def _forward(self) -> Any:
        @tf.function(autograph=False)
        def forward(images: tf.Tensor) -> tf.Tensor:
            hidden = resized(images, _SIZE, "clean")
            for kernel in self._kernels:
                hidden = tf.nn.relu(tf.nn.conv2d(hidden, kernel, strides=1, padding="SAME"))
                hidden = tf.nn.avg_pool2d(hidden, ksize=2, strides=2, padding="VALID")
            return tf.reshape(hidden, [self.batch_size, self.feature_size])

        return forward


def _kernels(seed: int, channels: list[int]) -> list[np.ndarray]:
    # RandomState's stream is frozen, Generator's may change with NumPy's version.
    random = np.random.RandomState(seed)
    kernels = []
    for inputs, outputs in zip(channels, channels[1:], strict=False):
        normal = random.standard_normal((3, 3, inputs, outputs))
        kernels.append((normal * np.sqrt(2 / (9 * inputs))).astype(np.float32))
    return kernels
