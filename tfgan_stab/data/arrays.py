"""Pictures from a `.npz` or `.npy` file, or from an array in memory."""

import hashlib
import os
import warnings
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfgan_stab._utils import validation
from tfgan_stab.data import image_decoding
from tfgan_stab.data.array_files import StoredArray, check_labels, keys_in
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.streams import Share, parallel_map, shuffled

_PATHS = (str, os.PathLike)


def arrays(
    images: str | os.PathLike[str] | ArrayLike,
    batch_size: int = 64,
    seed: int = 0,
    key: str | None = None,
    labels: str | ArrayLike | None = None,
    white: int | None = None,
) -> Batches:
    """Streams pictures that lie in an array.

    Args:
        images: A `.npz` or `.npy` file, or an array (a list or a tensor will do): `[examples,
            height, width, channels]` or, for gray pictures, `[examples, height, width]`; uint8 in
            0..255, or floats in [-1, 1], or other integers with `white`.
        batch_size: Images in a minibatch, an integer in [1, examples].
        seed: Decides the order, an integer in [0, 2**63).
        key: Which array of a `.npz` file holds the pictures; not needed where there is one alone.
        labels: Classes 0, 1, ...: integers `[examples]`; or other conditions of the pictures, such
            as vectors `[examples, n]`, or pictures again, one for each. Or which array of the
            `.npz` file holds them; `None` for a stream of images alone.
        white: Which value is white in an array of other integers than uint8, an integer >= 1: 65535
            for full 16 bits, 4095 for 12 bits. Black is 0.

    Returns:
        Endless batches of float32 `[batch_size, height, width, channels]` in [-1, 1], with int32
        `[batch_size]` labels, or conditions `[batch_size, ...]`, when asked.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If the arrays have another dtype, or are none.
        ValueError: If the arrays have another shape, values out of range or NaN, or the file
            cannot be read.

    Example:
        >>> pictures = np.zeros([100, 8, 8], np.uint8)
        >>> batches = arrays(pictures, batch_size=10)
        >>> batches.example_shape, float(next(iter(batches))[0, 0, 0, 0])
        ((8, 8, 1), -1.0)
    """
    name = f"arrays:{os.fspath(images)}" if isinstance(images, _PATHS) else "array"
    pictures, classes = _read(images, key, labels)
    pictures = _checked(name, pictures, white)
    num_classes = None
    if classes is not None:
        classes = _as_array("labels", classes)
        if classes.ndim < 2:
            check_labels(f"`labels` of {name!r}", classes, len(pictures))
            num_classes = int(classes.max()) + 1
        else:
            classes = _conditions(f"labels of {name}", classes, len(pictures), white)
    return Batches(InMemory(name, pictures, classes, num_classes), batch_size, seed)


def _read(images: Any, key: str | None, labels: Any) -> tuple[np.ndarray, Any]:
    """Returns the pictures as they are stored, and the labels if they lie in the same file."""
    path = os.path.expanduser(os.fspath(images)) if isinstance(images, _PATHS) else None
    keys = None if path is None else keys_in(path)
    if path is not None and keys is not None:
        key = _only(keys) if key is None else _known("key", key, keys)
        if isinstance(labels, str):
            labels = StoredArray(path, _known("labels", labels, keys)).whole()
        return StoredArray(path, key).whole(), labels
    if key is not None or isinstance(labels, str):
        raise ValueError(
            "`key`, and `labels` as a name, choose an array of a `.npz` file; this is a single "
            f"array. Received: key={key!r}, labels={labels!r}. Leave `key` out and give the "
            "labels as an array."
        )
    array = _as_array("images", images) if path is None else StoredArray(path).whole()
    return array, labels


def _only(keys: list[str]) -> str:
    if len(keys) != 1:
        raise ValueError(
            "`key` must say which array of the file holds the pictures. "
            f"Received: key=None; the file has {sorted(keys)}."
        )
    return keys[0]


def _known(argument: str, key: str, keys: list[str]) -> str:
    if key not in keys:
        raise ValueError(
            f"`{argument}` must name an array of the file, one of {sorted(keys)}. "
            f"Received: {argument}={key!r}."
        )
    return key


