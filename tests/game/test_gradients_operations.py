"""How many convolutions a DCGAN's gradients take: no more than by hand."""

import re

import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import BOTH, Players


def operations(players, penalties=()):
    """Returns the convolutional layers of each network, and the convolutions that XLA compiles."""
    pair = Players(
        tgs.networks.dcgan_generator(16, 3, latents=5, width=4),
        tgs.networks.dcgan_discriminator(16, 3, width=4),
    )
    params = Players(*([tf.identity(v) for v in n.trainable_variables] for n in pair))
    state = Players(*([tf.identity(v) for v in n.non_trainable_variables] for n in pair))
    active = (True,) * len(penalties)
    noise = ((),) * len(penalties)
    minibatch = Minibatch(tf.zeros([2, 16, 16, 3]), None, tf.zeros([2, 5]), noise, active)
    game = GameGradients(pair, tgs.game.losses.get("non_saturating"), penalties)

    def gradients(params, state, minibatch):
        evaluation = game(params, state, minibatch, players)
        return evaluation.gradients, evaluation.losses, evaluation.state

    lowered = tf.function(gradients, jit_compile=True).experimental_get_compiler_ir
    text = lowered(params, state, minibatch)(stage="optimized_hlo")
    layers = [sum("conv" in type(layer).__name__.lower() for layer in n.layers) for n in pair]
    return layers, len(re.findall(r" convolution\(", text))


def by_hand(g, d, players):
    """Returns the convolutions that networks of g and d convolutional layers need.

    The generator begins with a dense layer, the discriminator ends with one. Backwards, a layer
    has two: for its weights, and for its inputs, of which nobody needs those along real images, or
    along fake ones for the discriminator's loss.
    """
    convolutions = g + d  # Forward, for fake images: one pass for both players.
    if "discriminator" in players:
        convolutions += d + 2 * d + 2 * (d - 1)  # Forward for real images; backwards for both.
    if "generator" in players:
        convolutions += d + g + g  # Through the discriminator, then the generator's own.
    return convolutions


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize("players", [BOTH, ("generator",), ("discriminator",)], ids=str)
def test_gradients_take_as_many_convolutions_as_by_hand(players):
    (g, d), convolutions = operations(players)
    assert (g, d) == (2, 2)
    assert convolutions == by_hand(g, d, players)


@pytest.mark.slow
def test_the_penalty_on_input_gradients_uses_the_losses_own_pass():
    """R1 differentiates the pass over real images once more: no image is passed through again."""
    (g, d), plain = operations(("discriminator",))
    _, with_penalty = operations(("discriminator",), [tgs.R1(1.0)])
    # Back to the images, d; the derivative of that pass along weights, d for each of its two uses.
    assert with_penalty - plain <= d + 2 * d + (d - 1)
