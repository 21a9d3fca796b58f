"""What the logs say of a game's health is what a plain NumPy program finds."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import NaiveGan, Sgd, forward, sigmoid
from schemes import SCHEMES
from test_scheme_contracts import BATCH, RATES, SEED, make, reals, weights
from test_scheme_contracts import float64 as float64

import tfgan_stab as tgs
from tfgan_stab._utils import random as noise
from tfgan_stab.game import losses
from tfgan_stab.training import health

Guard = tgs.callbacks.DivergenceGuard


class Logs(keras.callbacks.Callback):
    """Keeps each step's own values; resets the means after it."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(dict(logs))
        self.model.reset_metrics()


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def pairwise(examples):
    """Mean squared distance over all pairs of two different examples."""
    rows = np.reshape(examples, [len(examples), -1])
    distances = [
        np.sum((a - b) ** 2) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j
    ]
    return np.mean(distances)


def naive_health(params, slopes_at, minibatches, former):
    """Returns a step's numbers, and its field, written out."""
    generator, _ = params
    minibatch, at = minibatches[0], slopes_at
    game = NaiveGan([None, None])
    slopes = [flat(game.slope(player, *at[player])) for player in (0, 1)]
    field = flat(slopes)
    data, latents = minibatch
    fakes, _ = forward(generator, latents)
    discriminator = params[1]
    real_logits, fake_logits = (forward(discriminator, x)[0] for x in (data, fakes))
    found = {
        "generator_gradient_norm": np.linalg.norm(slopes[0]),
        "discriminator_gradient_norm": np.linalg.norm(slopes[1]),
        "accuracy_on_reals": np.mean(sigmoid(real_logits) > 0.5),
        "accuracy_on_fakes": np.mean(sigmoid(fake_logits) < 0.5),
        "spread_ratio": pairwise(fakes) / pairwise(data),
        "gradient_angle": 0.0,
    }
    if former is not None:
        cosine = field @ former / np.linalg.norm(field) / np.linalg.norm(former)
        found["gradient_angle"] = np.degrees(np.arccos(cosine))
    return found, field


@pytest.mark.parametrize("name", ["simultaneous", "alternating", "rk4"])
def test_every_number_is_that_of_a_naive_program(name):
    gan = make(name)
    params = weights(gan)
    data = reals(name, 4)
    play = SCHEMES[name][1]()
    naive = NaiveGan([Sgd(rate) for rate in RATES])
    expected, former = [], None
    for number, rows in enumerate(data):
        key = noise.key(SEED, noise.TRAINING, number, 0)
        minibatch = (rows, gan.latents(BATCH, key).numpy().astype("float64"))
        moved = play(naive, params, [minibatch])
        # In turns, the generator looks first when the discriminator has moved.
        seen = [params[0], moved[1]] if name == "alternating" else params
        at = [(seen, minibatch), (params, minibatch)]
        found, former = naive_health(params, at, [minibatch], former)
        expected.append(found)
        params = moved
    logs = Logs()
    dataset = tf.data.Dataset.from_tensor_slices(data)
    gan.fit(dataset, verbose=0, callbacks=[Guard(), logs])
    assert len(logs.steps) == 4
    for found, wanted in zip(logs.steps, expected, strict=True):
        for key, value in wanted.items():
            assert found[key] == pytest.approx(value, rel=1e-5), key
    assert expected[1]["gradient_angle"] > 1


LOWER_IS_REAL = dataclasses.replace(losses.get("least_squares"), larger_is_real=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "line"),
    [("hinge", 0.0), ("minimax", 0.0), ("least_squares", 0.5), ("wasserstein", None)]
    + [("relativistic_average", None), (LOWER_IS_REAL, 0.5)],
)
def test_accuracy_counts_from_the_line_that_the_loss_draws(loss, line):
    assert losses.get(loss).boundary == line
    gan = tgs.GAN(
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        latents=1,
    )
    for network, bias in ((gan.generator, 0.2), (gan.discriminator, 0.0)):
        network.variables[0].assign([[0.0 if network is gan.generator else 1.0]])
        network.variables[1].assign([bias])
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), loss=loss, jit_compile=False)
    # The discriminator returns what it gets: 0.2 for fakes.
    data = np.array([[-0.1], [0.3], [0.4], [0.7]])
    logs = gan.fit(data, batch_size=4, verbose=0, callbacks=[Guard()]).history
    if line is None:
        assert not any("accuracy" in name for name in logs)
        return
    lower = loss is LOWER_IS_REAL
    assert logs["accuracy_on_reals"] == [np.mean(data < line if lower else data > line)]
    assert logs["accuracy_on_fakes"] == [float(0.2 > line if lower else 0.2 < line)]


