"""Each player's gradient against finite differences, and what an evaluation leaves alone."""

import keras
import naive_conditional_gan as naive
import numpy as np
import pytest
import tensorflow as tf
from penalized_games import values

import tfgan_stab as tgs
from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import Players
from tfgan_stab.networks import SpectralNormalization

layers = keras.layers


def game_of(generator, discriminator, loss="non_saturating", rows=6, seed=0):
    """Returns a game, its weights and states, and a minibatch."""
    networks = Players(generator, discriminator)
    random = np.random.RandomState(seed)
    for network in networks:
        for v in network.trainable_variables:
            v.assign(random.normal(size=v.shape, scale=0.5))
    params = Players(*(values(n.trainable_variables) for n in networks))
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    dtype = keras.config.floatx()
    images = tf.constant(random.normal(size=[rows, *discriminator.input_shape[1:]]), dtype)
    latents = tf.constant(random.normal(size=[rows, *generator.input_shape[1:]]), dtype)
    game = GameGradients(networks, losses.get(loss))
    return game, params, state, Minibatch(images, None, latents)


def smooth_pair(activation="tanh"):
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(5, activation),
            layers.BatchNormalization(),
            layers.Dense(2),
        ]
    )
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, activation), layers.Dense(1)]
    )
    return generator, discriminator


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize("loss", losses.LOSSES)
def test_gradients_are_central_differences_of_each_players_own_loss(float64, loss):
    game, params, state, minibatch = game_of(*smooth_pair(), loss)
    evaluation = game(params, state, minibatch)
    random = np.random.RandomState(1)
    step = 1e-5
    for player in range(2):
        direction = [random.normal(size=w.shape) for w in params[player]]

        def loss_at(distance, player=player, direction=direction):
            moved = [w + distance * d for w, d in zip(params[player], direction, strict=True)]
            at = Players(*(moved if i == player else w for i, w in enumerate(params)))
            return float(game(at, state, minibatch).losses[player])

        measured = (loss_at(step) - loss_at(-step)) / (2 * step)
        pairs = zip(evaluation.gradients[player], direction, strict=True)
        claimed = sum(float(tf.reduce_sum(g * d)) for g, d in pairs)
        np.testing.assert_allclose(claimed, measured, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("player", [0, 1], ids=Players._fields)
def test_small_step_down_the_gradient_lowers_the_players_own_loss(float64, player):
    game, params, state, minibatch = game_of(*smooth_pair())
    before = game(params, state, minibatch)
    moved = [w - 1e-3 * g for w, g in zip(params[player], before.gradients[player], strict=True)]
    at = Players(*(moved if i == player else w for i, w in enumerate(params)))
    assert game(at, state, minibatch).losses[player] < before.losses[player]


@pytest.mark.parametrize("player", [0, 1], ids=Players._fields)
def test_player_left_out_has_no_gradient_and_the_others_is_the_same(float64, player):
    game, params, state, minibatch = game_of(*smooth_pair())
    both = game(params, state, minibatch)
    one = game(params, state, minibatch, (Players._fields[player],))
    assert one.gradients[1 - player] is None and one.losses[1 - player] is None
    for mine, theirs in zip(one.gradients[player], both.gradients[player], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_generators_gradient_alone_does_not_use_real_images():
    game, params, state, minibatch = game_of(*smooth_pair())
    spoilt = minibatch._replace(real_images=minibatch.real_images * np.nan)
    gradients = game(params, state, spoilt, ("generator",)).gradients.generator
    assert all(np.isfinite(g).all() for g in gradients)


def test_relativistic_generators_gradient_uses_real_images():
    game, params, state, minibatch = game_of(*smooth_pair(), "relativistic_average")
    spoilt = minibatch._replace(real_images=minibatch.real_images * np.nan)
    assert not np.isfinite(game(params, state, spoilt, ("generator",)).losses.generator)


def test_evaluation_writes_no_variable():
    generator, discriminator = smooth_pair()
    game, params, state, minibatch = game_of(generator, discriminator)
    before = [v.numpy() for n in (generator, discriminator) for v in n.variables]
    moved = tf.nest.map_structure(lambda w: w + 1.0, params)
    game(moved, state, minibatch)
    after = [v.numpy() for n in (generator, discriminator) for v in n.variables]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_discriminators_batch_statistics_advance_by_the_mean_of_real_and_fake_images():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.BatchNormalization(momentum=0.75), layers.Dense(1)]
    )
    game, params, state, minibatch = game_of(generator, discriminator)
    fake_images = (
        minibatch.latents.numpy() @ params.generator[0].numpy() + params.generator[1].numpy()
    )
    means = (minibatch.real_images.numpy().mean(axis=0) + fake_images.mean(axis=0)) / 2
    moving_mean = game(params, state, minibatch).state.discriminator[0]
    np.testing.assert_allclose(moving_mean, 0.25 * means, rtol=1e-5, atol=1e-7)


