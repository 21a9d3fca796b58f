"""What rollbacks leave behind: how many there were, what they undid, how much slower it goes on."""

import dataclasses
from typing import Any

from tfgan_stab.training.optimizers import rate_scale, set_rate_scale


@dataclasses.dataclass
class Setbacks:
    """A training's rollbacks.

    Attributes:
        rollbacks: How often former weights were taken again.
        steps_lost: Steps played whose outcome was undone by that.
        saved_step: Steps done at the newest checkpoint of this training.
    """

    rollbacks: int = 0
    steps_lost: int = 0
    saved_step: int = 0


def facts(gan: Any) -> dict[str, Any]:
    """Returns what a checkpoint must hold of them, in values that JSON can hold."""
    return {
        "rollbacks": gan.setbacks.rollbacks,
        "steps_lost": gan.setbacks.steps_lost,
        "rate_scales": rate_scales(gan),
    }


def restore(gan: Any, found: dict[str, Any]) -> None:
    """Takes up what `facts` returned."""
    gan.setbacks = Setbacks(found.get("rollbacks", 0), found.get("steps_lost", 0), gan.steps)
    set_rate_scales(gan, found.get("rate_scales", [1.0, 1.0]))


def rate_scales(gan: Any) -> list[float]:
    """Returns what each player's schedule of learning rates is multiplied by."""
    return [rate_scale(optimizer) for optimizer in gan.optimizers]


def set_rate_scales(gan: Any, scales: list[float]) -> None:
    """Makes each player's schedules, that of trial steps too, be multiplied by its scale."""
    for optimizers in (gan.optimizers, gan.extrapolation_optimizers):
        for optimizer, scale in zip(optimizers, scales, strict=True):
            set_rate_scale(optimizer, scale)
