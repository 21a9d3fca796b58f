"""Images -> features: what every extractor promises, and any function or Keras model as one.

An extractor gives an image the same features, bit for bit, whatever batch it arrives in: the
network only ever sees batches of one size, the last one filled up. So a score depends on the images
alone, and a resumed run repeats it.
"""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

# Generators end in tanh; resizing and half precision may overshoot its range by a rounding error.
_RANGE_SLACK = 1e-3


class Extractor(Protocol):
    """Turns images into features."""

    @property
    def name(self) -> str:
        """What protocols call it, without slashes."""
        ...

    @property
    def content_hash(self) -> str:
        """Short hash of what determines the features; other weights, other hash."""
        ...

    def __call__(self, images: ArrayLike) -> np.ndarray:
        """Returns float features `[batch, features]` of images `[batch, ...]` in [-1, 1]."""
        ...


class Outputs(NamedTuple):
    """What a network says of images.

    Attributes:
        features: Floats `[batch, features]`.
        logits: Floats `[batch, classes]`; `None` where it does not classify.
    """

    features: np.ndarray
    logits: np.ndarray | None


def outputs_of(extractor: Extractor, images: ArrayLike) -> Outputs:
    """Returns features and, where there are any, logits, from one run of the network."""
    outputs = getattr(extractor, "outputs", None)
    return Outputs(extractor(images), None) if outputs is None else outputs(images)


class FunctionExtractor:
    """Any function or Keras model as an extractor.

    Args:
        function: A Keras model, called with `training=False`, or a function; takes float32 images
            `[batch, height, width, channels]` in [-1, 1] (or points `[batch, size]`) and returns
            features `[batch, features]`. Must treat each image alone.
        name: Its name in protocols; by default the function's or model's own.
        content_hash: What tells versions apart. By default the hash of the features of a fixed
            noise image of the same shape, known once images were seen; rounding may make it another
            on another machine, so pass a hash of the weights to compare scores across machines.
        batch_size: Images per call, an integer >= 1.

    Raises:
        TypeError: If `function` cannot be called.

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
                "An extractor must be 'digits', a Keras model, a function of images or an object "
                f"with name, content_hash and __call__. Received: {function!r}."
            )
        self.name = (name or _name_of(function)).replace("/", "-")
        self._hash = content_hash
        self._batch_size = batch_size
        self._forward = _traced(function)

    @property
    def content_hash(self) -> str:
        """Short hash of what determines the features.

        Raises:
            RuntimeError: If it was not given and no image was seen yet.
        """
        if self._hash is None:
            raise RuntimeError(
                f"The content hash of extractor {self.name!r} is known once it has seen an image. "
                "Call it first, or pass content_hash=."
            )
        return self._hash

    def __call__(self, images: ArrayLike) -> np.ndarray:
        """Returns features `[batch, features]` of a batch of any size."""
        images = checked_images(images)
        if self._hash is None:
            self._hash = self._probe_hash(images.shape[1:])
        return in_fixed_batches(self._forward, images, self._batch_size)

    def _probe_hash(self, shape: tuple[int, ...]) -> str:
        # RandomState's stream is frozen, Generator's may change with NumPy's version.
        probe = np.random.RandomState(0).uniform(-1, 1, (1, *shape)).astype(np.float32)
        features = in_fixed_batches(self._forward, probe, self._batch_size)
        return hashlib.sha256(np.ascontiguousarray(features).tobytes()).hexdigest()[:8]


def as_extractor(extractor: Any) -> Extractor:
    """Returns the extractor that a name, a Keras model or a function stands for.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is nothing that can be called.

    Example:
        >>> as_extractor("digits").name
        'digits-classifier'
    """
    if isinstance(extractor, str):
        # Imported here because it builds on this module.
        from tfgan_stab.evaluation.digits_classifier import DigitsClassifier

        if extractor != "digits":
            raise ValueError(
                "The extractors known by name are: 'digits'. "
                f"Received: {extractor!r}. Pass a Keras model or a function for any other."
            )
        return DigitsClassifier()
    # Looked up without evaluating it: a content hash may cost the training of its network.
    if inspect.getattr_static(extractor, "content_hash", None) is not None:
        return extractor
    return FunctionExtractor(extractor)


def checked_images(images: ArrayLike) -> np.ndarray:
    """Returns a batch of images as float32, or says what is wrong with it.

    Args:
        images: Floats `[batch, height, width, channels]` in [-1, 1], or points `[batch, size]`.

    Raises:
        TypeError: If the values are not floats.
        ValueError: If the shape is another, a value is not finite, or an image leaves [-1, 1].
    """
    array = np.asarray(images)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise TypeError(
            f"Images must be floats in [-1, 1]. Received: dtype {array.dtype}. "
            "Scale bytes as x / 127.5 - 1."
        )
    if array.ndim not in (2, 4) or 0 in array.shape:
        raise ValueError(
            "Images must have shape [batch, height, width, channels] (points: [batch, size]), "
            f"without an empty axis. Received: shape {list(array.shape)}."
        )
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        bad = np.count_nonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        raise ValueError(
            f"Images must be finite. Received: NaN or infinity in {bad} of {len(array)} images. "
            "If a generator made them, its weights have diverged."
        )
    if array.ndim == 4 and np.abs(array).max() > 1.0 + _RANGE_SLACK:
        raise ValueError(
            f"Images must lie in [-1, 1]. Received: values in [{array.min():.4g}, "
            f"{array.max():.4g}]. Scale them, or end the generator with tanh."
        )
    return array


def in_fixed_batches(
    forward: Callable[[tf.Tensor], Any], images: np.ndarray, batch_size: int
) -> np.ndarray:
    """Returns `forward`'s features of all images, calling it with full batches only.

    Raises:
        ValueError: If `forward` does not return `[batch, features]`.
    """
    pieces = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        padding = [(0, batch_size - len(batch))] + [(0, 0)] * (images.ndim - 1)
        features = np.asarray(forward(tf.constant(np.pad(batch, padding))))
        if features.ndim != 2 or len(features) != batch_size:
            raise ValueError(
                f"An extractor must return features [{batch_size}, features] for {batch_size} "
                f"images. Received: shape {list(features.shape)}. Pool or flatten its output."
            )
        pieces.append(features[: len(batch)])
    return np.concatenate(pieces)


def _traced(function: Callable[..., Any]) -> Callable[[tf.Tensor], Any]:
    """Keras models run as a graph, traced once; a function may hold NumPy and runs as it is."""
    if isinstance(function, keras.Model):
        return tf.function(lambda images: function(images, training=False))
    return function


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", None)
    return (name or type(function).__name__).strip("<>")
