"""Derivatives in float16, scaled so that small ones are not rounded to 0.

float16 holds numbers from 6e-8 to 65,504, and derivatives of hidden layers are often smaller. So a
backward pass begins with a factor, and what it gives is divided by it in float32. Factors are
powers of 2: they change no digit. bfloat16 has float32's range, and needs none.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgan_stab.game.players import Players

LARGEST = 2.0**15
SMALLER = 2.0**-5
RETRIES = 3  # Down to a factor of 1.
FIXED = 2.0**10  # Where derivatives are differentiated again.


def is_used(networks: Players) -> bool:
    """Returns whether a layer of the networks computes in float16."""
    layers = [layer for network in networks for layer in network._flatten_layers()]
    return any(layer.compute_dtype == "float16" for layer in layers)


def scaled(derivatives_of: Callable[[tf.Tensor], Any], factor: float | None = None) -> Any:
    """Returns derivatives, computed with the largest factor under which all are finite.

    Where some are not, the backward pass, and only that, is done again with a smaller factor. So
    no step is lost, nothing is remembered from step to step, and what is not finite with a factor
    of 1 is returned as it is.

    Args:
        derivatives_of: Function of a factor, a float32 scalar, that returns nested tensors, each
            times the factor; `None` among them stays.
        factor: The only one to try; the largest that fits unless given.

    Example:
        >>> x = tf.constant(3e-9)
        >>> half = lambda factor: [tf.cast(tf.cast(factor * x, tf.float16), tf.float32)]
        >>> float(half(1.0)[0]), f"{float(scaled(half)[0]):.2g}"
        (0.0, '3e-09')

    Source: Micikevicius et al. 2018, "Mixed Precision Training", arXiv 1710.03740, section 3.2
        (number from memory). Departures: where theirs leaves out a step, another pass is made.
    """
    structures: list[Any] = []

    def unscaled(factor: tf.Tensor) -> list[tf.Tensor]:
        found = derivatives_of(factor)
        structures.append(found)
        return [each / tf.cast(factor, each.dtype) for each in tf.nest.flatten(found) if _is(each)]

    def overflows(factor: tf.Tensor, found: list[tf.Tensor]) -> tf.Tensor:
        finite = [tf.reduce_all(tf.math.is_finite(each)) for each in found]
        return tf.logical_not(tf.reduce_all(finite))

    def again(factor: tf.Tensor, found: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        return factor * SMALLER, unscaled(factor * SMALLER)

    first = tf.constant(LARGEST if factor is None else factor)
    found = unscaled(first)
    if factor is None:
        _, found = tf.while_loop(overflows, again, (first, found), maximum_iterations=RETRIES)
    values = iter(found)
    return tf.nest.map_structure(lambda e: next(values) if _is(e) else None, structures[0])


def _is(value: Any) -> bool:
    return value is not None
