"""Images -> features: what every extractor is, and how networks are fed.

An extractor gives an image the same features, bit for bit, whatever batch it arrives in: the
network only ever sees batches of one size, the last one filled up and the surplus dropped. So a
score depends on the images alone, a resumed run repeats it, and a graph is traced once.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.evaluation.metrics.inputs import checked_images


class Outputs(NamedTuple):
    """What one run of a network says of a batch of images.

    Args:
        features: Floats `[batch, features]`.
        logits: Floats `[batch, classes]`, or None of an extractor that is no classifier.
    """

    features: Any
    logits: Any = None


class Extractor:
    """Turns images into features. Derive from it to write your own.

    A derived class defines `run(images)`, and a `name`. Scores also take any object that has
    `name`, `content_hash` and can be called with images.

    Attributes:
        name: What protocols call it, without slashes.
        layer: Which of its network's layers the features are, such as "pool_3"; "" where there is
            only one.
        preprocessing: What it does to images first, such as "tf1-resize"; "" for nothing.
        batch_size: Images per call of `run`, an integer >= 1.

    Example:
        >>> class Means(Extractor):
        ...     name = "means"
        ...
        ...     def run(self, images):
        ...         return tf.reduce_mean(images, axis=[1, 2])
        >>> Means()(np.ones([3, 8, 8, 1], "float32")).tolist()
        [[1.0], [1.0], [1.0]]
    """

    name = "extractor"
    layer = ""
    preprocessing = ""
    batch_size = 256
    _image_shape: tuple[int, ...] | None = None
    _probed_hash: str | None = None

    def run(self, images: tf.Tensor) -> Any:
        """Returns features `[batch_size, features]`, or `Outputs` with logits beside them.

        Args:
            images: float32 `[batch_size, height, width, channels]` in [-1, 1], as `prepare` gives
                them. Each must be treated alone.
        """
        raise TypeError(f"{type(self).__name__} must define `run(images)`.")

    def prepare(self, images: ArrayLike) -> np.ndarray:
        """Returns images as `run` takes them; says what is wrong with any others."""
        return checked_images(images)

    @property
    def content_hash(self) -> str:
        """Short hash of what determines the features; other weights, other hash.

        Unless a derived class knows better, that of the features of a fixed noise image of the same
        shape, known once images were seen; rounding may make it another on another machine.

        Raises:
            RuntimeError: If no image was seen yet.
        """
        if self._probed_hash is None:
            if self._image_shape is None:
                raise RuntimeError(
                    f"The content hash of extractor {self.name!r} is known once it has seen an "
                    "image. Call it first, or pass content_hash= or define `content_hash`."
                )
            # RandomState's stream is frozen, Generator's may change with NumPy's version.
            probe = np.random.RandomState(0).uniform(-1, 1, (1, *self._image_shape))
            features = in_fixed_batches(self.run, probe.astype(np.float32), self.batch_size)[0]
            content = np.ascontiguousarray(features).tobytes()
            self._probed_hash = hashlib.sha256(content).hexdigest()[:8]
        return self._probed_hash

    def __call__(self, images: ArrayLike) -> np.ndarray:
        """Returns features `[batch, features]` of a batch of any size.

        Raises:
            TypeError: If the images are not floats, or the features no real numbers.
            ValueError: If the images or the features have another shape, or an image leaves [-1, 1]
                or is not finite.
        """
        return self.outputs(images).features

    def outputs(self, images: ArrayLike) -> Outputs:
        """Returns features, and logits if there are any, of images as for a call."""
        prepared = self.prepare(images)
        found = Outputs(*in_fixed_batches(self.run, prepared, self.batch_size))
        if self._image_shape is None:
            self._image_shape = prepared.shape[1:]
        return found


def outputs_of(extractor: Any, images: ArrayLike) -> Outputs:
    """Returns features, and logits where the extractor has any, from one run of its network.

    Args:
        extractor: An `Extractor`, or any object that gives features of images when it is called.
        images: As for a call of it.

    Example:
        >>> outputs_of(lambda images: images.mean(axis=(1, 2)), np.zeros([3, 8, 8, 1])).logits
    """
    if hasattr(extractor, "outputs"):
        return extractor.outputs(images)
    return Outputs(extractor(images))


def in_fixed_batches(
    run: Callable[[tf.Tensor], Any], images: np.ndarray, batch_size: int
) -> list[np.ndarray]:
    """Returns a network's features of all images, and its logits if any, from full batches only.

    Args:
        run: Takes a tensor `[batch_size, ...]`, returns numbers `[batch_size, features]`, or
            `Outputs` of such.
        images: `[samples, ...]`, at least one.
        batch_size: Images per call, an integer >= 1.

    Returns:
        Features `[samples, features]`, in single or double precision; after them the logits.

    Raises:
        ValueError: If `run` does not return numbers `[batch, features]`.
        TypeError: If it returns anything but real numbers.

    Example:
        >>> [features] = in_fixed_batches(lambda x: 2 * x, np.ones([3, 2]), batch_size=2)
        >>> features.tolist()
        [[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]
    """
    pieces = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        padding = [(0, batch_size - len(batch))] + [(0, 0)] * (images.ndim - 1)
        found = run(tf.constant(np.pad(batch, padding)))
        outputs = found if isinstance(found, Outputs) else Outputs(found)
        given = [output for output in outputs if output is not None]
        pieces.append([_checked(output, batch_size)[: len(batch)] for output in given])
    return [np.concatenate(column) for column in zip(*pieces, strict=True)]


def _checked(output: Any, batch_size: int) -> np.ndarray:
    try:
        features = np.asarray(output)
    except ValueError:  # Several outputs of different sizes.
        features = np.empty(0, object)
    if features.ndim != 2 or len(features) != batch_size:
        received = f"shape {list(features.shape)}"
        if isinstance(output, (list, tuple, dict)):
            received = f"a {type(output).__name__} of {len(output)}"
        raise ValueError(
            f"An extractor must return features [{batch_size}, features] for {batch_size} "
            f"images. Received: {received}. Pool or flatten its output, choose one of several."
        )
    return _as_floats(features)


def _as_floats(features: np.ndarray) -> np.ndarray:
    if features.dtype in (np.float32, np.float64):
        return features
    if features.dtype.kind == "f" or features.dtype.name == "bfloat16":
        return features.astype(np.float32)
    if features.dtype.kind not in "iub":
        raise TypeError(
            f"Features must be real numbers. Received: dtype {features.dtype}. Return their real "
            "and imaginary parts, or their codes, as floats."
        )
    return features.astype(np.float64)


MODES = ("tf1", "clean")


def resized(images: Any, size: int, mode: str) -> tf.Tensor:
    """Returns images of `size` x `size` pixels; the aspect ratio is not kept.

    "tf1" is the bilinear interpolation of TensorFlow 1, which most published scores in TensorFlow
    were taken with. Output pixel i lies at input `i * old / new`, between two neighbours; where
    images become smaller, the pixels in between count for nothing (aliasing).

    "clean" is the bicubic interpolation of the Pillow library on single channels of floats, as
    clean-fid uses it: output pixel i lies at input `(i + 1/2) * old / new - 1/2`, the kernel
    (a = -1/2) is as wide as an output pixel where images become smaller (anti-aliasing). It
    overshoots at edges; what leaves [-1, 1] is clipped, as clean-fid clips to [0, 255].

    A graph, traced once for each shape of images.

    Args:
        images: Floats `[batch, height, width, channels]` in [-1, 1]; computed in float32.
        size: Height and width of the result in pixels, an integer >= 1.
        mode: "tf1" or "clean".

    Returns:
        float32 `[batch, size, size, channels]`.

    Raises:
        TypeError: If the images are no floats.
        ValueError: If `mode` is unknown, `size` is no integer or out of range, or the images have
            another shape.

    Example:
        >>> resized([[[[-1.0], [1.0]]]], 4, "tf1")[0, 0, :, 0].numpy().tolist()
        [-1.0, 0.0, 1.0, 1.0]

    Reference:
        Parmar, Zhang and Zhu, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation",
        2022. Departures: "clean" agrees with Pillow to about 1e-4, by TensorFlow's anti-aliasing.
    """
    if mode not in MODES:
        raise ValueError(f"`mode` must be 'tf1' or 'clean'. Received: {mode!r}.")
    validation.integer("size", size)
    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating:
        raise TypeError(
            f"Images must be floats in [-1, 1]. Received: dtype {images.dtype.name}. "
            "Scale bytes as x / 127.5 - 1."
        )
    if images.shape.rank != 4:
        raise ValueError(
            "Images must have shape [batch, height, width, channels]. "
            f"Received: shape {images.shape}."
        )
    return _resized(tf.cast(images, tf.float32), size, mode)


@tf.function(autograph=False)
def _resized(images: tf.Tensor, size: int, mode: str) -> tf.Tensor:
    if mode == "tf1":
        # What tf.compat.v1.image.resize_bilinear calls, without its warning of its own age.
        return tf.raw_ops.ResizeBilinear(
            images=images, size=[size, size], align_corners=False, half_pixel_centers=False
        )
    wide = tf.image.resize(images, [size, size], method="bicubic", antialias=True)
    return tf.clip_by_value(wide, -1.0, 1.0)
