"""A class-conditional GAN of two linear networks in NumPy, its gradients by hand, and in Keras.

The generator is z A + E[c]; the discriminator x w + <x, P[c]> + b, a projection. Fakes have classes
of their own.
"""

import keras
import numpy as np
from naive_gan import NaiveGan, sigmoid

layers = keras.layers
LATENTS, SIZE, CLASSES = 3, 2, 4


def networks():
    """Both networks in Keras; their weights are [E, A] and [P, w, b]."""
    noise, label = keras.Input((LATENTS,)), keras.Input((), dtype="int32")
    parts = [layers.Embedding(CLASSES, SIZE)(label), layers.Dense(SIZE, use_bias=False)(noise)]
    generator = keras.Model([noise, label], layers.Add()(parts))
    point, label = keras.Input((SIZE,)), keras.Input((), dtype="int32")
    projection = layers.Dot(axes=1)([point, layers.Embedding(CLASSES, SIZE)(label)])
    logits = layers.Add()([projection, layers.Dense(1)(point)])
    discriminator = keras.Model([point, label], logits)
    random = np.random.RandomState(3)
    for network in (generator, discriminator):
        for variable in network.trainable_variables:
            variable.assign(random.normal(size=variable.shape, scale=0.7))
    shapes = [[tuple(v.shape) for v in n.trainable_variables] for n in (generator, discriminator)]
    assert shapes == [
        [(CLASSES, SIZE), (LATENTS, SIZE)],
        [(CLASSES, SIZE), (SIZE, 1), (1,)],
    ]
    return generator, discriminator


class NaiveConditionalGan(NaiveGan):
    """The non-saturating game; a minibatch is `(real points, latents, labels, fakes' labels)`."""

    def slope(self, player, params, minibatch):
        return [-g for g in gradients(player, params, minibatch)]


def fake_points(generator, latents, own):
    """The generator's points of classes of their own."""
    table, matrix = generator
    return latents @ matrix + table[own]


def logits(discriminator, points, labels):
    """The discriminator's outputs, `[batch]`."""
    table, weights, bias = discriminator
    return points @ weights[:, 0] + np.sum(points * table[labels], axis=1) + bias[0]


def input_gradients(discriminator, labels):
    """Those of the outputs along the points: the same anywhere."""
    table, weights, _ = discriminator
    return weights[:, 0] + table[labels]


def losses(params, minibatch):
    """Both players' losses."""
    real_points, latents, labels, own = minibatch
    fake = logits(params[1], fake_points(params[0], latents, own), own)
    real = logits(params[1], real_points, labels)
    softplus = [np.mean(np.logaddexp(0, values)) for values in (-fake, -real, fake)]
    return softplus[0], softplus[1] + softplus[2]


def gradients(player, params, minibatch):
    """The gradient of a player's own loss, weight by weight."""
    real_points, latents, labels, own = minibatch
    fake = fake_points(params[0], latents, own)
    fake_logits = logits(params[1], fake, own)
    rows = len(latents)
    if player == 0:
        upstream = -sigmoid(-fake_logits) / rows
        to_fake = upstream[:, None] * input_gradients(params[1], own)
        return [summed(to_fake, own), latents.T @ to_fake]
    parts = []
    for points, classes, upstream in (
        (real_points, labels, -sigmoid(-logits(params[1], real_points, labels)) / rows),
        (fake, own, sigmoid(fake_logits) / rows),
    ):
        weighted = upstream[:, None] * points
        parts.append((summed(weighted, classes), weighted.sum(0)[:, None], upstream.sum()[None]))
    return [real + fake for real, fake in zip(*parts, strict=True)]


def summed(rows, classes):
    """The sum of the rows of each class."""
    return np.stack([rows[classes == c].sum(axis=0) for c in range(CLASSES)])
