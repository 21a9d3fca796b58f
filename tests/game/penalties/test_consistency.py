"""Consistency regularisation: closed form, finite differences, and how images are changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from penalized_games import (
    added_gradient,
    assert_derivatives,
    deep_pair,
    game_of,
    linear_pair,
    values,
)

import tfgan_stab as tgs
from tfgan_stab.game import losses
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.penalties.consistency import FlipAndShift
from tfgan_stab.game.players import Players

pytestmark = pytest.mark.usefixtures("float64")

layers = keras.layers


def test_closed_form_on_linear_networks():
    def halved(images, noise):
        return images / 2 + 0 * noise[:, :1]

    penalty = tgs.ConsistencyRegularization(2.0, 3.0, 5.0, 7.0, spread=0.5, augment=halved)
    networks = linear_pair()
    game, params, state, minibatch = game_of(networks, [penalty])
    (g, shift), (a, _) = ([w.numpy() for w in own] for own in params)
    x, z = minibatch.real_images.numpy(), minibatch.latents.numpy()
    e = 0.5 * minibatch.noise[0][2].numpy()
    fake_images = z @ g + shift
    expected = (
        2.0 * np.mean((x @ a / 2) ** 2)
        + 3.0 * np.mean((fake_images @ a / 2) ** 2)
        + 5.0 * np.mean((e @ g @ a) ** 2)
    )
    found = float(game(params, state, minibatch).penalty_values[0])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    reward, _, _ = added_gradient(networks, penalty, "generator")
    # The derivative of -7 mean (e g)^2 along g; the mean is over rows and entries.
    np.testing.assert_allclose(reward[0], -14.0 * e.T @ (e @ g) / (e @ g).size, rtol=1e-7)
    np.testing.assert_allclose(reward[1], 0.0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["average_pooling", "max_pooling"])
def test_gradient_by_finite_differences_of_the_value(kind):
    assert_derivatives(deep_pair(kind), tgs.ConsistencyRegularization(2.0, 3.0, 5.0, 7.0))


def test_images_are_flipped_and_shifted_with_mirrored_borders():
    image = tf.reshape(tf.range(16.0), [1, 4, 4, 1])
    augment = FlipAndShift(reach=0.25)
    still = tf.constant([[0.9, 0.5, 0.5] + [0.0] * 5])
    assert np.array_equal(augment(image, still), image)
    mirrored = augment(image, tf.constant([[0.1, 0.5, 0.5] + [0.0] * 5]))
    assert np.array_equal(mirrored, image[:, :, ::-1])
    down = augment(image, tf.constant([[0.9, 0.99, 0.5] + [0.0] * 5]))
    assert np.array_equal(down[0, :, :, 0], image.numpy()[0, [1, 2, 3, 2], :, 0])
    right = augment(image, tf.constant([[0.9, 0.5, 0.0] + [0.0] * 5]))
    assert np.array_equal(right[0, :, :, 0], image.numpy()[0][:, [1, 0, 1, 2], 0])
    assert np.array_equal(FlipAndShift(0.0, flip=False)(image, tf.zeros([1, 8])), image)


Consistency = tgs.ConsistencyRegularization
BAD = [
    (lambda: Consistency(0.0), "needs a weight > 0. Received: 0 for all four"),
    (lambda: Consistency(spread=0), "`spread` must be a number > 0. Received: 0"),
    (lambda: Consistency(spread=True), "`spread` must be a number > 0. Received: True"),
    (lambda: Consistency(latents_weight=True), "`latents_weight` must be a number >= 0.*True"),
    (lambda: Consistency(generator_weight=np.inf), "`generator_weight` must be a number.*inf"),
    (
        lambda: Consistency(fake_images_weight=-1),
        "`fake_images_weight` must be a number >= 0. Received: -1",
    ),
    (lambda: FlipAndShift(reach=0.6), r"`reach` must be .*in \[0, 0.5\].*Received: 0.6"),
    (lambda: FlipAndShift()(tf.zeros([2, 3]), tf.zeros([2, 8])), "Flips and shifts need images"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_settings_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("augment", ["flip", FlipAndShift])
def test_augment_must_be_a_function(augment):
    with pytest.raises(TypeError, match="`augment` must be a function"):
        tgs.ConsistencyRegularization(augment=augment)


@pytest.mark.parametrize("jit_compile", [False, True, "auto"])
def test_shifts_need_images_when_compiled(jit_compile):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    gan = tgs.GAN(*linear_pair(), latents=2)
    penalty = tgs.ConsistencyRegularization()
    with pytest.raises(
        ValueError, match=r"^Flips and shifts need images.*Received: examples of shape \[3\]\. Give"
    ):
        gan.compile("sgd", "sgd", penalties=[penalty], jit_compile=jit_compile)


@pytest.mark.slow
@pytest.mark.parametrize(
    "penalty",
    [
        tgs.ConsistencyRegularization(0.0, latents_weight=5.0),
        tgs.ConsistencyRegularization(augment=lambda images, noise: -images),
    ],
    ids=["latents", "own"],
)
def test_points_with_other_kinds_of_consistency(penalty):
    gan = tgs.GAN(*linear_pair(), latents=2)
    gan.compile("sgd", "sgd", penalties=[penalty], jit_compile=False, check_derivatives=False)
    gan.fit(np.ones([4, 3]), batch_size=4, verbose=0)
    assert gan.steps == 1


@pytest.mark.slow
def test_shifts_of_data_of_unknown_size():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(64), layers.Reshape((8, 8, 1))],
    )
    discriminator = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1)]
    )
    gan = tgs.GAN(generator, discriminator, latents=2)
    gan.compile("sgd", "sgd", penalties=[tgs.ConsistencyRegularization()], jit_compile=False)
    data = tf.data.Dataset.from_tensors(np.ones([4, 8, 8, 1], "float32"))
    unknown = data.map(
        lambda x: tf.ensure_shape(tf.py_function(lambda y: y, [x], x.dtype), [None] * 4)
    )
    gan.fit(unknown, verbose=0)
    assert gan.steps == 1


def conditional_pair():
    """Networks of points of three numbers, and vectors of two."""
    pair = []
    for first, outputs in ((2, 3), (3, 1)):
        inputs = [keras.Input((first,)), keras.Input((2,))]
        hidden = layers.Dense(4, "tanh")(layers.Concatenate()(inputs))
        pair.append(keras.Model(inputs, layers.Dense(outputs)(hidden)))
    return pair


def reconstruction_game(penalty):
    """The game of `penalized_games`, with vectors as conditions."""
    networks = conditional_pair()
    random = np.random.RandomState(0)
    for network in networks:
        for v in network.trainable_variables:
            v.assign(random.normal(size=v.shape, scale=0.4))
    params = Players(*(values(n.trainable_variables) for n in networks))
    arrays = [tf.constant(random.normal(size=[5, n])) for n in (3, 2, 2)]
    minibatch = Minibatch(*arrays, noise=((),), active=(True,))
    game = GameGradients(Players(*networks), losses.get("non_saturating"), [penalty])
    return networks, game, params, minibatch


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_reconstruction_is_the_distance_of_fake_from_real_images(norm):
    penalty = tgs.Reconstruction(3.0, norm=norm)
    networks, game, params, minibatch = reconstruction_game(penalty)
    state = Players([], [])
    evaluation = game(params, state, minibatch)
    images, conditions, latents = (t.numpy() for t in minibatch[:3])
    a, b, c, d = (w.numpy() for w in params.generator)
    fake_images = np.tanh(np.concatenate([latents, conditions], axis=1) @ a + b) @ c + d
    difference = fake_images - images
    expected = 3.0 * np.mean(np.abs(difference) if norm == "l1" else difference**2)
    np.testing.assert_allclose(evaluation.penalty_values[0], expected, rtol=1e-12)
    plain = GameGradients(Players(*networks), losses.get("non_saturating"))
    without = plain(params, state, minibatch._replace(noise=(), active=()))
    pairs = [e.gradients for e in (evaluation, without)]
    added = [x - y for x, y in zip(*(each.generator for each in pairs), strict=True)]
    direction = [np.random.RandomState(1).normal(size=w.shape) for w in added]

    def value(step):
        moved = [w + step * v for w, v in zip(params.generator, direction, strict=True)]
        at = Players(moved, params.discriminator)
        return float(game.penalty_value(at, state, minibatch, 0, "generator"))

    measured = (value(1e-7) - value(-1e-7)) / 2e-7
    claimed = sum(float(tf.reduce_sum(g * v)) for g, v in zip(added, direction, strict=True))
    np.testing.assert_allclose(claimed, measured, rtol=1e-6)
    for one, other in zip(*(each.discriminator for each in pairs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_reconstruction_needs_conditions():
    gan = tgs.GAN(*linear_pair(), latents=2)
    gan.compile("sgd", "sgd", penalties=[tgs.Reconstruction()], jit_compile=False)
    with pytest.raises(ValueError, match="expects networks that take conditions.*unconditional"):
        gan.fit(np.ones([4, 3]), batch_size=4, verbose=0)
    assert gan.steps == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": -1.0}, "`weight` must be a number >= 0. Received: -1.0"),
        ({"norm": "L1"}, "`norm` must be one of 'l1', 'l2'. Received: 'L1'"),
    ],
)
def test_reconstruction_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        tgs.Reconstruction(**arguments)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_pictures_of_pictures_are_learned_by_reconstruction():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    generator = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 1)])
    discriminator = keras.Sequential([keras.Input((4, 4, 2)), layers.Flatten(), layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=0)
    gan.compile(
        keras.optimizers.Adam(0.05),
        keras.optimizers.Adam(1e-3),
        penalties=[tgs.Reconstruction(100.0)],
        jit_compile=False,
    )
    pictures = np.random.RandomState(0).uniform(-1, 1, [64, 4, 4, 1]).astype("float32")
    history = gan.fit(-pictures / 2, pictures, batch_size=16, epochs=40, verbose=0).history
    assert history["reconstruction"][0] > 20 > 5 > history["reconstruction"][-1]
    found = gan.sample(64, labels=pictures)
    np.testing.assert_allclose(found, -pictures / 2, atol=0.15)
