"""The generator's gradient of the fakes that top-k keeps, and what it leaves alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import BOTH, Players

layers = keras.layers


def pair(*extra, regularizer=None):
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(6, "tanh", kernel_regularizer=regularizer),
            *extra,
            layers.Dense(2),
        ]
    )
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(6, "tanh"), layers.Dense(1)])
    return Players(generator, discriminator)


def drawn(networks, rows=8, seed=1):
    """Weights, states and a minibatch."""
    random = np.random.RandomState(seed)
    params = Players(
        *(
            [tf.constant(random.normal(size=v.shape), tf.float32) for v in n.trainable_variables]
            for n in networks
        )
    )
    state = Players(*([v.value for v in n.non_trainable_variables] for n in networks))
    images, latents = (tf.constant(random.normal(size=[rows, size]), tf.float32) for size in (2, 3))
    return params, state, Minibatch(images, None, latents)


def game_of(networks, loss="non_saturating"):
    return GameGradients(networks, losses.get(loss))


def assert_close(one, other, **tolerance):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


LOWER_IS_REAL = losses.AdversarialLoss(
    "flipped",
    lambda real, fake, fake_weights=None: losses.hinge_generator_loss(None, -fake, fake_weights),
    lambda real, fake: losses.hinge_discriminator_loss(-real, -fake),
    larger_is_real=False,
)


def rows_kept(networks, params, state, minibatch, kept, sign=1.0):
    """The rows of the most real fakes, by the networks themselves."""
    latents = minibatch.latents
    fake_images = networks.generator.stateless_call(params.generator, state.generator, latents)[0]
    logits = networks.discriminator.stateless_call(
        params.discriminator, state.discriminator, fake_images
    )[0]
    return np.argsort(-sign * logits.numpy()[:, 0], kind="stable")[:kept]


@pytest.mark.cases(fast=5)
@pytest.mark.parametrize(
    "loss", [*sorted(losses.LOSSES), LOWER_IS_REAL], ids=lambda own: str(own)[:20]
)
def test_generators_gradient_is_the_plain_one_of_the_kept_fake_images(loss):
    networks = pair()
    params, state, minibatch = drawn(networks)
    game = game_of(networks, loss)
    found = game(params, state, minibatch._replace(num_kept=tf.constant(3)))
    sign = -1.0 if loss is LOWER_IS_REAL else 1.0
    rows = np.sort(rows_kept(networks, params, state, minibatch, 3, sign))
    kept = minibatch._replace(latents=tf.gather(minibatch.latents, rows))
    if loss == "relativistic":  # Each fake keeps the real example that it is compared with.
        kept = kept._replace(real_images=tf.gather(minibatch.real_images, rows))
    fewer = game(params, state, kept)
    assert_close(found.gradients.generator, fewer.gradients.generator, rtol=2e-4, atol=1e-6)
    assert_close(found.losses.generator, fewer.losses.generator, rtol=1e-5)
    # The discriminator learns from all.
    whole = game(params, state, minibatch)
    assert_close(found.gradients.discriminator, whole.gradients.discriminator, rtol=0, atol=0)
    assert_close(found.losses.discriminator, whole.losses.discriminator, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "jit_compile",
    [False, pytest.param(True, marks=pytest.mark.exhaustive)],
    ids=["graph", "xla"],
)
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_keeping_all_gives_the_plain_gradients_bit_for_bit(name, jit_compile):
    networks = pair(layers.BatchNormalization())
    params, state, minibatch = drawn(networks)
    plain, kept = (
        tf.function(game_of(networks, name), jit_compile=jit_compile, autograph=False)
        for _ in range(2)
    )
    expected = plain(params, state, minibatch)
    found = kept(params, state, minibatch._replace(num_kept=tf.constant(8)))
    pairs = (found.gradients, found.state), (expected.gradients, expected.state)
    assert_close(*pairs, rtol=0, atol=0)
    # XLA may round the mean of a loss, which nothing follows from, after another operation.
    assert_close(found.losses, expected.losses, rtol=3e-7 if jit_compile else 0, atol=0)


def conditional(inputs, shape, outputs):
    features, label = keras.Input(shape), keras.Input((), dtype="int32")
    embedded = layers.Embedding(3, inputs)(label)
    hidden = layers.Dense(4, "tanh")(layers.Concatenate()([layers.Flatten()(features), embedded]))
    return keras.Model([features, label], outputs(hidden))


def test_conditional_patches_are_kept_with_their_labels():
    networks = Players(
        conditional(2, (3,), lambda hidden: layers.Reshape((4, 4, 1))(layers.Dense(16)(hidden))),
        conditional(
            2, (4, 4, 1), lambda hidden: layers.Reshape((2, 2, 1))(layers.Dense(4)(hidden))
        ),
    )
    params, state, minibatch = drawn(networks)
    labels = tf.constant([0, 1, 2, 2, 1, 0, 1, 1])
    random = np.random.RandomState(0)
    images = tf.constant(random.normal(size=[8, 4, 4, 1]), tf.float32)
    minibatch = minibatch._replace(real_images=images, labels=labels)
    game = game_of(networks)
    found = game(params, state, minibatch._replace(num_kept=tf.constant(3)))
    latents = minibatch.latents
    fake_images = networks.generator.stateless_call(params.generator, [], [latents, labels])[0]
    logits = networks.discriminator.stateless_call(params.discriminator, [], [fake_images, labels])[
        0
    ]
    rows = np.argsort(-logits.numpy().mean(axis=(1, 2, 3)), kind="stable")[:3]
    fewer = Minibatch(*(tf.gather(values, rows) for values in minibatch[:3]))
    expected = game(params, state, fewer, ("generator",))
    assert_close(found.gradients.generator, expected.gradients.generator, rtol=2e-4, atol=1e-6)


def test_dropped_fake_images_have_no_gradient_along_their_latents():
    networks = pair()
    params, state, minibatch = drawn(networks)
    kept = rows_kept(networks, params, state, minibatch, 3)
    with tf.GradientTape() as tape:
        tape.watch(minibatch.latents)
        chosen = minibatch._replace(num_kept=tf.constant(3))
        loss = game_of(networks)(params, state, chosen, ("generator",)).losses.generator
    gradient = tape.gradient(loss, minibatch.latents).numpy()
    assert not np.delete(gradient, kept, axis=0).any()
    assert gradient[kept].all()


def test_nothing_is_differentiated_through_the_choice():
    # The vector-Jacobian product equals finite differences with the choice held, away from ties.
    networks = pair()
    params, state, minibatch = drawn(networks)
    game = game_of(networks)
    chosen = minibatch._replace(num_kept=tf.constant(3))
    random = np.random.RandomState(4)

    def directions():
        return Players(
            *([tf.constant(random.normal(size=w.shape), w.dtype) for w in own] for own in params)
        )

    cotangents = directions()._replace(discriminator=None)
    direction = directions()._replace(generator=[0.0 * w for w in params.generator])

    def product(step):
        moved = tf.nest.map_structure(lambda w, d: w + step * d, params, direction)
        gradient = game(moved, state, chosen).gradients.generator
        return sum(
            float(tf.reduce_sum(g * c)) for g, c in zip(gradient, cotangents.generator, strict=True)
        )

    vjp = game.vjp(params, state, chosen, cotangents, BOTH).discriminator
    found = sum(
        float(tf.reduce_sum(p * d)) for p, d in zip(vjp, direction.discriminator, strict=True)
    )
    np.testing.assert_allclose(found, (product(1e-2) - product(-1e-2)) / 2e-2, rtol=1e-2)


def test_layers_regularization_is_added_once():
    networks = pair(regularizer=keras.regularizers.L2(0.1))
    params, state, minibatch = drawn(networks)
    chosen = minibatch._replace(num_kept=tf.constant(3))
    plain, heavier = (game_of(own)(params, state, chosen) for own in (pair(), networks))
    kernel = params.generator[0]
    extra = heavier.losses.generator - plain.losses.generator
    np.testing.assert_allclose(extra, 0.1 * float(tf.reduce_sum(kernel**2)), rtol=1e-4)
    change = heavier.gradients.generator[0] - plain.gradients.generator[0]
    np.testing.assert_allclose(change, 0.2 * kernel, atol=1e-5)


class MeanSquare(keras.layers.Layer):
    """Declares the mean square of its inputs as a loss."""

    def call(self, inputs):
        self.add_loss(tf.reduce_mean(inputs**2))
        return inputs


def test_activity_regularization_is_of_the_whole_batch():
    networks = pair(MeanSquare())
    params, state, minibatch = drawn(networks)
    chosen = minibatch._replace(num_kept=tf.constant(3))
    heavier, plain = (game_of(own)(params, state, chosen) for own in (networks, pair()))
    kernel, bias = (w.numpy() for w in params.generator[:2])
    hidden = np.tanh(minibatch.latents.numpy() @ kernel + bias)
    difference = heavier.losses.generator - plain.losses.generator
    np.testing.assert_allclose(difference, np.mean(hidden**2), rtol=1e-4)


def test_batch_statistics_are_those_of_the_whole_batch():
    networks = pair(layers.BatchNormalization())
    params, state, minibatch = drawn(networks)
    game = game_of(networks)
    some = game(params, state, minibatch._replace(num_kept=tf.constant(3)))
    assert_close(some.state, game(params, state, minibatch).state, rtol=0, atol=0)
