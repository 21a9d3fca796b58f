"""Images that lie somewhere already: what folders and arrays have in common."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfgan_stab.cli.sources.contract import check_count, check_label, check_no_weights


class StoredImages:
    """Images in a fixed order, with a class each or without.

    Args:
        description: What they are called in messages and reports.
        count: How many there are.
        pixels: "uint8" if bytes are stored, otherwise "float32".
        classes: The class of each, int `[count]`, or `None`.
        num_classes: How many classes; by default one more than the largest.
    """

    default_weights: str | None = None

    def __init__(
        self,
        description: str,
        count: int,
        pixels: str,
        classes: Any = None,
        num_classes: int | None = None,
    ) -> None:
        self.description = description
        self.weights: list[str] = []
        self.pixels = pixels
        self.count: int | None = count
        self.conditional = classes is not None
        self.num_classes = num_classes
        self._all = count
        self._classes = None
        if classes is not None:
            self._classes = np.asarray(classes, np.int32)
            self.num_classes = num_classes or int(self._classes.max()) + 1

    def draw(
        self, count: int, weights: str | None = None, seed: int = 0, label: int | None = None
    ) -> Iterator[np.ndarray]:
        """Returns the first images; see `Source.draw`."""
        check_no_weights(self.description, weights)
        check_label(self.description, label, self.conditional, self.num_classes)
        chosen = self._chosen(label)
        check_count(self.description, count, len(chosen), label)
        return self._read(chosen[:count])

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
        check_label(self.description, label, self.conditional, self.num_classes)
        chosen = self._chosen(label)
        check_count(self.description, count, len(chosen), label)
        # RandomState's stream is frozen, Generator's may change with NumPy's version.
        mixed = chosen[np.random.RandomState(seed % 2**32).permutation(len(chosen))][:count]
        stretches = np.split(mixed, sorted(size for size in sizes if size < count))
        return itertools.chain.from_iterable(self._read(np.sort(part)) for part in stretches)

    def labels(self, count: int, label: int | None = None) -> np.ndarray | None:
        """Returns the images' classes; see `Source.labels`."""
        return None if self._classes is None else self._classes[self._chosen(label)[:count]]

    def _chosen(self, label: int | None) -> np.ndarray:
        """The indices of the images of a class, in order."""
        if label is None or self._classes is None:
            return np.arange(self._all)
        return np.flatnonzero(self._classes == label)

    def _read(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Yields images in batches, float32 in [-1, 1].

        Args:
            indices: Which, in increasing order.
        """
        raise TypeError(f"{type(self).__name__} must define `_read(indices)`.")