def test_one_power_iteration_per_evaluation():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    normalized = SpectralNormalization(layers.Dense(4, use_bias=False))
    discriminator = keras.Sequential([keras.Input((3,)), normalized, layers.Dense(1)])
    game, params, state, minibatch = game_of(generator, discriminator)
    after = game(params, state, minibatch).state.discriminator
    kernel = params.discriminator[0].numpy()  # [3, 4]
    vector = np.asarray(state.discriminator[0])  # [4]
    inner = vector @ kernel.T
    inner /= np.linalg.norm(inner)
    once = inner @ kernel
    once /= np.linalg.norm(once)
    np.testing.assert_allclose(after[0], once, rtol=1e-4, atol=1e-6)


def test_layers_regularization_is_added_to_their_players_loss():
    def pair(weight):
        regularizer = keras.regularizers.L2(weight) if weight else None
        generator = keras.Sequential(
            [keras.Input((3,)), layers.Dense(2, kernel_regularizer=regularizer)]
        )
        discriminator = keras.Sequential(
            [keras.Input((2,)), layers.Dense(1, kernel_regularizer=regularizer)]
        )
        game, params, state, minibatch = game_of(generator, discriminator)
        return game(params, state, minibatch), params

    plain, params = pair(None)
    heavier, _ = pair(0.1)
    for player in range(2):
        kernel = params[player][0].numpy()
        extra = heavier.losses[player] - plain.losses[player]
        np.testing.assert_allclose(extra, 0.1 * np.sum(kernel**2), rtol=1e-4)
        change = heavier.gradients[player][0] - plain.gradients[player][0]
        np.testing.assert_allclose(change, 0.2 * kernel, rtol=1e-4, atol=1e-6)


def test_inference_losses_use_the_moving_statistics():
    generator, discriminator = smooth_pair()
    game, params, state, minibatch = game_of(generator, discriminator)
    fake_images = generator(minibatch.latents, training=False)
    expected = losses.non_saturating(
        discriminator(minibatch.real_images), discriminator(fake_images)
    )
    np.testing.assert_allclose(game.losses(params, state, minibatch), expected, rtol=1e-5)


def by_class(*penalties, noise=()):
    """A game of linear networks by class, where it is evaluated, and the same for NumPy.

    No fake has the class of its real point.
    """
    networks = Players(*naive.networks())
    random = np.random.RandomState(2)
    points, latents = random.normal(size=[6, 2]), random.normal(size=[6, 3])
    labels = random.randint(naive.CLASSES, size=6)
    own = (labels + random.randint(1, naive.CLASSES, size=6)) % naive.CLASSES
    params = Players(*(values(n.trainable_variables) for n in networks))
    minibatch = Minibatch(
        *map(tf.constant, (points, labels, latents)),
        noise=noise,
        active=(True,) * len(penalties),
        fake_labels=tf.constant(own),
    )
    game = GameGradients(networks, losses.non_saturating, penalties)
    weights = [[w.numpy() for w in each] for each in params]
    return game, (params, Players([], []), minibatch), weights, (points, latents, labels, own)


