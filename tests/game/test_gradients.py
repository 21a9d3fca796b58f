"""The field: its sign, its gradients against finite differences, and what it leaves alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import Players
from tfgan_stab.networks import SpectralNormalization

layers = keras.layers


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def values(variables):
    return [tf.convert_to_tensor(v.value) for v in variables]


def game_of(generator, discriminator, loss="non_saturating", rows=6, seed=0):
    """Returns a field, where it stands, and a batch."""
    networks = Players(generator, discriminator)
    random = np.random.RandomState(seed)
    for network in networks:
        for v in network.trainable_variables:
            v.assign(random.normal(size=v.shape, scale=0.5))
    params = Players(*(values(n.trainable_variables) for n in networks))
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    dtype = keras.config.floatx()
    reals = tf.constant(random.normal(size=[rows, *discriminator.input_shape[1:]]), dtype)
    latents = tf.constant(random.normal(size=[rows, *generator.input_shape[1:]]), dtype)
    return GameGradients(networks, losses.get(loss)), params, state, Minibatch(reals, None, latents)


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


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_slopes_are_minus_the_central_differences_of_each_players_own_loss(float64, loss):
    field, params, state, batch = game_of(*smooth_pair(), loss)
    evaluation = field(params, state, batch)
    random = np.random.RandomState(1)
    step = 1e-5
    for player in range(2):
        direction = [random.normal(size=w.shape) for w in params[player]]

        def loss_at(distance, player=player, direction=direction):
            moved = [w + distance * d for w, d in zip(params[player], direction, strict=True)]
            at = Players(*(moved if i == player else w for i, w in enumerate(params)))
            return float(field(at, state, batch).losses[player])

        measured = (loss_at(step) - loss_at(-step)) / (2 * step)
        slopes = zip(evaluation.slopes[player], direction, strict=True)
        claimed = -sum(float(tf.reduce_sum(s * d)) for s, d in slopes)
        np.testing.assert_allclose(claimed, measured, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("player", [0, 1], ids=Players._fields)
def test_a_small_step_along_the_field_lowers_the_players_own_loss(float64, player):
    field, params, state, batch = game_of(*smooth_pair())
    before = field(params, state, batch)
    moved = [w + 1e-3 * s for w, s in zip(params[player], before.slopes[player], strict=True)]
    at = Players(*(moved if i == player else w for i, w in enumerate(params)))
    assert field(at, state, batch).losses[player] < before.losses[player]


@pytest.mark.parametrize("player", [0, 1], ids=Players._fields)
def test_a_player_left_out_has_no_slopes_and_the_others_are_the_same(float64, player):
    field, params, state, batch = game_of(*smooth_pair())
    both = field(params, state, batch)
    one = field(params, state, batch, (Players._fields[player],))
    assert one.slopes[1 - player] is None and one.losses[1 - player] is None
    for mine, theirs in zip(one.slopes[player], both.slopes[player], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_a_generators_evaluation_alone_does_not_look_at_the_reals():
    field, params, state, batch = game_of(*smooth_pair())
    spoilt = batch._replace(reals=batch.reals * np.nan)
    slopes = field(params, state, spoilt, ("generator",)).slopes.generator
    assert all(np.isfinite(s).all() for s in slopes)


def test_a_relativistic_generator_does_look_at_the_reals():
    field, params, state, batch = game_of(*smooth_pair(), "relativistic_average")
    spoilt = batch._replace(reals=batch.reals * np.nan)
    assert not np.isfinite(field(params, state, spoilt, ("generator",)).losses.generator)


def test_the_field_writes_no_variable():
    generator, discriminator = smooth_pair()
    field, params, state, batch = game_of(generator, discriminator)
    before = [v.numpy() for n in (generator, discriminator) for v in n.variables]
    moved = tf.nest.map_structure(lambda w: w + 1.0, params)
    field(moved, state, batch)
    after = [v.numpy() for n in (generator, discriminator) for v in n.variables]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_batch_statistics_of_the_discriminator_advance_by_the_mean_of_reals_and_fakes():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.BatchNormalization(momentum=0.75), layers.Dense(1)]
    )
    field, params, state, batch = game_of(generator, discriminator)
    fakes = batch.latents.numpy() @ params.generator[0].numpy() + params.generator[1].numpy()
    means = (batch.reals.numpy().mean(axis=0) + fakes.mean(axis=0)) / 2
    moving_mean = field(params, state, batch).state.discriminator[0]
    np.testing.assert_allclose(moving_mean, 0.25 * means, rtol=1e-5, atol=1e-7)


def test_the_power_iteration_is_taken_once_in_an_evaluation():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    normalized = SpectralNormalization(layers.Dense(4, use_bias=False))
    discriminator = keras.Sequential([keras.Input((3,)), normalized, layers.Dense(1)])
    field, params, state, batch = game_of(generator, discriminator)
    after = field(params, state, batch).state.discriminator
    kernel = params.discriminator[0].numpy()  # [3, 4]
    vector = np.asarray(state.discriminator[0])  # [4]
    inner = vector @ kernel.T
    inner /= np.linalg.norm(inner)
    once = inner @ kernel
    once /= np.linalg.norm(once)
    np.testing.assert_allclose(after[0], once, rtol=1e-4, atol=1e-6)


def test_layers_own_regularization_is_added_to_their_players_loss():
    def pair(weight):
        regularizer = keras.regularizers.L2(weight) if weight else None
        generator = keras.Sequential(
            [keras.Input((3,)), layers.Dense(2, kernel_regularizer=regularizer)]
        )
        discriminator = keras.Sequential(
            [keras.Input((2,)), layers.Dense(1, kernel_regularizer=regularizer)]
        )
        field, params, state, batch = game_of(generator, discriminator)
        return field(params, state, batch), params

    plain, params = pair(None)
    heavier, _ = pair(0.1)
    for player in range(2):
        kernel = params[player][0].numpy()
        extra = heavier.losses[player] - plain.losses[player]
        np.testing.assert_allclose(extra, 0.1 * np.sum(kernel**2), rtol=1e-4)
        change = heavier.slopes[player][0] - plain.slopes[player][0]
        np.testing.assert_allclose(change, -0.2 * kernel, rtol=1e-4, atol=1e-6)


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """Has a `call` without `training`, and a layer inside that behaves differently in training."""

    def __init__(self):
        super().__init__()
        self.normalization = layers.BatchNormalization(momentum=0.5)
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(self.normalization(inputs))


def test_layers_inside_a_subclassed_model_are_in_training_mode():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    discriminator = Subclassed()
    discriminator(tf.zeros([2, 2]))
    networks = Players(generator, discriminator)
    params = Players(*(values(n.trainable_variables) for n in networks))
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    batch = Minibatch(tf.ones([4, 2]), None, tf.ones([4, 2]))
    evaluation = GameGradients(networks, losses.hinge)(params, state, batch)
    assert np.any(evaluation.state.discriminator[0].numpy() != 0.0)


def test_inference_losses_use_the_moving_statistics():
    generator, discriminator = smooth_pair()
    field, params, state, batch = game_of(generator, discriminator)
    fakes = generator(batch.latents, training=False)
    expected = losses.non_saturating(discriminator(batch.reals), discriminator(fakes))
    np.testing.assert_allclose(field.losses(params, state, batch), expected, rtol=1e-5)
