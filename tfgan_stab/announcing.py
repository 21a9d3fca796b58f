"""What `fit` says before it trains."""

from collections.abc import Iterator
from typing import Any


def young_averages(gan: Any, rounds: int) -> Iterator[str]:
    """Yields a sentence for each average that a training is too short for."""
    for name, average in gan.averages.items():
        updates = rounds // gan.average_periods[name]
        kept = getattr(average, "decay", 0.0) ** updates
        if kept > 0.5:
            yield (
                f"Average {name!r} will still be {kept:.0%} initial weights after {updates} "
                f"updates ({rounds} rounds): use a smaller decay than {average.decay}, or train "
                "longer."
            )


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