def test_fake_images_are_made_and_judged_for_labels_of_their_own(float64):
    game, at, weights, arrays = by_class()
    found = game(*at)
    for losses_found in (found.losses, game.losses(*at)):
        np.testing.assert_allclose(losses_found, naive.losses(weights, arrays), rtol=1e-12)
    for player in range(2):
        expected = naive.gradients(player, weights, arrays)
        for mine, theirs in zip(found.gradients[player], expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-15)
    _, latents, _, own = arrays
    scores = naive.logits(weights[1], naive.fake_points(weights[0], latents, own), own)
    np.testing.assert_allclose(game.realness(*at)[:, None], scores[:, None], rtol=1e-12)


def test_labels_of_the_real_images_given_to_the_fake_ones_change_no_bit():
    game, (params, state, minibatch), *_ = by_class()
    one = game(params, state, minibatch._replace(fake_labels=None))
    other = game(params, state, minibatch._replace(fake_labels=minibatch.labels))
    pairs = zip(tf.nest.flatten(one[:2]), tf.nest.flatten(other[:2]), strict=True)
    assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in pairs)
    assert np.any(one.losses != game(params, state, minibatch).losses)


# What each penalty is for linear networks: of the real points' labels, of the fakes', or of both.
OF_LABELS = {
    "r1": (tgs.R1(2.0), "real", lambda lengths: lengths),
    "r2": (tgs.R2(2.0), "fake", lambda lengths: lengths),
    "between": (tgs.ZeroCenteredGradientPenalty(1.0), "real", lambda lengths: lengths),
    "wgan_gp": (tgs.GradientPenalty(1.0), "real", lambda lengths: (np.sqrt(lengths) - 1) ** 2),
}


@pytest.mark.parametrize("name", OF_LABELS)
def test_input_gradients_are_of_the_labels_of_their_images(float64, name):
    penalty, which, value = OF_LABELS[name]
    shares = () if name in ("r1", "r2") else tf.constant(np.linspace(0.1, 0.9, 6))
    game, at, weights, (_, _, labels, own) = by_class(penalty, noise=(shares,))
    gradients = naive.input_gradients(weights[1], {"real": labels, "fake": own}[which])
    expected = np.mean(value(np.sum(gradients**2, axis=1)))
    found = game.penalty_value(*at, 0, "discriminator")
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def half(images, noise):
    return 0.5 * images


def test_consistency_compares_images_of_the_same_labels(float64):
    settings = {"weight": 2.0, "fake_images_weight": 3.0, "latents_weight": 5.0, "spread": 0.5}
    penalty = tgs.ConsistencyRegularization(**settings, generator_weight=7.0, augment=half)
    steps = np.random.RandomState(4).normal(size=[6, 3])
    drawn = tuple(map(tf.constant, (np.zeros([6, 8]), np.zeros([6, 8]), steps)))
    game, at, weights, (points, latents, labels, own) = by_class(penalty, noise=(drawn,))
    generator, discriminator = weights
    fake_points = naive.fake_points(generator, latents, own)
    shifted = naive.fake_points(generator, latents + 0.5 * steps, own)

    def changed(one, other, classes):
        outputs = [naive.logits(discriminator, each, classes) for each in (one, other)]
        return np.mean((outputs[0] - outputs[1]) ** 2)

    expected = (
        -7.0 * np.mean((fake_points - shifted) ** 2),
        2.0 * changed(points, points / 2, labels)
        + 3.0 * changed(fake_points, fake_points / 2, own)
        + 5.0 * changed(fake_points, shifted, own),
    )
    for player, value in zip(Players._fields, expected, strict=True):
        np.testing.assert_allclose(game.penalty_value(*at, 0, player), value, rtol=1e-10)


class ByCondition(tgs.LossPenalty):
    """Notes what conditions a penalty of a user's own finds."""

    def terms(self, context, noise):
        self.seen = context.conditions.numpy(), context.fake_conditions.numpy()
        return Players(None, tf.reduce_sum(context.fake_logits))


def test_own_penalties_find_the_conditions_of_both(float64):
    penalty = ByCondition()
    game, (params, state, minibatch), _, (_, _, labels, own) = by_class(penalty, noise=((),))
    game(params, state, minibatch)
    np.testing.assert_array_equal(penalty.seen, (labels, own))
    game(params, state, minibatch._replace(fake_labels=None))
    np.testing.assert_array_equal(penalty.seen, (labels, labels))