class NoNoise:
    """Latents that are zero."""

    shape = (1,)

    def __call__(self, count, seed):
        return tf.zeros([count, 1])


def standing_gan(kernel, **settings):
    """A GAN that stands still, and whose generator returns 0.2 always."""
    gan = tgs.GAN(
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "tanh")]),
        latents=NoNoise(),
    )
    for network, weight, bias in ((gan.generator, 0.0, 0.2), (gan.discriminator, kernel, 0.0)):
        network.variables[0].assign([[weight]])
        network.variables[1].assign([bias])
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), jit_compile=False, **settings)
    return gan


def test_what_lies_on_the_line_is_right_for_nobody():
    gan = standing_gan(0.0)
    logs = gan.fit(np.ones([4, 1]), batch_size=4, verbose=0, callbacks=[Guard()]).history
    assert logs["accuracy_on_reals"] == logs["accuracy_on_fakes"] == [0.0]


@pytest.mark.slow
def test_the_field_that_a_penalty_changes_has_no_angle_to_itself():
    gan = standing_gan(1.0, penalties=[tgs.Consensus(5.0)])
    logs = gan.fit(np.ones([8, 1]), batch_size=4, verbose=0, callbacks=[Guard()]).history
    assert logs["gradient_angle"][0] == pytest.approx(0.0, abs=0.1)


@pytest.mark.slow
def test_another_guard_watches_by_its_own_settings():
    gan, _ = scaled_gan()
    for settings in ((0.1, 5), (0.2, 5), (0.2, 7)):
        ratio, steps = settings
        guard = Guard(collapse_ratio=ratio, collapse_steps=steps)
        gan.fit(np.ones([8, 2]), batch_size=8, verbose=0, callbacks=[guard])
        assert (gan.monitor.collapse_ratio, gan.monitor.collapse_steps) == settings


@pytest.mark.slow
def test_the_first_step_of_a_training_has_no_angle_to_the_one_before():
    gan, _ = scaled_gan()
    data = np.random.RandomState(0).normal(size=[8, 2])
    for _ in range(2):
        logs = gan.fit(data, batch_size=8, verbose=0, callbacks=[Guard()]).history
        assert logs["gradient_angle"] == [0.0]


@pytest.mark.parametrize("shape", [(7, 3), (5, 4, 2, 1), (2, 6)])
def test_the_spread_is_the_mean_over_all_pairs(shape):
    examples = np.random.RandomState(0).normal(size=shape, loc=3.0)
    assert float(health.spread(tf.constant(examples))) == pytest.approx(pairwise(examples))


def test_a_single_example_has_no_spread():
    assert float(health.spread(tf.ones([1, 3]))) == 0.0


def test_half_precision_is_added_up_in_float32():
    large = tf.fill([100_000], tf.constant(100.0, tf.float16))
    assert float(health.squared_norms([large])[0]) == pytest.approx(1e9, rel=1e-3)
    assert float(health.spread(tf.stack([large, -large]))) == pytest.approx(4e9, rel=1e-3)


def scaled_gan():
    """A GAN whose fakes are spread as far as a variable says."""
    scale = tf.Variable(1.0, dtype="float64")

    class Scaled(keras.layers.Layer):
        def call(self, inputs):
            return inputs * scale.read_value()

    gan = tgs.GAN(
        keras.Sequential([keras.Input((2,)), Scaled(), keras.layers.Dense(2)]),
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
        latents=2,
    )
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), jit_compile=False)
    return gan, scale


@pytest.mark.parametrize("steps_per_call", [1, 4])
def test_each_fall_of_the_fakes_spread_is_told_once(steps_per_call, capsys):
    gan, scale = scaled_gan()
    if steps_per_call > 1:
        gan.compile(
            keras.optimizers.SGD(0.0),
            keras.optimizers.SGD(0.0),
            jit_compile=False,
            steps_per_execution=steps_per_call,
        )
    collapsed = set(range(4, 8)) | set(range(12, 24)) | set(range(28, 40))

    class Collapse(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            scale.assign(0.01 if gan.steps in collapsed else 1.0)

    news = []
    gan.listeners = [news.append]
    data = np.random.RandomState(0).normal(size=[40 * 8, 2])
    guard = Guard(collapse_ratio=0.1, collapse_steps=6)
    history = gan.fit(data, batch_size=8, verbose=0, callbacks=[Collapse(), guard]).history
    # Four steps are too few. Each fall is told when its sixth step is over.
    expected = [-(-(first + 6) // steps_per_call) * steps_per_call for first in (12, 28)]
    assert [(event.kind, event.step) for event in news] == [("collapse", n) for n in expected]
    assert "for 6 steps their spread has been less than 0.1" in news[0].text
    assert capsys.readouterr().out.count("fakes have collapsed") == 2
    assert 0 < history["spread_ratio"][0] < 10
