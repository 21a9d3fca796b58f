"""Compares derivatives with finite differences, of functions that may have kinks and rounding."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# What is below this part of a function's value is rounding, at the smallest of the steps.
ROUNDING = 1e-8
UNKNOWN = object()


class Trial(NamedTuple):
    """Finite differences to try.

    Attributes:
        steps: How far to go to both sides, in the length of the direction.
        same: Relative error up to which two differences count as the same number.
        tolerance: Relative error of a derivative that they confirm.
        loose: The same where no two are the same.
    """

    steps: Sequence[float]
    same: float
    tolerance: float
    loose: float


# Networks of straight pieces have kinks, a thousand of them within 1e-5 in a large one: steps are
# as small as float64's rounding allows, and several. Two that agree have met no kink. Derivatives
# that are right then agree with them to 1e-6, the mildest wrong ones seen, one group normalization
# among many convolutions, to 3e-4.
FINE = Trial((1e-7, 1e-6, 1e-8, 1e-5), same=3e-5, tolerance=1e-4, loose=0.02)
# Where something steps to float32, only large steps are above the rounding.
COARSE = Trial((1e-2, 3e-3, 3e-2), same=0.3, tolerance=0.3, loose=0.3)


def compared(
    claimed: float, measure: Callable[[float], float], trials: Sequence[Trial], scale: float = 0.0
) -> Any:
    """Returns the finite difference if it contradicts a derivative, `None` if one confirms it.

    Args:
        claimed: The derivative.
        measure: Function from a step to a finite difference.
        trials: What to try; the next one only if one before did not decide.
        scale: The function's value, any sign: differences that are tiny beside it are rounding.

    Returns:
        `UNKNOWN` if no difference confirms it and no two agree with each other: kinks and rounding
        are then larger than the derivative.

    Example:
        >>> compared(3.0, lambda step: 3.0 + step, [FINE]) is None
        True
        >>> round(compared(2.99, lambda step: 3.0 + step, [FINE]), 3)
        3.0
        >>> compared(3.0, lambda step: 1.0 / step, [FINE]) is UNKNOWN
        True
    """
    floor = ROUNDING * abs(scale) + 1e-30
    for trial in trials:
        measured: list[float] = []
        for step in trial.steps:
            measured.append(measure(step))
            if _alike(measured[-1], claimed, trial.same, floor):
                return None
        # A step that rounding swallows says nothing.
        measured = [found for found in measured if found]
        known = _agreed(measured, trial.same, floor)
        if known is not None:
            return None if _alike(known, claimed, trial.tolerance, floor) else known
        if any(_alike(found, claimed, trial.loose, floor) for found in measured):
            return None
        known = _agreed(measured, trial.loose, floor)
        if known is not None:
            return known
    return UNKNOWN


def _agreed(measured: Sequence[float], tolerance: float, floor: float) -> float | None:
    """Returns the first of two that are alike."""
    pairs = itertools.combinations(measured, 2)
    return next((one for one, other in pairs if _alike(one, other, tolerance, floor)), None)


def _alike(one: float, other: float, tolerance: float, floor: float) -> bool:
    return abs(one - other) <= tolerance * max(abs(one), abs(other)) + floor


def directions(weights: Sequence[tf.Tensor]) -> Iterator[list[tf.Tensor]]:
    """Yields random directions, each weight's part as large as the weight."""
    random = np.random.default_rng(0)
    while True:
        direction = []
        for own in weights:
            size = float(tf.sqrt(tf.reduce_mean(tf.square(own)))) or 0.02
            direction.append(tf.constant(size * random.standard_normal(own.shape), own.dtype))
        yield direction


def moved(weights: Sequence[tf.Tensor], direction: Sequence[tf.Tensor], step: float) -> list:
    """Returns weights + step * direction."""
    return [w + step * d for w, d in zip(weights, direction, strict=True)]


def central_difference(
    value: Callable[[list], tf.Tensor], weights: list, direction: list, step: float
) -> float:
    """Returns (value(weights + step * direction) - value(weights - step * direction)) / 2 step."""
    ahead, behind = (float(value(moved(weights, direction, sign * step))) for sign in (1, -1))
    return (ahead - behind) / (2.0 * step)
