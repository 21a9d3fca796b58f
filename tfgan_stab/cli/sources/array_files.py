"""Images in a `.npz` or `.npy` file, as other programs for samples and scores write them."""

import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfgan_stab.cli.sources.array_streams import ArrayStream, names_in
from tfgan_stab.cli.sources.contract import BATCH
from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.cli.sources.stored_images import StoredImages
from tfgan_stab.data.images import to_float
from tfgan_stab.data.pixels import check_range, warn_of_half_range

# What images are called: by `numpy.savez` without a name, and by the evaluators of other projects.
IMAGES = ("arr_0", "images", "samples")
LABELS = ("labels", "arr_1")


class ArrayFile(StoredImages):
    """Images or points in a file of arrays, of which a piece at a time is in memory.

    Images are uint8 in 0..255 or floats in [-1, 1], `[examples, height, width, channels]` or
    `[examples, height, width]`; points are floats `[examples, dimensions]`. In a `.npz` file they
    are called `arr_0`, `images` or `samples`, or are the only array; int classes `[examples]` are
    called `labels` or `arr_1`.

    Args:
        path: The file.

    Raises:
        SourceError: If it cannot be read, or holds something else.
        ValueError: If values of the first images are out of range.
    """

    def __init__(self, path: pathlib.Path) -> None:
        names = names_in(path) if path.suffix == ".npz" else None
        self._stream = ArrayStream(path, None if names is None else _images_key(path, names))
        self._path = path
        count = _checked_shape(path, self._stream)
        pixels = "uint8" if self._stream.dtype == np.uint8 else "float32"
        super().__init__(str(path), count, pixels, _labels(path, names or [], count))
        first = next(self._read(np.arange(min(count, BATCH))))
        if pixels == "float32" and first.ndim == 4:
            warn_of_half_range(str(path), first, stacklevel=4)

    def _read(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        wanted = np.zeros([self._all], bool)
        wanted[indices] = True
        last = int(indices[-1])
        for number, piece in enumerate(self._stream.pieces(BATCH)):
            first = number * BATCH
            chosen = wanted[first : first + BATCH]
            if chosen.any():
                examples = piece if chosen.all() else piece[chosen]
                self._check(examples, first + np.flatnonzero(chosen))
                yield _as_floats(examples)
            if first + BATCH > last:
                return

    def _check(self, examples: np.ndarray, indices: np.ndarray) -> None:
        """Refuses what is not finite, or no picture in [-1, 1]; names the example."""
        if examples.dtype == np.uint8:
            return
        finite = np.isfinite(examples).reshape(len(examples), -1).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{self._path} must hold finite numbers. Received: NaN or infinity at index "
                f"{indices[~finite][0]}. Leave such examples out."
            )
        if examples.ndim > 2:
            check_range(str(self._path), examples)


def _as_floats(examples: np.ndarray) -> np.ndarray:
    examples = examples[..., np.newaxis] if examples.ndim == 3 else examples
    if examples.dtype == np.uint8:
        return to_float(tf.constant(examples)).numpy()
    return examples.astype(np.float32)


def _images_key(path: pathlib.Path, names: list[str]) -> str:
    known = [name for name in IMAGES if name in names]
    others = [name for name in names if name not in LABELS]
    if known:
        return known[0]
    if len(others) == 1:
        return others[0]
    raise SourceError(
        f"{path} must hold images as {', '.join(f'`{name}`' for name in IMAGES)}, or in its only "
        f"array. Received: {sorted(names) or 'no arrays'}. Write them with "
        "`numpy.savez(path, arr_0=images, arr_1=labels)`."
    )


def _checked_shape(path: pathlib.Path, stream: ArrayStream) -> int:
    """Returns how many examples there are."""
    shape, dtype = list(stream.shape), stream.dtype
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise SourceError(
            f"{path} must hold images [examples, height, width, channels], gray ones [examples, "
            f"height, width], or points [examples, dimensions]. Received: shape {shape}. Reshape "
            "them, or choose another source."
        )
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] > 4:
        raise SourceError(
            f"{path} must have its channels last. Received: shape {shape}, which has them first. "
            "Use `numpy.transpose(images, (0, 2, 3, 1))`."
        )
    if len(shape) == 3 and shape[2] in (1, 3, 4) and dtype == np.uint8:
        raise SourceError(
            f"{path} must hold several images, [examples, height, width, channels]. Received: "
            f"shape {shape}, which is one image. Stack all of them: `numpy.stack(images)`."
        )
    if dtype != np.uint8 and not np.issubdtype(dtype, np.floating):
        raise SourceError(
            f"{path} must hold uint8 in 0..255 or floats in [-1, 1]. Received: dtype {dtype}. If "
            "the values are 0..255, use `numpy.asarray(images, numpy.uint8)`."
        )
    return shape[0]


def _labels(path: pathlib.Path, names: list[str], count: int) -> np.ndarray | None:
    key = next((name for name in LABELS if name in names), None)
    if key is None:
        return None
    stream = ArrayStream(path, key)
    shape, dtype = list(stream.shape), stream.dtype
    if shape != [count] or not np.issubdtype(dtype, np.integer):
        raise SourceError(
            f"`{key}` in {path} must hold the classes of the {count} images, integers [{count}]. "
            f"Received: {dtype} of shape {shape}. Write classes, or leave the array out."
        )
    labels = np.concatenate(list(stream.pieces(2**20)))
    if labels.min() < 0:
        raise SourceError(
            f"`{key}` in {path} must hold classes 0, 1, ... Received: {labels.min()} at index "
            f"{labels.argmin()}. Leave out images without a class."
        )
    return labels
