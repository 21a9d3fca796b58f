"""Images that lie in a file of arrays or in a folder of pictures: other programs' samples, say.

They are example sets, like those that a GAN trains on: `Batches` of them are the real images of a
score, and `StoredImages` are what is saved or scored.
"""

import itertools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from tfgan_stab._utils import validation
from tfgan_stab.cli.sources.kinds import Kind, SourceError, kind_of
from tfgan_stab.cli.sources.source import Source
from tfgan_stab.data import folders, image_files
from tfgan_stab.data import image_decoding as images
from tfgan_stab.data.array_files import ArrayFile, keys_in
from tfgan_stab.evaluation.real_images import holds_statistics
from tfgan_stab.evaluation.samples import Sample

# What arrays are called: by `numpy.savez` without a name, and by the evaluators of other projects.
IMAGES = ("arr_0", "images", "samples")
LABELS = ("labels", "arr_1")

Stored = ArrayFile | folders.ImageFiles


class StoredImages(Source):
    """Stored images, of which any can be picked.

    Args:
        examples: The images.
        description: What they are called in messages and reports.
    """

    def __init__(self, examples: Stored, description: str) -> None:
        super().__init__(
            description,
            conditional=examples.labels is not None,
            num_classes=examples.num_classes,
            count=examples.num_examples,
            class_names=examples.metadata().get("class_names"),
        )
        self._examples = examples
        self.white = examples.white

    @property
    def classes(self) -> dict[int, str] | None:
        """Those that have images; see `Source.classes`."""
        known, labels = super().classes, self._examples.labels
        if known is None or labels is None:
            return None
        return {number: known[number] for number in np.unique(labels).tolist()}

    def picked(
        self, count: int, seed: int, label: int | None = None, sizes: Sequence[int] = ()
    ) -> Iterator[np.ndarray]:
        """Returns images from all over, so that their order, by class perhaps, is of no account.

        Args:
            count: How many in all, an integer >= 1.
            seed: Decides which, an integer.
            label: Images of this class only; by default of all.
            sizes: The first so many are from all over too, for each of these integers.

        Returns:
            Yields float32 `[batch, height, width, channels]`, as `draw` does.

        Raises:
            ValueError: If there are fewer, or no such class.
        """
        self._check_label(label)
        indices = self._indices(validation.integer("count", count), label)
        # RandomState's stream is frozen, Generator's may change with NumPy's version.
        mixed = indices[np.random.RandomState(seed % 2**32).permutation(len(indices))][:count]
        stretches = np.split(mixed, sorted(size for size in sizes if size < count))
        return itertools.chain.from_iterable(
            self._examples.pick(np.sort(stretch)) for stretch in stretches
        )

    def labels(self, count: int, label: int | None = None) -> np.ndarray | None:
        """Returns the images' classes; see `Source.labels`."""
        classes = self._examples.labels
        return None if classes is None else classes[self._indices(count, label)[:count]]

    def _draw(self, sample: Sample, weights: str | None) -> Iterator[np.ndarray]:
        return self._examples.pick(self._indices(sample.count, sample.label)[: sample.count])

    def _indices(self, count: int, label: int | None) -> np.ndarray:
        """Returns where the images of a class are, `count` at least, in their order."""
        if label is None:
            indices = np.arange(self._examples.num_examples)
        else:
            indices = np.flatnonzero(self._examples.labels == label)
        if count > len(indices):
            of_class = "" if label is None else f" of class {label}"
            raise ValueError(
                f"Expected {count} images{of_class}. Received: {len(indices)}, all there are in "
                f"{self.description}. Ask for {len(indices)} or fewer, or choose a larger source."
            )
        return indices


