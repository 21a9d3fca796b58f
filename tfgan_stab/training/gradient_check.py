"""Checks, before anything is trained, that penalties' derivatives are what they should be.

Some layers have no second derivative in TensorFlow, or a wrong one, without a word: a penalty on
slopes then contributes nothing, or the wrong thing. So each penalty's derivative along the payers'
weights is compared with a finite difference along random directions, in float64 where the networks
can do that; where they disagree, each layer is tried alone to find the one to blame.
"""

import dataclasses
import functools
from typing import Any

import keras
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab._utils.random import uniform
from tfgan_stab.game.functional import Minibatch, NetworksAt
from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution
from tfgan_stab.training.finite_differences import directions, moved
from tfgan_stab.training.penalty_check import Setting, check

ROWS = 4
SIDE = 32  # Of images, in pixels, for networks that take any.
# Passes before the check: the vectors of spectral normalization, which count as constants, are then
# where their own change changes nothing.
WARM_UP = 20


def check_once(gan: Any) -> None:
    """Checks a compiled GAN's penalties, unless that was done or is not wanted.

    Args:
        gan: The model. The examples are made up: what matters is the networks.

    Raises:
        WrongDerivativeError: If a penalty's derivative is wrong.
    """
    if not gan.penalties or not gan.check_derivatives or gan.derivatives_checked:
        return
    shape = [side or SIDE for side in gan.pair.example_shape]
    key = random.key(gan.seed, random.TESTING)
    labels = tf.zeros([ROWS], tf.int32) if gan.pair.conditional else None
    batch = Minibatch(2.0 * uniform([ROWS, *shape], key) - 1.0, labels, gan.latents(ROWS, key))
    zero = tf.constant(0, tf.int64)
    batch = dataclasses.replace(gan.maker, top_k=None).prepare(batch, 0, zero, zero)
    batch = batch._replace(due=(True,) * len(batch.due))
    networks = gan.networks
    params = Players(*(distribution.read(n.trainable_variables) for n in networks))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in networks))
    start = Setting(gan.game, networks, params, state, batch)
    check(functools.cache(functools.partial(_near, start)), gan.penalties)
    gan.derivatives_checked = True


def _near(start: Setting, scale: float) -> Setting:
    """Returns a point near the start: there a last layer that is 0 would hide all errors before it.

    Args:
        start: The weights as they are.
        scale: What to multiply them by after the step aside.
    """
    params = [
        [scale * w for w in moved(weights, next(directions(weights)), 0.5)]
        for weights in start.params
    ]
    return _warmed_up(start._replace(params=Players(*params)))


def _warmed_up(setting: Setting) -> Setting:
    """Returns the setting with the state that the networks have after some passes."""
    state = setting.state
    moving = Players(*map(_has_a_say_in_training, setting.networks))
    for _ in range(WARM_UP if any(moving) else 0):
        networks = NetworksAt(setting.networks, setting.params, state, setting.batch.labels)
        if moving.generator:
            state = state._replace(generator=networks.generate(setting.batch.latents).state)
        if moving.discriminator:
            found = networks.discriminate(setting.batch.real_images).state
            state = state._replace(discriminator=found)
    return setting._replace(state=state)


def _has_a_say_in_training(network: keras.Model) -> bool:
    """Returns whether there is state, batch statistics and seeds aside, that outputs depend on."""
    normalizations = [
        layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    passive = {id(v) for layer in normalizations for v in layer.non_trainable_variables}
    state = [v for v in network.non_trainable_variables if id(v) not in passive]
    return any("float" in str(v.dtype) for v in state)
