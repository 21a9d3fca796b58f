"""Arithmetic on players' weights and slopes: nested tensors, one step size per player."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab._utils import validation
from tfgan_stab.game.players import Players


def combined(weights: Sequence[float], slopes: Sequence[Players]) -> Players:
    """Returns `sum_i weights[i] slopes[i]`; a weight of 0 costs nothing.

    Args:
        weights: One number per evaluation, not all 0.
        slopes: Slopes of both players.
    """
    used = [(w, s) for w, s in zip(weights, slopes, strict=True) if w != 0.0]
    factors = [w for w, _ in used]
    return tf.nest.map_structure(lambda *ks: _sum(factors, ks), *(s for _, s in used))


def displaced(
    params: Players, step_sizes: Players, weights: Sequence[float], slopes: Sequence[Players]
) -> Players:
    """Returns `params + h sum_i weights[i] slopes[i]` with one h per player.

    Args:
        params: Both players' weights.
        step_sizes: Both players' h.
        weights: One number per evaluation; none, or all 0, gives `params` itself.
        slopes: Slopes of both players.
    """
    if not any(weights):
        return params
    total = combined(weights, slopes)
    return Players(
        *(
            tf.nest.map_structure(lambda w, k, h=h: w + _as(h, w.dtype) * k, own, slope)
            for own, slope, h in zip(params, total, step_sizes, strict=True)
        )
    )


def check_batches(batches: Any) -> None:
    """Raises ValueError unless `batches` is "shared" or "fresh"."""
    validation.choice(
        "batches",
        batches,
        ("shared", "fresh"),
        'Use "shared" for one minibatch for all evaluations of a step, "fresh" for one each.',
    )


def _as(step_size: Any, dtype: tf.DType) -> tf.Tensor:
    # tf.cast would round a Python number to float32 on its way to float64.
    cast = tf.cast if tf.is_tensor(step_size) else tf.constant
    return cast(step_size, dtype)


def _sum(factors: Sequence[float], values: Sequence[tf.Tensor]) -> tf.Tensor:
    # TensorFlow sorts the terms of a sum in a graph by their names. In a scope of their own their
    # order, and so the rounding, does not depend on how many names were taken before.
    with tf.name_scope("weighted_sum"):
        terms = [v if f == 1.0 else f * v for f, v in zip(factors, values, strict=True)]
        return terms[0] if len(terms) == 1 else tf.add_n(terms)
