"""Schemes and penalties on class-conditional pairs, whose embeddings have sparse gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from penalties import PENALTIES
from schemes import SCHEMES

import tfgan_stab as tgs
from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import BOTH, Players

pytestmark = pytest.mark.usefixtures("float64")

layers = keras.layers
CLASSES = 3


def network(inputs, outputs):
    features, label = keras.Input((inputs,)), keras.Input((), dtype="int32")
    hidden = layers.Dense(5, "tanh")(features)
    hidden = layers.Add()([hidden, layers.Embedding(CLASSES, 5)(label)])
    return keras.Model([features, label], layers.Dense(outputs)(layers.Activation("tanh")(hidden)))


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "penalty"),
    [
        ("rk4", "none"),
        ("lookahead_of_extragradient", "generator_gradient_norm"),
        ("alternating", "consensus"),
        ("optimistic", "generator_gradient_norm"),
        ("rk4_fresh", "first_stage"),
    ],
)
def test_embeddings_are_trained(name, penalty):
    gan = tgs.GAN(network(3, 2), network(2, 1), latents=3, num_classes=CLASSES)
    gan.compile(
        keras.optimizers.SGD(0.1),
        keras.optimizers.SGD(0.1),
        scheme=SCHEMES[name][0],
        penalties=PENALTIES[penalty],
        jit_compile=False,
    )
    before = [v.numpy() for v in gan.generator.variables + gan.discriminator.variables]
    rows = 8 * SCHEMES[name][0].data_minibatches
    random = np.random.RandomState(0)
    gan.fit(
        random.normal(size=[rows, 2]),
        random.randint(CLASSES, size=rows),
        batch_size=rows,
        verbose=0,
    )
    after = [v.numpy() for v in gan.generator.variables + gan.discriminator.variables]
    for old, new in zip(before, after, strict=True):
        assert np.isfinite(new).all() and np.any(new != old)


def test_vjp_through_embeddings_by_finite_differences():
    networks = Players(network(3, 2), network(2, 1))
    game = GameGradients(networks, losses.get("non_saturating"))
    random = np.random.RandomState(1)

    def drawn(like):
        return tf.nest.map_structure(lambda w: tf.constant(random.normal(size=w.shape)), like)

    params = drawn(Players(*([v.value for v in n.trainable_variables] for n in networks)))
    state = Players(*([v.value for v in n.non_trainable_variables] for n in networks))
    minibatch = Minibatch(
        tf.constant(random.normal(size=[6, 2])),
        tf.constant([0, 1, 2, 2, 0, 2]),
        tf.constant(random.normal(size=[6, 3])),
    )
    cotangents, direction = drawn(params), drawn(params)

    def product(step):
        moved = tf.nest.map_structure(lambda w, d: w + step * d, params, direction)
        return inner(game(moved, state, minibatch).gradients, cotangents)

    def inner(one, other):
        return sum(
            float(tf.reduce_sum(a * b))
            for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True)
        )

    found = game.vjp(params, state, minibatch, cotangents, BOTH)
    numeric = (product(1e-6) - product(-1e-6)) / 2e-6
    np.testing.assert_allclose(inner(found, direction), numeric, rtol=1e-7)
