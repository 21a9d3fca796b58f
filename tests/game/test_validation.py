"""Pairs that cannot play are refused before anything is trained."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game.functional import network_inputs
from tfgan_stab.game.validation import Condition, check_pair

layers = keras.layers


def generator(latents=4, size=3):
    return keras.Sequential([keras.Input((latents,)), layers.Dense(size)])


def discriminator(size=3):
    return keras.Sequential([keras.Input((size,)), layers.Dense(1)])


def conditional(size, outputs, dtype="int32", shape=()):
    first, labels = keras.Input((size,)), keras.Input(shape, dtype=dtype)
    embedded = layers.Flatten()(layers.Embedding(5, size)(labels))
    return keras.Model([first, labels], layers.Dense(outputs)(layers.Add()([first, embedded])))


def taker(first, second, outputs, dtype="float32"):
    """A network of two inputs that it joins along their last axis."""
    inputs = [keras.Input(first), keras.Input(second, dtype=dtype)]
    return keras.Model(inputs, layers.Dense(outputs)(layers.Concatenate()(inputs)))


def pixels(channels, outputs, dense=False):
    """A network of one input, pictures of 4 x 4."""
    last = [layers.Flatten(), layers.Dense(1)] if dense else [layers.Conv2D(outputs, 1)]
    return keras.Sequential([keras.Input((4, 4, channels)), *last])


def test_fitting_pair():
    assert check_pair(generator(), discriminator(), 4) == ((3,), None)
    pair = check_pair(conditional(4, 3), conditional(3, 1), 4)
    assert pair == ((3,), Condition((), "int32", True)) and pair.conditional


def test_vectors_and_pictures_as_second_inputs():
    vectors = Condition((5,), "float32", False)
    assert check_pair(taker((4,), (5,), 3), taker((3,), (5,), 1), 4) == ((3,), vectors)
    one_hot = check_pair(taker((4,), (5,), 3), taker((3,), (5,), 1), 4, num_classes=5)
    assert one_hot.condition == Condition((5,), "float32", True)
    pictures = check_pair(pixels(2, 3), taker((4, 4, 3), (4, 4, 2), 1), 0)
    assert pictures == ((4, 4, 3), Condition((4, 4, 2), "float32", False))
    column = check_pair(conditional(4, 3, shape=(1,)), conditional(3, 1, shape=(1,)), 4)
    assert column.condition == Condition((1,), "int32", True)


@pytest.mark.parametrize("channels", [3, 5])
def test_discriminator_of_one_input_sees_pictures_alone_or_with_the_condition_joined(channels):
    pair = check_pair(pixels(2, 3), pixels(channels, 1, dense=True), 0)
    assert pair == ((4, 4, 3), Condition((4, 4, 2), "float32", False))


def test_classes_are_joined_to_networks_of_one_input():
    image = keras.Sequential(
        [keras.Input((4 + 5,)), layers.Dense(48), layers.Reshape((4, 4, 3))],
    )
    pair = check_pair(image, pixels(3 + 5, 1, dense=True), 4, num_classes=5)
    assert pair == ((4, 4, 3), Condition((5,), "float32", True))
    with pytest.raises(ValueError, match=r"\[4, 4, 3\], \[4, 4, 8\] with the condition. Give the"):
        check_pair(image, pixels(4, 1, dense=True), 4, num_classes=5)
    with pytest.raises(ValueError, match=r"noise of shape \[3\], \[8\] with the condition"):
        check_pair(image, pixels(3 + 5, 1, dense=True), 3, num_classes=5)


LABELS = tf.constant([2, 0])


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        (Condition((), "int32", True), tf.constant([2, 0], tf.uint8), [2, 0]),
        (Condition((1,), "int32", True), LABELS, [[2], [0]]),
        (Condition((1,), "float32", True), LABELS, [[2.0], [0.0]]),
        (Condition((1,), "float32", False), LABELS, [[2.0], [0.0]]),
        (Condition((1,), "float32", False), tf.constant([0.5, 2.0]), [[0.5], [2.0]]),
        (Condition((3,), "float32", True), LABELS, np.eye(3)[[2, 0]]),
        (Condition((3,), "float32", True), tf.one_hot(LABELS, 3, dtype="int64"), np.eye(3)[[2, 0]]),
        (Condition((2,), "float32", False), tf.constant([[True, False]]), [[1.0, 0.0]]),
        (Condition((2,), "int32", False), tf.constant([[7, 8]]), [[7, 8]]),
        (Condition((None,), "float32", False), tf.constant([[0.5]], tf.float64), [[0.5]]),
    ],
)
def test_conditions_become_what_the_networks_take(condition, values, expected):
    found = condition.checked(values)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == condition.dtype


@pytest.mark.parametrize(
    ("condition", "values", "error", "message"),
    [
        (Condition((), "int32", True), [0.5, 1.5], TypeError, "Labels must be integers.*float32"),
        (Condition((), "int32", True), np.eye(2), TypeError, r"Take np.argmax.labels, axis=-1."),
        (Condition((), "int32", True), [[1], [0]], ValueError, r"Write labels\[:, 0\]"),
        (Condition((), "int32", True), [[1, 0]], ValueError, r"Take np.argmax.labels, axis=-1."),
        (Condition((4,), "float32", False), [3, 1], ValueError, r"to_categorical.labels, 4."),
        (
            Condition((4,), "float32", True),
            np.eye(3),
            ValueError,
            r"Received: float64 \[batch, 3\]. Change",
        ),
        (Condition((4,), "float32", False), ["a"], TypeError, "Received: string"),
        (
            Condition((2, 2, 1), "float32", False),
            np.zeros([1, 2, 2, 1], "uint8"),
            TypeError,
            "Received: uint8. Scale bytes with",
        ),
    ],
)
def test_other_conditions_are_refused_with_what_to_write(condition, values, error, message):
    with pytest.raises(error, match=message):
        condition.checked(tf.convert_to_tensor(values))


def test_conditions_must_be_one_tensor():
    with pytest.raises(TypeError, match=r"one tensor int32 \[batch\]. Received: dict"):
        Condition((), "int32", True).checked({"labels": LABELS})


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


def test_generator_of_pictures_alone_needs_no_latents():
    with pytest.raises(ValueError, match="Write latents=0 if it takes pictures as conditions"):
        check_pair(pixels(2, 3), pixels(5, 1, dense=True), 128)


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
    with pytest.raises(
        ValueError, match="Either both networks take class labels.*or neither.*int32"
    ):
        check_pair(conditional(4, 3), discriminator(), 4)


@pytest.mark.parametrize(
    ("networks", "arguments", "message"),
    [
        (
            lambda: (taker((4,), (1,), 3), conditional(3, 1)),
            (4,),
            "same condition. Received: a generator for float32 [batch, 1] and a discriminator for "
            "int32 [batch]. Give both",
        ),
        (
            lambda: (taker((4,), (5,), 3), taker((3,), (6,), 1)),
            (4,),
            "Received: a generator for float32 [batch, 5] and a discriminator for float32 [batch, ",
        ),
        (
            lambda: (taker((4,), (5,), 3), discriminator()),
            (4,),
            "Received: a discriminator without, where the other one takes float32 [batch, 5]. Add ",
        ),
        (
            lambda: (taker((4,), (5,), 3), taker((3,), (5,), 1)),
            (4, 10),
            "`num_classes` is for conditions that are classes, int32 [batch] or one-hot [batch, 10"
            "]. Received: a `generator` for float32 [batch, 5]. Leave it out",
        ),
        (
            lambda: (conditional(4, 3), conditional(3, 1)),
            (0,),
            "latents=0 is for a generator that takes a condition alone, with one keras.Input. "
            "Received: 2 inputs. Give the size",
        ),
        (
            lambda: (keras.Sequential([layers.Dense(3)]), discriminator()),
            (0,),
            "Received: an unknown number of inputs",
        ),
        (
            lambda: (taker((4,), (2,), 3, "bool"), taker((3,), (2,), 1, "bool")),
            (4,),
            "The condition that `generator` takes must be integer class labels or floats",
        ),
    ],
)
def test_networks_that_take_other_conditions(networks, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_pair(*networks(), *arguments)


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


@pytest.mark.slow
def test_networks_are_not_run_on_batches_of_sizes_that_they_do_not_take():
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    discriminator = keras.Sequential([keras.Input((3,)), GroupDeviation(), keras.layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=2)
    gan.compile("sgd", "sgd", penalties=[tgs.R1(1.0)], jit_compile=True)
    gan.fit(np.ones([16, 3], "float32"), batch_size=8, verbose=0)
    assert gan.steps == 2


def in_order(first, outputs, condition, order, dtype="float32"):
    """A network that takes its condition first or last, or both by name."""
    inputs = {
        "noise": keras.Input((first,), name="noise"),
        "label": keras.Input(condition, dtype=dtype, name="label"),
    }
    own = layers.Flatten()(keras.ops.cast(inputs["label"], "float32"))
    joined = layers.Dense(outputs)(layers.Concatenate()([inputs["noise"], own]))
    orders = {"last": ["noise", "label"], "first": ["label", "noise"]}
    given = inputs if order == "names" else [inputs[name] for name in orders[order]]
    return keras.Model(given, joined)


@pytest.mark.parametrize("order", ["last", "first", "names"])
@pytest.mark.parametrize(("condition", "dtype"), [((1,), "int32"), ((7,), "float32")])
def test_the_condition_may_come_in_any_order(order, condition, dtype):
    pair = [in_order(4, 3, condition, order, dtype), in_order(3, 1, condition, "first", dtype)]
    found = check_pair(*pair, 4)
    assert found.example_shape == (3,)
    assert found.condition == Condition(condition, dtype, dtype == "int32")
    first, own = tf.ones([2, 4]), tf.ones([2, *condition], dtype)
    expected = {
        "last": [first, own],
        "first": [own, first],
        "names": {"noise": first, "label": own},
    }
    inputs = network_inputs(pair[0], first, own)
    keras.tree.assert_same_structure(inputs, expected[order])
    for one, two in zip(tf.nest.flatten(inputs), tf.nest.flatten(expected[order]), strict=True):
        assert one is two
    pair[0](inputs)


def test_noise_of_another_size_is_told_whatever_the_order():
    pair = [in_order(4, 3, (), "first", "int32"), in_order(3, 1, (), "last", "int32")]
    with pytest.raises(ValueError, match=r"shape \[4\]. Received: `latents` .*Write latents=4"):
        check_pair(*pair, 5)
