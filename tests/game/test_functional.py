"""Both networks as functions of weights and states: how they are called, what is left alone."""

import keras
import numpy as np
import tensorflow as tf
from penalized_games import values

from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch, NetworksAt, network_inputs
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import Players

layers = keras.layers


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
    minibatch = Minibatch(tf.ones([4, 2]), None, tf.ones([4, 2]))
    evaluation = GameGradients(networks, losses.hinge)(params, state, minibatch)
    assert np.any(evaluation.state.discriminator[0].numpy() != 0.0)


def test_networks_are_called_at_the_weights_given_and_keep_their_own():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False)])
    networks = Players(generator, discriminator)
    own = [v.numpy() for network in networks for v in network.variables]
    params = Players([2.0 * tf.eye(2), tf.constant([1.0, 0.0])], [tf.constant([[1.0], [-1.0]])])
    at = NetworksAt(networks, params, Players([], []), labels=None)
    examples = at.generate(tf.constant([[3.0, 4.0]])).values
    np.testing.assert_array_equal(examples, [[7.0, 8.0]])
    np.testing.assert_array_equal(at.discriminate(examples).values, [[-1.0]])
    for variable, before in zip([*generator.variables, *discriminator.variables], own, strict=True):
        np.testing.assert_array_equal(variable.numpy(), before)


def test_logits_of_half_precision_are_summed_in_single_precision():
    networks = Players(
        None, keras.Sequential([keras.Input((2,)), layers.Dense(1, dtype="float16")])
    )
    params = Players([], values(networks.discriminator.trainable_variables))
    at = NetworksAt(networks, params, Players([], []), labels=None)
    assert at.discriminate(tf.ones([3, 2])).values.dtype == tf.float32


def test_a_minibatch_without_penalties_keeps_their_places():
    minibatch = Minibatch(tf.ones([1, 2]), None, tf.ones([1, 3]), ("one", "two"), (True, False))
    plain = minibatch.without_penalties()
    assert plain.active == (False, False) and plain.noise == ("one", "two")


def test_conditions_are_joined_to_networks_of_one_input_as_planes():
    random = np.random.RandomState(0)
    noise, images = random.normal(size=[2, 5]), random.normal(size=[2, 4, 3, 1])
    vectors, pictures = random.normal(size=[2, 2]), random.normal(size=[2, 4, 3, 2])
    planes = np.broadcast_to(vectors[:, None, None], pictures.shape)
    for shape, first, condition, expected in (
        ((7,), noise, vectors, np.concatenate([noise, vectors], axis=-1)),
        ((4, 3, 3), images, vectors, np.concatenate([images, planes], axis=-1)),
        ((4, 3, 3), images, pictures, np.concatenate([images, pictures], axis=-1)),
        ((4, 3, 1), images, pictures, images),
        ((4, 3, 2), noise[:, :0], pictures, pictures),
    ):
        network = keras.Sequential([keras.Input(shape), layers.Flatten()])
        found = network_inputs(network, tf.constant(first), tf.constant(condition))
        np.testing.assert_array_equal(found, expected)
    inputs = [keras.Input((5,)), keras.Input((2,))]
    both = keras.Model(inputs, layers.Concatenate()(inputs))
    assert network_inputs(both, noise, vectors) == [noise, vectors]
    assert network_inputs(both, noise, None) is noise
