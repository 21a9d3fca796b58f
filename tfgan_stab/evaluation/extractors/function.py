"""Any function or Keras model as an extractor."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab.evaluation.extractors.fixed_batches import in_fixed_batches
from tfgan_stab.evaluation.extractors.model_hash import model_hash
from tfgan_stab.evaluation.metrics.inputs import checked_count, checked_images


class FunctionExtractor:
    """Any function or Keras model as an extractor.

    Args:
        function: A Keras model, called with `training=False`, or a function; takes float32 images
            `[batch, height, width, channels]` in [-1, 1] (or points `[batch, size]`) and returns
            features `[batch, features]`. Must treat each image alone.
        name: Its name in protocols; by default the function's or model's own.
        content_hash: What tells versions apart. By default, for a Keras model, the hash of its
            weights and its configuration (see `model_hash`), and for a function the hash of the
            features of a fixed noise image of the same shape, known once images were seen; rounding
            may make the latter another on another machine, so pass a hash to compare scores across
            machines.
        batch_size: Images per call, an integer >= 1.

    Raises:
        TypeError: If `function` cannot be called, or `batch_size` is no integer.
        ValueError: If `batch_size` is out of range.

    Example:
        >>> def flat(images):
        ...     return tf.reshape(images, [len(images), -1])
        >>> FunctionExtractor(flat)(np.zeros([3, 2, 2, 1], "float32")).shape
        (3, 4)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        content_hash: str | None = None,
        batch_size: int = 256,
    ) -> None:
        if not callable(function):
            raise TypeError(
                "An extractor must be 'digits', 'random', 'inception', a Keras model, a function "
                f"of images or an object with name, content_hash and __call__. Received: "
                f"{function!r}."
            )
        self.name = (name or _name_of(function)).replace("/", "-")
        self._function = function
        self._hash = content_hash
        self._batch_size = checked_count("batch_size", batch_size)
        self._forward = _traced(function)

    @property
    def content_hash(self) -> str:
        """Short hash of what determines the features.

        A Keras model's is taken anew at each look, in a few ms per MB of weights, so that a model
        that is trained on never keeps its former one.

        Raises:
            RuntimeError: If it was not given and no image was seen yet, or the model has no weights
                yet.
        """
        if self._hash is not None:
            return self._hash
        if isinstance(self._function, keras.Model):
            return model_hash(self._function)[:8]
        raise RuntimeError(
            f"The content hash of extractor {self.name!r} is known once it has seen an image. "
            "Call it first, or pass content_hash=."
        )

    def __call__(self, images: ArrayLike) -> np.ndarray:
        """Returns features `[batch, features]` of a batch of any size.

        Raises:
            TypeError: If the images are not floats, or the features no real numbers.
            ValueError: If the images or the features have another shape, or an image leaves [-1, 1]
                or is not finite.
        """
        images = checked_images(images)
        features = in_fixed_batches(self._run, images, self._batch_size)
        if self._hash is None and not isinstance(self._function, keras.Model):
            self._hash = self._probe_hash(images.shape[1:])
        return features

    def _run(self, images: tf.Tensor) -> Any:
        try:
            return self._forward(images)
        except ValueError as error:
            if not isinstance(self._function, keras.Model):
                raise
            raise ValueError(
                f"The extractor {self.name!r} must take images of shape {list(images.shape[1:])}. "
                f"It refuses them: {_reason(error)}. Resize images in front "
                "of it, or use another extractor."
            ) from error

    def _probe_hash(self, shape: tuple[int, ...]) -> str:
        # RandomState's stream is frozen, Generator's may change with NumPy's version.
        probe = np.random.RandomState(0).uniform(-1, 1, (1, *shape)).astype(np.float32)
        features = in_fixed_batches(self._forward, probe, self._batch_size)
        return hashlib.sha256(np.ascontiguousarray(features).tobytes()).hexdigest()[:8]


def _traced(function: Callable[..., Any]) -> Callable[[tf.Tensor], Any]:
    """Keras models run as a graph, traced once; a function may hold NumPy and runs as it is."""
    if isinstance(function, keras.Model):
        return tf.function(lambda images: function(images, training=False))
    return function


def _reason(error: ValueError) -> str:
    """Returns what Keras has to say, without the lines that led there and its colors."""
    text = str(error).partition("ValueError: ")[2] or str(error)
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in text.splitlines()]
    telling = [line for line in lines if line and not line.startswith("Exception encountered")]
    return telling[0].rstrip(".") if telling else type(error).__name__


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", None)
    return (name or type(function).__name__).strip("<>")
