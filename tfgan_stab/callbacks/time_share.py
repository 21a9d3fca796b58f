"""How much of the wall time something beside training takes, and whether it may take more."""

import time
from collections.abc import Callable


class TimeShare:
    """Keeps account of what a recurring piece of work costs.

    Args:
        largest: The largest part of the wall time it may take, in (0, 1]; `None` for any.
        now: Tells the time in seconds.

    Raises:
        ValueError: If `largest` is out of range.

    Example:
        >>> share = TimeShare(0.1)
        >>> share.begin()
        >>> share.has_room
        True
    """

    def __init__(
        self, largest: float | None = None, now: Callable[[], float] = time.perf_counter
    ) -> None:
        is_number = isinstance(largest, (int, float)) and not isinstance(largest, bool)
        if largest is not None and not (is_number and 0 < largest <= 1):
            raise ValueError(
                "`max_share` must be a part of the wall time in (0, 1], or None. Received: "
                f"{largest!r}. Use 0.1 for a tenth."
            )
        self.largest = largest
        self._now = now
        self.begin()

    def begin(self) -> None:
        """Counts from now on."""
        self._began = self._now()
        self._spent = 0.0
        self.last_cost = 0.0

    @property
    def now(self) -> float:
        """The part of the wall time that the work has taken so far."""
        elapsed = self._now() - self._began
        return self._spent / elapsed if elapsed > 0 else 0.0

    @property
    def has_room(self) -> bool:
        """Whether the work may be done now; it is expected to cost what it did the last time."""
        if self.largest is None or not self.last_cost:
            return True
        elapsed = self._now() - self._began + self.last_cost
        return self._spent + self.last_cost <= self.largest * elapsed

    def once(self, work: Callable[[], None]) -> None:
        """Does what will not be done again, and counts it."""
        before = self._now()
        work()
        self._spent += self._now() - before

    def again(self, work: Callable[[], None]) -> None:
        """Does the work, counts it, and notes what it costs."""
        before = self._now()
        work()
        self.last_cost = self._now() - before
        self._spent += self.last_cost
