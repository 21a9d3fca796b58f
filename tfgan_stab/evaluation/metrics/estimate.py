"""A number with what is known of it: its parts, its standard error, what rounding took."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class Estimate(float):
    """A number that knows how sure it is; anywhere else it is a plain float.

    Args:
        value: The number.
        parts: The values that it is the mean of, one for each block, split or pair, real numbers
            `[parts]`; empty if it is no mean.
        standard_error: How far the number may be from what endless samples would give; `None` for
            what the parts say.
        clipped: How far below 0 rounding had put the number before it was set to 0.

    Raises:
        ValueError: If `parts` have another shape.

    Example:
        >>> estimate = Estimate.mean_of([1.0, 3.0])
        >>> estimate, estimate.standard_deviation, estimate.standard_error
        (2.0, 1.0, 1.0)
        >>> estimate < 2.5
        True
    """

    parts: np.ndarray
    clipped: float

    def __new__(
        cls,
        value: float,
        parts: ArrayLike = (),
        standard_error: float | None = None,
        clipped: float = 0.0,
    ) -> "Estimate":
        """Makes the float."""
        array = np.array(parts, np.float64)
        if array.ndim != 1:
            raise ValueError(f"Parts must have shape [parts]. Received: shape {list(array.shape)}.")
        array.setflags(write=False)  # The number would no longer be their mean.
        estimate = super().__new__(cls, value)
        estimate.parts, estimate.clipped = array, clipped
        estimate._standard_error = standard_error
        return estimate

    _standard_error: float | None

    @classmethod
    def mean_of(cls, parts: Sequence[float] | np.ndarray) -> "Estimate":
        """Returns the mean of some values, at least one.

        Raises:
            ValueError: If there are none, or they have another shape.
        """
        array = np.array(parts, np.float64)
        if array.ndim != 1 or not array.size:
            raise ValueError(
                "A mean needs the values of its parts, shape [parts], at least one. "
                f"Received: shape {list(array.shape)}."
            )
        return cls(float(array.mean()), array)

    @classmethod
    def clipped_at_zero(cls, value: float) -> "Estimate":
        """Returns a number that cannot be negative, and remembers if rounding made it so."""
        return cls(max(value, 0.0), clipped=max(-value, 0.0))

    def __reduce__(self) -> tuple[Any, ...]:
        """Returns what pickle and copy make it from; a float's own answer has no parts."""
        return type(self), (float(self), self.parts, self._standard_error, self.clipped)

    @property
    def value(self) -> float:
        """The number as a plain float."""
        return float(self)

    @property
    def standard_deviation(self) -> float:
        """The standard deviation of the parts, divided by their number (ddof 0); NaN of none."""
        return float(self.parts.std()) if self.parts.size else float("nan")

    @property
    def standard_error(self) -> float:
        """The standard error of the mean, `sqrt(sum (part - mean)^2 / (n - 1) / n)`.

        NaN with one part, which says nothing of how parts vary, and where there are none.
        """
        if self._standard_error is not None:
            return self._standard_error
        count = self.parts.size
        return float(self.parts.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")

    @property
    def remark(self) -> str:
        """What rounding took from the number, in words; "" where nothing."""
        return f"round-off of {-self.clipped:.1e} was set to 0" if self.clipped else ""
