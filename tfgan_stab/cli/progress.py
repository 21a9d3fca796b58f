"""A progress bar for work on images, if it takes longer than a person likes to wait."""

from collections.abc import Iterable, Iterator

import numpy as np
import tqdm

__all__ = ["PATIENCE", "with_progress"]

PATIENCE = 2.0  # Seconds.


def with_progress(batches: Iterable[np.ndarray], count: int, doing: str) -> Iterator[np.ndarray]:
    """Yields batches, and from two seconds on shows on standard error how many are done.

    Args:
        batches: Arrays `[batch, ...]`.
        count: How many rows they have in all.
        doing: What is done with them, such as "sampling".

    Example:
        >>> [len(batch) for batch in with_progress([np.zeros([3]), np.zeros([2])], 5, "counting")]
        [3, 2]
    """
    with tqdm.tqdm(total=count, desc=doing, unit=" images", delay=PATIENCE) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch))
