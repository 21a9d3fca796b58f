"""Adds what penalties on losses cost to the losses of an evaluation."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfgan_stab.game.batch import Batch
from tfgan_stab.game.penalties.contract import LossPenalty
from tfgan_stab.game.penalties.scene import Scene
from tfgan_stab.game.players import BOTH, Players


def looks_of(
    penalties: Sequence[LossPenalty], players: Sequence[str], due: Sequence[bool]
) -> set[str]:
    """Returns which examples' slopes are needed when these players move."""
    return {
        which
        for penalty, now in zip(penalties, due, strict=True)
        if now and any(name in players for name in penalty.payers)
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
    penalty: LossPenalty, scene: Scene, draws: Any, due: bool, payers: Sequence[str]
) -> list[tf.Tensor]:
    """Returns what each of the payers pays now: nothing in the rounds between lazy payments.

    Args:
        penalty: Whose terms.
        scene: The evaluation.
        draws: The penalty's noise.
        due: Whether it is paid now.
        payers: Names of players, each of whom gets a scalar.
    """
    dtype = scene.fake_logits.dtype
    nothing = tf.zeros([], dtype)
    if not due:
        return [nothing for _ in payers]
    found = penalty.terms(scene, draws)._asdict()
    return [
        nothing if found[name] is None else tf.cast(penalty.interval * found[name], dtype)
        for name in payers
    ]
