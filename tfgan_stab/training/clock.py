"""How long a run has trained, interruptions left out."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Counts seconds while it runs; can be set to what an earlier run had counted.

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
