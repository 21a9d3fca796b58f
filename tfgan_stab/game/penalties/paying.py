"""Adds what penalties on losses cost to the losses of an evaluation."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab.game.batch import Batch
from tfgan_stab.game.penalties.contract import LossPenalty
from tfgan_stab.game.penalties.scene import Scene
from tfgan_stab.game.players import BOTH, Players


def looks_of(penalties: Sequence[LossPenalty], players: Sequence[str]) -> set[str]:
    """Returns which examples' slopes are needed for sure when these players move."""
    return {
        which
        for penalty in penalties
        if penalty.interval == 1 and any(name in players for name in penalty.payers)
        for which in penalty.looks_at
    }


def with_penalties(
    losses: Players,
    penalties: Sequence[LossPenalty],
    scene: Scene,
    batch: Batch,
    players: Sequence[str],
) -> tuple[Players, tuple]:
    """Returns the losses with what the penalties add, and what each penalty came to.

    Args:
        losses: `Players` of scalars, `None` for who does not move.
        penalties: Terms to add.
        scene: The evaluation.
        batch: Whose `draws` and `due` belong to the penalties, in order.
        players: Names of those who move.
    """
    totals: list[Any] = list(losses)
    paid: list[tf.Tensor | None] = []
    for penalty, draws, due in zip(penalties, batch.draws, batch.due, strict=True):
        payers = [name for name in BOTH if name in penalty.payers and name in players]
        terms = terms_of(penalty, scene, draws, due, payers) if payers else []
        for name, term in zip(payers, terms, strict=True):
            place = BOTH.index(name)
            totals[place] = totals[place] + tf.cast(term, totals[place].dtype)
        # The discriminator's part is what a penalty is; the generator's may be a reward.
        paid.append(terms[-1] if terms else None)
    return Players(*totals), tuple(paid)


def terms_of(
    penalty: LossPenalty, scene: Scene, draws: Any, due: tf.Tensor | None, payers: Sequence[str]
) -> list[tf.Tensor]:
    """Returns what each of the payers pays now: nothing in the rounds between lazy payments.

    Args:
        penalty: Whose terms.
        scene: The evaluation.
        draws: The penalty's noise.
        due: Whether it is paid now, a boolean scalar; `None` if it always is.
        payers: Names of players, each of whom gets a scalar.
    """
    dtype = scene.fake_logits.dtype

    def all_terms(seen: Scene) -> list[tf.Tensor]:
        found = penalty.terms(seen, draws)._asdict()
        return [
            tf.zeros([], dtype) if found[name] is None else tf.cast(found[name], dtype)
            for name in payers
        ]

    if due is None:
        return all_terms(scene)
    inside = scene.without_slopes()
    return tf.cond(
        due,
        lambda: [penalty.interval * term for term in all_terms(inside)],
        lambda: [tf.zeros([], dtype) for _ in payers],
    )
