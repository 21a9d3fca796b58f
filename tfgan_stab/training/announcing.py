"""What `fit` says before it trains."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfgan_stab.training.minibatches import is_ours


def young_averages(gan: Any, rounds: int, images_per_round: int | None = None) -> Iterator[str]:
    """Yields a sentence for each average that a training is too short for.

    Args:
        gan: The model.
        rounds: The training's rounds, from the beginning.
        images_per_round: Real examples in each; `None` if that is not known.
    """
    for name, average in gan.averages.items():
        first = getattr(average, "start", 0)
        points = rounds // gan.average_periods[name] - first // gan.average_periods[name]
        if first and points < 1:
            yield (
                f"Average {name!r} will be no average but the live weights: it starts after round "
                f"{first}, and training ends with round {rounds}. Start it earlier, or train "
                "longer."
            )
            continue
        images = None if images_per_round is None else (rounds - first) * images_per_round
        kept = average.kept(points, rounds - first, images) if hasattr(average, "kept") else None
        if kept is not None and kept > 0.5:
            origin = f"weights of round {first}" if first else "initial weights"
            shorter = (
                f"decay than {average.decay}"
                if average.half_life is None
                else f"half-life than {average.half_life:g} {average.unit}"
            )
            yield (
                f"Average {name!r} will still be {kept:.0%} {origin} after {points} updates "
                f'({rounds} rounds): use a smaller {shorter}, warmup="unbiased", or train longer.'
            )


def images_per_round(x: Any, parts: int, batch_size: int | None) -> int | None:
    """Returns how many real examples a round sees, `None` where the data do not say.

    Args:
        x: What `fit` is given.
        parts: Minibatches of a round.
        batch_size: The argument of `fit`, for arrays.
    """
    if is_ours(x):
        return x.batch_size * parts
    if isinstance(x, tf.data.Dataset):
        shape = getattr(tf.nest.flatten(x.element_spec)[0], "shape", None)
        return shape[0] if shape is not None and shape.rank else None
    return (batch_size or 32) if isinstance(x, np.ndarray) else None


def headline(gan: Any) -> str:
    """Returns what trains how, and what a round costs."""
    replicas = gan.distribute_strategy.num_replicas_in_sync
    cost = f"{gan.scheme.evaluations} field evaluation(s)"
    if gan.penalties:
        cost += f" and the derivatives of {gan.penalties}"
    if gan.top_k:
        cost += f" with {gan.top_k}"
    return (
        f"GAN: {gan.scheme!r}, {cost} a round; XLA: {gan.compilation.scope} "
        f"({gan.compilation.reason}) {replicas} replica(s), {', '.join(gan.precision)}."
    )
