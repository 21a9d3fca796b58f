"""What `fit` says before it trains."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab.training.minibatches import is_ours


def young_averages(gan: Any, steps: int, images_per_step: int | None = None) -> Iterator[str]:
    """Yields a sentence for each average that a training is too short for.

    Args:
        gan: The model.
        steps: The training's steps, from the beginning.
        images_per_step: Real examples in each; `None` if that is not known.
    """
    for name, average in gan.averages.items():
        first = getattr(average, "start", 0)
        points = steps // gan.average_periods[name] - first // gan.average_periods[name]
        if first and points < 1:
            yield (
                f"Average {name!r} will be no average but the live weights: it starts after step "
                f"{first}, and training ends with step {steps}. Start it earlier, or train "
                "longer."
            )
            continue
        images = None if images_per_step is None else (steps - first) * images_per_step
        kept = average.kept(points, steps - first, images) if hasattr(average, "kept") else None
        if kept is not None and kept > 0.5:
            origin = f"weights of step {first}" if first else "initial weights"
            shorter = (
                f"decay than {average.decay}"
                if average.half_life is None
                else f"half-life than {average.half_life:g} {average.unit}"
            )
            yield (
                f"Average {name!r} will still be {kept:.0%} {origin} after {points} updates "
                f'({steps} steps): use a smaller {shorter}, warmup="unbiased", or train longer.'
            )


def images_per_step(x: Any, minibatches: int, batch_size: int | None) -> int | None:
    """Returns how many real examples a step sees, `None` where the data do not say.

    Args:
        x: What `fit` is given.
        minibatches: Minibatches of a step.
        batch_size: The argument of `fit`, for arrays.
    """
    if is_ours(x):
        return x.batch_size * minibatches
    if isinstance(x, tf.data.Dataset):
        shape = getattr(tf.nest.flatten(x.element_spec)[0], "shape", None)
        return shape[0] if shape is not None and shape.rank else None
    return (batch_size or 32) if isinstance(x, np.ndarray) else None


def headline(gan: Any) -> str:
    """Returns what trains how, and what a step costs."""
    replicas = gan.distribute_strategy.num_replicas_in_sync
    cost = f"{gan.scheme.evaluations} field evaluation(s)"
    if gan.penalties:
        cost += f" and the derivatives of {gan.penalties}"
    if gan.top_k:
        cost += f" with {gan.top_k}"
    return (
        f"GAN: {gan.scheme!r}, {cost} a step; XLA: {gan.compilation.scope} "
        f"({gan.compilation.reason}) {replicas} replica(s), {', '.join(gan.precision)}."
    )