def open_stored(
    path: pathlib.Path,
    size: int | None = None,
    channels: int | None = None,
    white: int | None = None,
) -> Stored:
    """Returns the images in a file of arrays, or in a folder and the folders in it.

    Images or points in a `.npz` file are called `arr_0`, `images` or `samples`, or are the only
    array; their classes are called `labels` or `arr_1`. If all pictures of a folder lie in
    sub-folders, of which there are several, those are their classes, as
    `tgs.data.image_folder(..., labels=True)` counts them.

    Args:
        path: The file or the folder.
        size: Cuts out the largest square of a folder's pictures and resizes it to this height and
            width, an integer >= 1; by default pictures stay as they are, and must be of one size.
        channels: 1 for gray, 3 for color, 4 for color and alpha; by default 3 if any picture of the
            folder has color, else 1. Unless alpha is kept, what is transparent shows white.
        white: Which value is white in pictures of 16 bits and in arrays of such integers; others
            do without.

    Raises:
        TypeError: If arrays have another dtype.
        ValueError: If something cannot be read, holds no images, or sizes differ.
    """
    name = path.resolve().name
    if kind_of(path) is Kind.FOLDER:
        return _folder(path, name, size, channels, white)
    keys = keys_in(str(path))
    if keys is None:
        return ArrayFile(str(path), name, white=white)
    classes = next((key for key in LABELS if key in keys), None)
    return ArrayFile(str(path), name, _images_key(path, keys), classes, white)


def _images_key(path: pathlib.Path, keys: list[str]) -> str:
    known = [key for key in IMAGES if key in keys]
    others = [key for key in keys if key not in LABELS]
    if holds_statistics(keys) and not known:
        raise SourceError(
            f"Expected images in {path}. Received: statistics of features, "
            f"{' and '.join(sorted(keys))}, which stand for the real images of an FID. Give them "
            "as --real."
        )
    if known:
        return known[0]
    if len(others) == 1:
        return others[0]
    raise SourceError(
        f"{path} must hold images as {', '.join(f'`{key}`' for key in IMAGES)}, or in its only "
        f"array. Received: {sorted(keys) or 'no arrays'}. Write them with "
        "`numpy.savez(path, arr_0=images, arr_1=labels)`."
    )


def _folder(
    directory: pathlib.Path,
    name: str,
    size: int | None,
    channels: int | None,
    white: int | None,
) -> folders.ImageFiles:
    images.check_size_and_channels(size, channels)
    found = folders.find_pictures(str(directory))
    headers, damaged = image_files.read_headers(found.paths)
    white = white if image_files.check_white(headers, white) else None
    shapes = image_files.shapes_of(headers, white, show=True)
    cut = [path for path in headers if path not in shapes]
    damaged |= {path: image_files.damage_of(path, white) for path in cut[:1]}
    if damaged:
        path, reason = next(iter(damaged.items()))
        raise SourceError(
            f"{len(found.paths) - len(shapes)} of {len(found.paths)} pictures cannot be read, such "
            f"as {path}: {reason}. Mend or remove them."
        )
    if size is None:
        _check_one_size(directory, shapes)
    height, width = (size, size) if size else shapes[found.paths[0]][:2]
    channels = channels or (3 if any(header.color for header in headers.values()) else 1)
    shape = (height, width, channels)
    classes, names = _classes(directory, found)
    return folders.ImageFiles(name, headers, shape, size is not None, classes, names, white=white)


def _check_one_size(directory: pathlib.Path, shapes: dict[str, tuple[int, ...]]) -> None:
    (first, (*wanted, _)), *others = shapes.items()
    for path, (*size, _) in others:
        if size != wanted:
            raise SourceError(
                f"The pictures of {directory} must be of one size. Received: {first} of {wanted} "
                f"and {path} of {size}. Bring them to one size, or give --size=64: the largest "
                "square of each, resized."
            )


def _classes(
    directory: pathlib.Path, found: folders.Contents
) -> tuple[list[int] | None, list[str] | None]:
    parents = {pathlib.Path(path).relative_to(directory).parts[0] for path in found.paths}
    loose = any(pathlib.Path(path).parent == directory for path in found.paths)
    if loose or len(parents) == 1:
        return None, None
    return folders.classes_of(str(directory), found.paths, found.folders)
