"""Games of two networks with penalties on their losses, in float64."""

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import BOTH, Players

layers = keras.layers
ROWS = 5


def values(variables):
    return [tf.convert_to_tensor(v.value) for v in variables]


def game_of(networks, penalties, seed=0):
    """A game, its weights and states, and a minibatch with the penalties' noise."""
    random = np.random.RandomState(seed)
    for network in networks:
        for v in network.trainable_variables:
            v.assign(random.normal(size=v.shape, scale=0.4))
    params = Players(*(values(n.trainable_variables) for n in networks))
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    image, latent = networks[1].input_shape[1:], networks[0].input_shape[1:]
    noise = [p.noise(ROWS, list(image), list(latent), tf.constant([seed, 3])) for p in penalties]
    dtype = keras.config.floatx()
    minibatch = Minibatch(
        tf.constant(random.uniform(-1, 1, [ROWS, *image]), dtype),
        None,
        tf.constant(random.normal(size=[ROWS, *latent]), dtype),
        tf.nest.map_structure(lambda d: tf.cast(d, dtype), tuple(noise)),
        (True,) * len(penalties),
    )
    game = GameGradients(Players(*networks), losses.get("non_saturating"), penalties)
    return game, params, state, minibatch


def added_gradient(networks, penalty, player="discriminator"):
    """What a penalty adds to a player's gradient, its value, and the game it was asked in."""
    game, params, state, minibatch = game_of(networks, [penalty])
    evaluation = game(params, state, minibatch)
    plain = GameGradients(Players(*networks), losses.get("non_saturating"))
    without = plain(params, state, minibatch._replace(noise=(), active=()))
    pairs = [getattr(each.gradients, player) for each in (evaluation, without)]
    added = [(a - b).numpy() for a, b in zip(*pairs, strict=True)]
    return added, float(evaluation.penalty_values[0]), (game, params, state, minibatch)


def assert_derivatives(networks, penalty, tolerance=2e-5):
    """Compares what a penalty adds with central differences of its value, along two directions."""
    for player in penalty.players:
        added, _, (game, params, state, minibatch) = added_gradient(networks, penalty, player)
        own = params[BOTH.index(player)]

        def value(weights, player=player, game=game, rest=(state, minibatch), params=params):
            at = params._replace(**{player: weights})
            return float(game.penalty_value(at, *rest, 0, player))

        random = np.random.RandomState(1)
        for _ in range(2):
            direction = [random.normal(size=w.shape) for w in own]
            ends = [
                value([w + s * 1e-6 * d for w, d in zip(own, direction, strict=True)])
                for s in (1, -1)
            ]
            measured = (ends[0] - ends[1]) / 2e-6
            claimed = sum(np.sum(g * d) for g, d in zip(added, direction, strict=True))
            np.testing.assert_allclose(claimed, measured, rtol=tolerance, atol=1e-8)


def linear_pair(size=3):
    return (
        keras.Sequential([keras.Input((2,)), layers.Dense(size)]),
        keras.Sequential([keras.Input((size,)), layers.Dense(1)]),
    )


def deep_pair(kind):
    """Small networks on images 8x8x2 with what discriminators are made of."""
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(32, "softplus"),
            layers.Reshape((4, 4, 2)),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same", activation="tanh"),
        ]
    )
    middle = {
        "average_pooling": [layers.AveragePooling2D(2)],
        "max_pooling": [layers.MaxPooling2D(2)],
        "strides": [layers.Conv2D(4, 3, strides=2, padding="same", activation="gelu")],
        "unit_normalization": [layers.UnitNormalization(axis=-1), layers.AveragePooling2D(2)],
        "leaky": [layers.LeakyReLU(0.2), layers.AveragePooling2D(2)],
        "nearest": [layers.UpSampling2D(), layers.Conv2D(3, 3, strides=4)],
    }[kind]
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(3, 3, padding="same", activation="swish"),
            *middle,
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator
