"""Both networks as functions of weights and states: how they are called, what is left alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from penalized_games import values

from tfgan_stab.game import losses
from tfgan_stab.game.functional import (
    LayerWritesWeightsError,
    Minibatch,
    NetworksAt,
    network_inputs,
)
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


# -- Layers' random numbers -----------------------------------------------------------------------


def noisy_networks():
    """Both return which of 64 ones two layers keep; seeds that users choose are often small."""
    return Players(
        *(
            keras.Sequential(
                [keras.Input((64,)), layers.Dropout(0.5, seed=seed), layers.Dropout(0.1, seed=9)]
            )
            for seed in (1, 2)
        )
    )


def masks_of(networks, state, number=0):
    """Returns the masks of two calls of each network, and each network's state after its last."""
    at = NetworksAt(networks, Players([], []), state, None, number=number)
    ones, draws = tf.ones([1, 64]), []
    for _ in range(2):
        draws += [at.generate(ones), at.discriminate(ones)]
    state_after = Players(draws[2].state, draws[3].state)
    return [draw.values.numpy().tobytes() for draw in draws], state_after


@pytest.mark.slow
def test_each_call_of_each_minibatch_and_step_has_random_numbers_of_its_own():
    networks = noisy_networks()
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    seen = []
    for _ in range(3):
        for number in range(4):
            masks, after = masks_of(networks, state, tf.constant(number))
            assert masks == masks_of(networks, state, tf.constant(number))[0]
            seen += masks
        state = after
    assert len(set(seen)) == len(seen) == 48


def test_a_seed_advances_by_the_draws_of_one_call():
    """As in a Keras model that is called once a step; the seed that a user chose stays."""
    networks = noisy_networks()
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    _, after = masks_of(networks, state, tf.constant(5))
    np.testing.assert_array_equal(after.discriminator, [[2, 1], [9, 1]])
    np.testing.assert_array_equal(state.discriminator, [[2, 0], [9, 0]])


def test_in_inference_nothing_is_random():
    networks = noisy_networks()
    state = Players(*(values(n.non_trainable_variables) for n in networks))
    at = NetworksAt(networks, Players([], []), state, None, training=False)
    ones = tf.ones([1, 64])
    np.testing.assert_array_equal(at.discriminate(ones).values, ones)


# -- Layers that write to their weights -----------------------------------------------------------


class Halving(layers.Layer):
    """Writes to its weight in training: trainable or not, as is asked for."""

    def __init__(self, trainable):
        super().__init__()
        self.weight = self.add_weight(shape=(), initializer="ones", trainable=trainable)

    def call(self, inputs, training=False):
        if training:
            self.weight.assign(self.weight / 2.0)
        return inputs * self.weight


def discriminated(layer):
    """Returns what a call gives of a network with this layer."""
    network = keras.Sequential([keras.Input((2,)), layer, layers.Dense(1)], name="critic")
    params = Players([], values(network.trainable_variables))
    state = Players([], values(network.non_trainable_variables))
    return NetworksAt(Players(None, network), params, state, None).discriminate(tf.ones([1, 2]))


def test_layers_that_write_to_trainable_weights_are_refused_by_name():
    with pytest.raises(LayerWritesWeightsError, match="Halving 'halving.*' of 'critic'"):
        discriminated(Halving(trainable=True))
    named = layers.SpectralNormalization(layers.Dense(3), name="normed")
    with pytest.raises(
        LayerWritesWeightsError, match="SpectralNormalization 'normed'.*Use tgs.networks.Spectral"
    ):
        discriminated(named)


def test_what_they_write_to_others_is_carried():
    assert discriminated(Halving(trainable=False)).state[0].numpy() == 0.5
