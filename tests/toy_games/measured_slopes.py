"""Slopes of games as NumPy vectors, and derivatives by numbers."""

import numpy as np
import tensorflow as tf

import tfgan_stab as tgs

SEED = tf.constant([1, 2], tf.int32)


def slopes_of(game, point, seed=SEED):
    """Slopes at a joint point, as one NumPy vector."""
    size = game.start.generator.shape[-1]
    params = tgs.Players(tf.constant(point[:size]), tf.constant(point[size:]))
    return np.concatenate([own.numpy() for own in game.slopes(params, seed)])


def finite_differences(function, point, step=1e-5):
    """Derivatives of a function of a vector by its numbers: one column each."""
    columns = [
        (function(point + step * unit) - function(point - step * unit)) / (2 * step)
        for unit in np.eye(len(point))
    ]
    return np.stack(columns, axis=-1)


def small_bilinear(**settings):
    random = np.random.RandomState(0)
    start, terms = random.randn(2, 3), random.randn(2, 3, 3)
    return tgs.games.Bilinear(tgs.Players(*start), tgs.Players(*terms), **settings)
