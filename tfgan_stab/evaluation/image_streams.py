"""A stream of images in batches of one size."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike


def rebatched(
    batches: Iterable[ArrayLike], batch_size: int, samples: int | None = None
) -> Iterator[np.ndarray]:
    """Yields the images of batches of any sizes in batches of one size; the last may be smaller.

    Args:
        batches: Arrays or tensors `[batch, ...]`.
        batch_size: Images per batch yielded, an integer >= 1.
        samples: Stop after so many images, without asking for more; by default take all.

    Raises:
        ValueError: If fewer than `samples` images come, or they differ in size.

    Example:
        >>> [len(batch) for batch in rebatched([np.zeros([5, 2]), np.zeros([4, 2])], 3, samples=8)]
        [3, 3, 2]
    """
    waiting: list[np.ndarray] = []
    taken = 0
    for batch in batches:
        images = np.asarray(batch)[: None if samples is None else samples - taken]
        taken += len(images)
        waiting.append(images)
        if sum(map(len, waiting)) >= batch_size:
            joined = _joined(waiting)
            whole = len(joined) // batch_size * batch_size
            yield from np.split(joined[:whole], whole // batch_size)
            waiting = [joined[whole:]]
        if taken == samples:
            break
    if samples is not None and taken < samples:
        raise ValueError(
            f"The score needs {samples} images. Received: {taken}. "
            "Lower `samples` or generate more."
        )
    if sum(map(len, waiting)):
        yield _joined(waiting)


def _joined(batches: list[np.ndarray]) -> np.ndarray:
    shapes = {batch.shape[1:] for batch in batches}
    if len(shapes) > 1:
        listed = " and ".join(sorted(str(list(shape)) for shape in shapes))
        raise ValueError(
            f"All images must have one size. Received: shapes {listed}. Resize or crop them."
        )
    return np.concatenate(batches)
