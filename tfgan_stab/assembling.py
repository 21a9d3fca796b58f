"""Puts networks, loss, penalties and top-k together to the field that a GAN trains on."""

from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab import compilation, distribution
from tfgan_stab.game import noise
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.field import AdversarialField
from tfgan_stab.game.penalties.contract import loss_penalties, slope_penalties
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.penalizing import pulls_of

# Of images, in pixels, for networks that take any.
SIDE = 8


class Assembled(NamedTuple):
    """What a GAN trains on.

    Attributes:
        field: The vector field.
        compilation: What XLA compiles, and why.
        functions: The field's functions, as graphs unless the user wants none.
    """

    field: AdversarialField
    compilation: compilation.Compilation
    functions: compilation.FieldFunctions


def assembled(gan: Any, jit_compile: bool | str, run_eagerly: bool) -> Assembled:
    """Returns the field of a GAN whose settings are known, and how it is compiled.

    Args:
        gan: The model.
        jit_compile: `True`, `False` or "auto".
        run_eagerly: Whether the user asked for eager execution.

    Raises:
        ValueError: If XLA is asked for where it cannot be used.
    """
    field = AdversarialField(gan.networks, gan.loss_pair, loss_penalties(gan.penalties))

    def drawn_and_evaluated(params: Players, state: Players, batch: Batch) -> Any:
        """Does what a round does before the scheme's own arithmetic, for XLA to be tried on."""
        zero = tf.constant(0, tf.int64)
        batch = batch._replace(latents=gan.draw(2, noise.TRAINING, 0, 0))
        batch = gan.equipment.given_to(batch, 0, zero, zero)
        batch = batch._replace(due=(True,) * len(batch.due))
        evaluation = field(params, state, batch, BOTH)
        pulls = pulls_of(slope_penalties(gan.penalties), evaluation.slopes)
        bare = batch.without_penalties()
        return evaluation, [field.pulled_back(params, state, bare, *each) for each in pulls]

    lazy = any(penalty.interval > 1 for penalty in loss_penalties(gan.penalties))
    chosen = compilation.choose(
        jit_compile,
        drawn_and_evaluated,
        _example(gan),
        gan.networks,
        gan.distribute_strategy.num_replicas_in_sync,
        gan.scheme.evaluations,
        run_eagerly,
        gan.top_k,
        lazy,
    )
    compiled = compilation.functions(field, chosen.scope, run_eagerly, lazy)
    return Assembled(field, chosen, compiled)


def _example(gan: Any) -> tuple[Players, Players, Batch]:
    examples = tf.zeros([2, *(side or SIDE for side in gan.pair.example_shape)])
    labels = tf.zeros([2], tf.int32) if gan.pair.conditional else None
    params = Players(*(distribution.read(n.trainable_variables) for n in gan.networks))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in gan.networks))
    return params, state, Batch(examples, labels, gan.draw(2, noise.SAMPLING))