def _as_array(argument: str, values: Any) -> np.ndarray:
    """Returns what is like an array, such as a list or a tensor, as one."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"`{argument}` must have one shape for all its entries. Received: a "
            f"{type(values).__name__} that NumPy makes no array of: {error}. Bring pictures to one "
            "size first, as `tgs.data.image_folder` does."
        ) from error
    if array.dtype == object:
        wanted = "a `.npz` or `.npy` file, or an array" if argument == "images" else "an array"
        raise TypeError(
            f"`{argument}` must be {wanted} of numbers. Received: {type(values).__name__}. A data "
            "set of tf.data can be given to `fit` as it is."
        )
    return array


def _checked(name: str, images: np.ndarray, white: int | None) -> np.ndarray:
    if white is not None:
        white = validation.integer("white", white)
    image_decoding.check_array(name, images.shape, images.dtype, white=white)
    images = images[..., np.newaxis] if images.ndim == 3 else images
    if images.dtype == np.uint8:
        if images.max() == 1:
            warnings.warn(
                f"{name!r} has bytes 0 and 1 only, where black is 0 and white is 255. If 1 is "
                "white, use `255 * images`.",
                UserWarning,
                stacklevel=4,
            )
        return images
    if white is not None:
        return image_decoding.scaled_by_white(name, images, white)
    image_decoding.check_range(name, images)
    image_decoding.warn_of_half_range(name, images, stacklevel=4)
    return images.astype(np.float32, copy=False)


def _conditions(name: str, conditions: np.ndarray, count: int, white: int | None) -> np.ndarray:
    """Returns vectors or pictures, one for each of so many pictures."""
    if len(conditions) != count:
        raise ValueError(
            f"{name!r} must have one entry per picture, shape [{count}, ...]. Received: shape "
            f"{list(conditions.shape)}. Write as many, or leave the labels out."
        )
    if conditions.ndim > 2:
        return _checked(name, conditions, white)
    if conditions.dtype.kind not in "biuf":
        raise TypeError(f"{name!r} must be numbers. Received: dtype {conditions.dtype}.")
    if not np.isfinite(conditions).all():
        row = np.flatnonzero(~np.isfinite(conditions).all(axis=1))[0]
        raise ValueError(
            f"{name!r} must hold finite numbers. Received: NaN or infinity at index {row}. Leave "
            "such examples out."
        )
    return conditions.astype(np.float32 if conditions.dtype.kind == "f" else np.int32)


class InMemory:
    """Examples that all lie in one tensor, picked by their index.

    Bytes stay bytes until a batch is made, so that 8-bit pictures take a quarter of the memory.

    Args:
        name: What the set is called in reports.
        images: uint8 in 0..255 or float32 in [-1, 1], `[examples, height, width, channels]`.
        labels: Integers `[examples]`, or conditions `[examples, ...]`, pictures as `images` are;
            `None` for a stream of images alone.
        num_classes: Classes of the labels; `None` without labels.
    """

    def __init__(
        self,
        name: str,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        num_classes: int | None = None,
    ) -> None:
        self.name = name
        self.num_examples = len(images)
        self.num_classes = num_classes
        # On a machine with a GPU a constant would land in its memory, and each batch come back.
        with tf.device("CPU:0"):
            self._images = tf.constant(images)
            self._labels = None
            if labels is not None:
                self._labels = tf.constant(labels, tf.int32 if labels.ndim == 1 else None)

    def stream(self, share: Share, seed: int) -> tf.data.Dataset:
        """Endless batches of a process's share of each step."""
        return parallel_map(
            share.numbers(), lambda batch: self._pick(shuffled(batch, self.num_examples, seed))
        )

    def in_order(self, count: int, limit: int | None, labels: bool) -> tf.data.Dataset:
        """One pass in a fixed order, at most `limit`, `count` at a time."""
        end = self.num_examples if limit is None else min(limit, self.num_examples)
        pick = self._pick if labels else self._pick_images
        return parallel_map(tf.data.Dataset.range(end).batch(count), pick)

    @property
    def labels(self) -> np.ndarray | None:
        """All labels or conditions, `[examples, ...]`; `None` without."""
        return None if self._labels is None else self._labels.numpy()

    def metadata(self) -> dict[str, Any]:
        """A short hash of the pixels, so that reports of different data can be told apart."""
        return {"content": hashlib.sha256(self._images.numpy().tobytes()).hexdigest()[:12]}

    def _pick(self, indices: tf.Tensor) -> Any:
        images = self._pick_images(indices)
        if self._labels is None:
            return images
        return images, image_decoding.to_float(tf.gather(self._labels, indices))

    def _pick_images(self, indices: tf.Tensor) -> tf.Tensor:
        return image_decoding.to_float(tf.gather(self._images, indices))
