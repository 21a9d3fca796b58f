"""Pairs that cannot play are refused before anything is trained."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game.validation import check_pair

layers = keras.layers


def generator(latents=4, size=3):
    return keras.Sequential([keras.Input((latents,)), layers.Dense(size)])


def discriminator(size=3):
    return keras.Sequential([keras.Input((size,)), layers.Dense(1)])


def conditional(size, outputs, dtype="int32", shape=()):
    first, labels = keras.Input((size,)), keras.Input(shape, dtype=dtype)
    embedded = layers.Flatten()(layers.Embedding(5, size)(labels))
    return keras.Model([first, labels], layers.Dense(outputs)(layers.Add()([first, embedded])))


def test_fitting_pair():
    assert check_pair(generator(), discriminator(), 4) == ((3,), False)
    assert check_pair(conditional(4, 3), conditional(3, 1), 4) == ((3,), True)


def test_unbuilt_networks_are_built():
    networks = [keras.Sequential([layers.Dense(3)]), keras.Sequential([layers.Dense(1)])]
    assert check_pair(*networks, 4).example_shape == (3,)
    assert [network.built for network in networks] == [True, True]


def test_generator_must_be_a_keras_model():
    with pytest.raises(TypeError, match="`generator` must be a Keras model.*Wrap layers"):
        check_pair(layers.Dense(3), discriminator(), 4)


def test_latents_must_fit_the_generator():
    with pytest.raises(ValueError, match=r"shape \[4\]. Received: `latents`.*\[128\].*latents=4"):
        check_pair(generator(), discriminator(), 128)


def test_images_must_fit_the_discriminator():
    with pytest.raises(ValueError, match=r"expects inputs of shape \[7\].*returns shape \[3\]"):
        check_pair(generator(), discriminator(7), 4)


def test_shared_variables():
    shared = layers.Dense(3, name="shared")
    first = keras.Sequential([keras.Input((3,)), shared])
    second = keras.Sequential([keras.Input((3,)), shared, layers.Dense(1)])
    with pytest.raises(ValueError, match="belong to one player.*shared/kernel"):
        check_pair(first, second, 3)


def test_network_without_trainable_weights():
    frozen = discriminator()
    frozen.trainable = False
    with pytest.raises(ValueError, match="`discriminator` must have trainable weights"):
        check_pair(generator(), frozen, 4)


def test_generator_with_several_outputs():
    noise = keras.Input((4,))
    two = keras.Model(noise, [layers.Dense(3)(noise), layers.Dense(3)(noise)])
    with pytest.raises(ValueError, match="`generator` must return one tensor"):
        check_pair(two, discriminator(), 4)


def test_labels_for_one_player_only():
    with pytest.raises(ValueError, match="Either both networks take class labels.*or neither"):
        check_pair(conditional(4, 3), discriminator(), 4)


def test_labels_must_be_integers():
    first, labels = keras.Input((4,)), keras.Input((1,), dtype="float32")
    floats = keras.Model([first, labels], layers.Dense(3)(layers.Concatenate()([first, labels])))
    with pytest.raises(ValueError, match="second input of `generator` must take integer class"):
        check_pair(floats, conditional(3, 1), 4)


def test_more_than_two_inputs():
    three = [keras.Input((4,)) for _ in range(3)]
    network = keras.Model(three, layers.Dense(3)(layers.Add()(three)))
    with pytest.raises(ValueError, match="one input, or two.*Received: 3"):
        check_pair(network, discriminator(), 4)


class GroupDeviation(keras.layers.Layer):
    """The deviation over groups of four rows, as in progressive GANs: fails for two rows."""

    def call(self, inputs):
        groups = tf.reshape(inputs, [4, -1, inputs.shape[-1]])
        deviation = tf.repeat(tf.math.reduce_std(groups, axis=0), 4, axis=0)
        return tf.concat([inputs, deviation], axis=-1)

    def compute_output_shape(self, shape):
        return (shape[0], 2 * shape[1])


def test_networks_are_not_run_on_batches_of_sizes_that_they_do_not_take():
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    discriminator = keras.Sequential([keras.Input((3,)), GroupDeviation(), keras.layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=2)
    gan.compile("sgd", "sgd", penalties=[tgs.R1(1.0)], jit_compile=True)
    gan.fit(np.ones([16, 3], "float32"), batch_size=8, verbose=0)
    assert gan.steps == 2
