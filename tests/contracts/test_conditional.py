"""Schemes and penalties on class-conditional pairs, whose embeddings have sparse gradients."""

import keras
import naive_conditional_gan as naive
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import Sgd
from penalties import PENALTIES
from schemes import SCHEMES
from small_gans import BATCH, RATES, SEED, assert_close, weights

import tfgan_stab as tgs
from tfgan_stab._utils import random as noise
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


def with_fake_labels(name, **settings):
    """A GAN of linear networks by class, whose fakes have classes of their own."""
    gan = tgs.GAN(*naive.networks(), latents=naive.LATENTS)
    gan.compile(
        *map(keras.optimizers.SGD, RATES),
        scheme=SCHEMES[name][0],
        seed=SEED,
        **{"jit_compile": False, "fake_labels": "uniform", **settings},
    )
    return gan


def examples(name, steps):
    """The data of so many steps: points `[steps, rows, 2]` and classes `[steps, rows]`."""
    random, rows = np.random.RandomState(5), BATCH * SCHEMES[name][0].data_minibatches
    points = random.normal(size=[steps, rows, 2])
    return points, random.randint(naive.CLASSES, size=[steps, rows]).astype("int32")


def fitted(gan, points, labels, **settings):
    """The weights after a step with each batch."""
    gan.fit(tf.data.Dataset.from_tensor_slices((points, labels)), verbose=0, **settings)
    return weights(gan)


def uniform(count, seed):
    """All classes alike."""
    return noise.integers(count, naive.CLASSES, seed)


def played(gan, data, name, draw=uniform):
    """The weights of the naive program, from those of a GAN, after a step with each batch."""
    game, play = naive.NaiveConditionalGan([Sgd(rate) for rate in RATES]), SCHEMES[name][1]()
    params = weights(gan)
    count, in_data = gan.scheme.minibatches, gan.scheme.data_minibatches
    for step, (points, labels) in enumerate(zip(*data, strict=True)):
        minibatches = []
        for number in range(count):
            path = noise.TRAINING, step, number
            own = draw(BATCH, noise.key(SEED, noise.FAKE_LABELS, *path)).numpy()
            latents = gan.latents(BATCH, noise.key(SEED, *path)).numpy().astype("float64")
            real = [np.split(each, in_data)[number % in_data] for each in (points, labels)]
            assert np.any(own != real[1])
            minibatches.append((real[0], latents, real[1], own))
        params = play(game, params, minibatches)
    return params


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["alternating_reused", "simultaneous", "rk4", "extragradient_fresh", "rk4_fresh", "lookahead"],
)
def test_three_steps_with_fake_labels_are_those_of_a_naive_program(name):
    """Labels belong to the noise: used again with it, and drawn anew with it."""
    gan, data = with_fake_labels(name), examples(name, 3)
    expected = played(gan, data, name)
    assert_close(fitted(gan, *data), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_fake_labels_are_the_same_however_steps_are_executed():
    data = examples("simultaneous", 6)
    one = fitted(with_fake_labels("simultaneous", steps_per_execution=1), *data)
    several = fitted(with_fake_labels("simultaneous", steps_per_execution=3), *data)
    assert_close(several, one, rtol=0, atol=0)
    compiled = with_fake_labels("simultaneous", steps_per_execution=3, jit_compile=True)
    assert_close(fitted(compiled, *data), one, rtol=1e-4, atol=1e-5)
    assert compiled.compilation.scope == "step"
    others = fitted(with_fake_labels("simultaneous", fake_labels=None), *data)
    assert np.max(np.abs(others[0][0] - one[0][0])) > 0.01


@pytest.mark.slow
def test_fake_labels_go_on_where_a_run_was_stopped(tmp_path):
    """Saved after two of four steps, with the setting, and loaded in a new model."""
    points, labels = examples("simultaneous", 4)
    gan = with_fake_labels("simultaneous")
    expected = played(gan, (points, labels), "simultaneous")
    whole = fitted(gan, points, labels)
    assert_close(whole, expected, rtol=1e-6, atol=1e-8)
    half = with_fake_labels("simultaneous")
    fitted(half, points[:2], labels[:2])
    half.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert loaded.fake_labels == "uniform"
    assert_close(fitted(loaded, points[2:], labels[2:]), whole, rtol=0, atol=0)


@keras.saving.register_keras_serializable("tests")
def later_classes(count, seed):
    """A user's own function: all classes but the first."""
    return 1 + noise.integers(count, naive.CLASSES - 1, seed)


@pytest.mark.slow
def test_function_draws_fake_labels_in_graphs_and_where_a_run_goes_on(tmp_path):
    """Each of two steps: in a plain graph, under XLA, and the second in a model that is loaded."""
    settings = {"fake_labels": later_classes}
    points, labels = examples("simultaneous", 2)
    gan = with_fake_labels("simultaneous", **settings)
    expected = played(gan, (points, labels), "simultaneous", later_classes)
    fitted(gan, points[:1], labels[:1])
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert loaded.fake_labels is later_classes
    for each in (gan, loaded):
        assert_close(fitted(each, points[1:], labels[1:]), expected, rtol=1e-6, atol=1e-8)
    compiled = with_fake_labels("simultaneous", jit_compile=True, **settings)
    assert_close(fitted(compiled, points, labels), expected, rtol=1e-4, atol=1e-5)
    assert compiled.compilation.scope == "step"


@pytest.mark.slow
def test_evaluate_judges_fake_images_for_labels_of_their_own():
    gan = with_fake_labels("simultaneous")
    (points,), (labels,) = examples("simultaneous", 1)
    path = noise.TESTING, 0
    own = noise.integers(BATCH, naive.CLASSES, noise.key(SEED, noise.FAKE_LABELS, *path)).numpy()
    latents = gan.latents(BATCH, noise.key(SEED, *path)).numpy().astype("float64")
    found = gan.evaluate(points, labels, batch_size=BATCH, verbose=0)
    np.testing.assert_allclose(
        found, naive.losses(weights(gan), (points, latents, labels, own)), rtol=1e-5
    )
