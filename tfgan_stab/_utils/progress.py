"""Progress bars for work that takes longer than two seconds, and a clock of training."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import tqdm

__all__ = ["PATIENCE", "Clock", "EpochClock", "milliseconds", "with_progress"]

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


class Clock:
    """Counts the seconds of training; can be set to what an earlier run had counted.

    Example:
        >>> clock = Clock()
        >>> clock.set(5.0)
        >>> clock.seconds
        5.0
    """

    def __init__(self) -> None:
        self._counted = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds counted so far."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._counted + running

    def set(self, seconds: float) -> None:
        """Makes `seconds` what has been counted so far."""
        self._counted = seconds
        if self._since is not None:
            self._since = time.perf_counter()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Counts inside the `with`."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._counted, self._since = self.seconds, None


class EpochClock:
    """Times an epoch by its steps alone: what follows the last one, such as scores, is none of it.

    Example:
        >>> clock = EpochClock()
        >>> clock.begin(steps=0)
        >>> clock.step_done()
        >>> 0 < clock.seconds_per_step(steps=2) < clock.seconds
        True
    """

    def __init__(self) -> None:
        self._first, self._start, self._last = 0, 0.0, 0.0

    def begin(self, steps: int) -> None:
        """Starts an epoch.

        Args:
            steps: Steps taken before it.
        """
        self._first, self._start = steps, time.perf_counter()
        self._last = self._start

    def step_done(self) -> None:
        """Takes note of the end of a step."""
        self._last = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds from the epoch's beginning to the end of its last step."""
        return self._last - self._start

    def seconds_per_step(self, steps: int) -> float:
        """Returns the mean time of a step.

        Args:
            steps: Steps taken by now.
        """
        return self.seconds / max(1, steps - self._first)


def milliseconds(seconds: float) -> str:
    """Returns what a step took, in milliseconds, to three digits or whole ones.

    Example:
        >>> milliseconds(0.01536), milliseconds(1.3204)
        ('15.4', '1320')
    """
    return f"{seconds * 1e3:.3g}" if seconds < 0.9995 else f"{seconds * 1e3:.0f}"
