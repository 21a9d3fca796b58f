"""A progress bar for work on images that takes longer than two seconds."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import tqdm

__all__ = ["PATIENCE", "with_progress"]

PATIENCE = 2.0  # Seconds before the bar appears.
_Item = TypeVar("_Item")


def with_progress(
    items: Iterable[_Item],
    count: int,
    doing: str,
    images_in: Callable[[Any], int] = len,
    show: bool = True,
    leave: bool = True,
) -> Iterator[_Item]:
    """Yields items; after two seconds shows on standard error how many images are done.

    Args:
        items: Batches of images `[batch, ...]`, or what `images_in` understands.
        count: How many images they hold in all.
        doing: What is done with them, such as "sampling".
        images_in: How many images an item holds.
        show: Whether to show anything.
        leave: Whether the full bar stays.

    Example:
        >>> [len(batch) for batch in with_progress(["abc", "de"], 5, "counting")]
        [3, 2]
    """
    with tqdm.tqdm(
        total=count, desc=doing, unit=" images", delay=PATIENCE, leave=leave, disable=not show
    ) as bar:
        for item in items:
            yield item
            bar.update(images_in(item))
