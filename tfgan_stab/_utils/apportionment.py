"""Classes as often as their shares say, in an order that spreads them evenly."""

import functools
import math
from collections.abc import Sequence

import numpy as np


def shares_of(counts: Sequence[int]) -> tuple[int, ...]:
    """Returns counts without what they have in common; nothing if all are equal.

    Example:
        >>> shares_of([30, 10]), shares_of([7, 7])
        ((3, 1), ())
    """
    divisor = math.gcd(*counts)
    return () if len(set(counts)) < 2 else tuple(int(count) // divisor for count in counts)


@functools.lru_cache(maxsize=8)
def in_shares(shares: tuple[int, ...], count: int) -> np.ndarray:
    """Returns classes as often as their shares say; the first of more are the same.

    Number j of a class with a share of s comes at the time (j + 1/2) / s, which is Webster's method
    of apportionment. After as many as the shares add up to each class has its own exactly; equal
    shares make turns.

    Args:
        shares: Of each class, integers >= 0, not all 0.
        count: How many, an integer >= 0.

    Returns:
        int `[count]`.

    Example:
        >>> in_shares((2, 1), 6).tolist()
        [0, 1, 0, 0, 1, 0]
    """
    every = np.asarray(shares)
    classes = np.repeat(np.arange(len(every)), every)
    number = np.arange(len(classes)) - np.repeat(np.cumsum(every) - every, every)
    times = (2 * number + 1) / (2 * every[classes])
    found = np.resize(classes[np.lexsort((classes, times))], count)
    found.flags.writeable = False  # It is remembered.
    return found
