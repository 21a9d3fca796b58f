"""A number that knows how sure it is."""

import numpy as np
from numpy.typing import ArrayLike


class Estimate(float):
    """A mean that remembers what it is the mean of; anywhere else it is a plain float.

    Args:
        parts: One value for each block or split, real numbers `[parts]`, at least one.

    Raises:
        ValueError: If there are no parts, or they have another shape.

    Example:
        >>> estimate = Estimate([1.0, 3.0])
        >>> estimate, estimate.standard_deviation, estimate.standard_error
        (2.0, 1.0, 1.0)
        >>> estimate < 2.5
        True
    """

    parts: np.ndarray

    def __new__(cls, parts: ArrayLike) -> "Estimate":
        """Makes the float that is the mean of the parts."""
        array = np.array(parts, np.float64)
        if array.ndim != 1 or not array.size:
            raise ValueError(
                "An estimate needs the values of its parts, shape [parts], at least one. "
                f"Received: shape {list(array.shape)}."
            )
        array.setflags(write=False)  # The number would no longer be their mean.
        estimate = super().__new__(cls, array.mean())
        estimate.parts = array
        return estimate

    def __reduce__(self) -> tuple[type, tuple[np.ndarray]]:
        """Returns what pickle and copy make it from; a float's own answer has no parts."""
        return type(self), (self.parts,)

    @property
    def standard_deviation(self) -> float:
        """The standard deviation of the parts, divided by their number (ddof 0)."""
        return float(self.parts.std())

    @property
    def standard_error(self) -> float:
        """The standard error of the mean, `sqrt(sum (part - mean)^2 / (n - 1) / n)`.

        NaN with one part, which says nothing of how parts vary.
        """
        count = self.parts.size
        return float(self.parts.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
