"""Diagnostics are the numbers that a plain NumPy program finds."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import NaiveGan, Sgd, forward, sigmoid
from schemes import SCHEMES
from small_gans import RATES, make, minibatches_of, points, weights

import tfgan_stab as tgs

pytestmark = pytest.mark.usefixtures("float64")


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


def pairwise(images):
    """Mean squared distance over all pairs of two different images."""
    return np.mean([np.sum((a - b) ** 2) for a, b in itertools.permutations(images, 2)])


def naive_diagnostics(params, points_of_players, minibatch, previous):
    """Returns a step's numbers, and its field, written out."""
    generator, discriminator = params
    game = NaiveGan([None, None])
    slopes = [flat(game.slope(player, points_of_players[player], minibatch)) for player in (0, 1)]
    field = flat(slopes)
    data, latents = minibatch
    fake_images, _ = forward(generator, latents)
    real_logits, fake_logits = (forward(discriminator, x)[0] for x in (data, fake_images))
    found = {
        "generator_gradient_l2": np.linalg.norm(slopes[0]),
        "discriminator_gradient_l2": np.linalg.norm(slopes[1]),
        "accuracy_on_real": np.mean(sigmoid(real_logits) > 0.5),
        "accuracy_on_fake": np.mean(sigmoid(fake_logits) < 0.5),
        "spread_ratio": pairwise(fake_images) / pairwise(data),
        "gradient_angle": 0.0,
    }
    if previous is not None:
        cosine = field @ previous / np.linalg.norm(field) / np.linalg.norm(previous)
        found["gradient_angle"] = np.degrees(np.arccos(cosine))
    return found, field


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["simultaneous", *(pytest.param(n, marks=pytest.mark.slow) for n in ("alternating", "rk4"))],
)
def test_every_number_is_that_of_a_naive_program(name):
    gan = make(name)
    params = weights(gan)
    data = points(name, 4)
    play = SCHEMES[name][1]()
    naive = NaiveGan([Sgd(rate) for rate in RATES])
    expected, previous = [], None
    for number, rows in enumerate(data):
        (minibatch,) = minibatches_of(gan, number, rows)
        moved = play(naive, params, [minibatch])
        # In alternation, the generator's first gradient is at the discriminator's new weights.
        own = [params[0], moved[1]] if name == "alternating" else params
        found, previous = naive_diagnostics(params, [own, params], minibatch, previous)
        expected.append(found)
        params = moved
    logs = Logs()
    dataset = tf.data.Dataset.from_tensor_slices(data)
    gan.fit(dataset, verbose=0, callbacks=[tgs.callbacks.Diagnostics(), logs])
    assert len(logs.steps) == 4
    for found, wanted in zip(logs.steps, expected, strict=True):
        for key, value in wanted.items():
            assert found[key] == pytest.approx(value, rel=1e-5), key
    assert expected[1]["gradient_angle"] > 1


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_penalty_keeps_its_place_in_the_logs():
    penalties = [tgs.GeneratorGradientNorm(0.3), tgs.Consensus(0.1)]
    gan = make("simultaneous", rates=(0.0, 0.0), penalties=penalties)
    data = tf.data.Dataset.from_tensor_slices(points("simultaneous", 1))
    plain = gan.fit(data, verbose=0).history
    gan.start_over()
    watchers = [tgs.callbacks.Diagnostics(), tgs.callbacks.DivergenceGuard()]
    watched = gan.fit(data, verbose=0, callbacks=watchers).history
    assert {name: watched[name] for name in plain} == plain
    (value,) = plain["generator_gradient_norm"]
    unpenalized = make("simultaneous", rates=(0.0, 0.0))
    logs = unpenalized.fit(data, verbose=0, callbacks=[tgs.callbacks.Diagnostics()]).history
    assert value == pytest.approx(0.3 * logs["generator_gradient_l2"][0] ** 2, rel=1e-5)
