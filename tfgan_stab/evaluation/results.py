"""A number that knows how it was measured. Numbers of different protocols refuse to be compared."""

import dataclasses
import operator
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class ScoreResult:
    """A number that knows how it was measured; results of one protocol can be ranked.

    Args:
        name: The score's name, such as "fid".
        value: The number.
        protocol: How it was measured.
        larger_is_better: Whether the best generators have the largest numbers. `<` compares the
            numbers all the same.
        standard_error: How far the number may be from what endless samples would give, where the
            score knows.
        remark: What the number alone does not say, such as round-off that was cut off; "" where
            there is nothing to say.

    Example:
        >>> ScoreResult("fid", 8.5, "fid/a@1") < ScoreResult("fid", 9.0, "fid/a@1")
        True
    """

    name: str
    value: float
    protocol: str
    larger_is_better: bool = False
    standard_error: float | None = None
    remark: str = ""

    def __lt__(self, other: object) -> bool:
        return self._ranked(other, operator.lt)

    def __le__(self, other: object) -> bool:
        return self._ranked(other, operator.le)

    def __gt__(self, other: object) -> bool:
        return self._ranked(other, operator.gt)

    def __ge__(self, other: object) -> bool:
        return self._ranked(other, operator.ge)

    def _ranked(self, other: object, order: Callable[[float, float], bool]) -> bool:
        """Compares the numbers alone: equality asks for more, such as equal errors."""
        if not isinstance(other, ScoreResult):
            return NotImplemented
        same_protocol(self, other)
        return order(self.value, other.value)

    def better_than(self, other: "ScoreResult") -> bool:
        """Whether this is the better one of two results of one protocol.

        Raises:
            ValueError: If they were measured in different ways.

        Example:
            >>> high, low = (ScoreResult("kid", value, "kid/a@1") for value in (0.2, 0.1))
            >>> low.better_than(high)
            True
        """
        same_protocol(self, other)
        return self.value > other.value if self.larger_is_better else self.value < other.value


def same_protocol(*results: ScoreResult) -> str:
    """Returns the protocol that all results share.

    Raises:
        ValueError: If they were measured in different ways, or there are none.

    Example:
        >>> same_protocol(ScoreResult("fid", 8.5, "fid/a@1"), ScoreResult("fid", 9.0, "fid/a@1"))
        'fid/a@1'
    """
    protocols = sorted({result.protocol for result in results})
    if len(protocols) != 1:
        raise ValueError(
            "Only scores of one protocol can be compared. "
            f"Received: {' and '.join(protocols) or 'no score'}. Measure them in the same way."
        )
    return protocols[0]


def one_or_all(several: list[Any]) -> Any:
    """Returns the only one of several, or all of them."""
    return several[0] if len(several) == 1 else several


def all_of(one_or_several: Any) -> list[Any]:
    """Returns a list, whether there was one or several."""
    return one_or_several if isinstance(one_or_several, list) else [one_or_several]
