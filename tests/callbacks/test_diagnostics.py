"""What diagnostics log is what a plain NumPy program finds; collapses are warned of."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from naive_gan import NaiveGan, Sgd, forward, sigmoid
from schemes import SCHEMES
from small_gans import RATES, make, minibatches_of, points, weights

import tfgan_stab as tgs
from tfgan_stab.game import losses

pytestmark = pytest.mark.usefixtures("float64")

Diagnostics = tgs.callbacks.Diagnostics


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
    rows = np.reshape(images, [len(images), -1])
    distances = [
        np.sum((a - b) ** 2) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j
    ]
    return np.mean(distances)


def naive_diagnostics(params, params_of_generator, minibatch, previous):
    """Returns a step's numbers, and both players' gradients, written out.

    Args:
        params: Both players' weights when the discriminator's gradient is computed.
        params_of_generator: Those when the generator's is.
        minibatch: Real points and latents.
        previous: Both players' gradients in the step before.
    """
    game = NaiveGan([None, None])
    gradients = [
        -flat(game.slope(0, params_of_generator, minibatch)),
        -flat(game.slope(1, params, minibatch)),
    ]
    joint = flat(gradients)
    data, latents = minibatch
    fakes, _ = forward(params[0], latents)
    real_logits, fake_logits = (forward(params[1], x)[0] for x in (data, fakes))
    found = {
        "generator_gradient_l2": np.linalg.norm(gradients[0]),
        "discriminator_gradient_l2": np.linalg.norm(gradients[1]),
        "accuracy_on_reals": np.mean(sigmoid(real_logits) > 0.5),
        "accuracy_on_fakes": np.mean(sigmoid(fake_logits) < 0.5),
        "spread_ratio": pairwise(fakes) / pairwise(data),
        "gradient_angle": 0.0,
    }
    if previous is not None:
        cosine = joint @ previous / np.linalg.norm(joint) / np.linalg.norm(previous)
        found["gradient_angle"] = np.degrees(np.arccos(cosine))
    return found, joint


@pytest.mark.parametrize("name", ["simultaneous", "alternating", "rk4"])
def test_logs_are_those_of_a_naive_program(name):
    gan = make(name)
    params = weights(gan)
    data = points(name, 4)
    play = SCHEMES[name][1]()
    naive = NaiveGan([Sgd(rate) for rate in RATES])
    expected, gradients = [], None
    for step, rows in enumerate(data):
        (minibatch,) = minibatches_of(gan, step, rows)
        moved = play(naive, params, [minibatch])
        # In turns, the generator's gradient is computed when the discriminator is updated.
        seen = [params[0], moved[1]] if name == "alternating" else params
        found, gradients = naive_diagnostics(params, seen, minibatch, gradients)
        expected.append(found)
        params = moved
    logs = Logs()
    dataset = tf.data.Dataset.from_tensor_slices(data)
    gan.fit(dataset, verbose=0, callbacks=[Diagnostics(), logs])
    assert len(logs.steps) == 4
    for found, wanted in zip(logs.steps, expected, strict=True):
        for key, value in wanted.items():
            assert found[key] == pytest.approx(value, rel=1e-5), key
    assert expected[1]["gradient_angle"] > 1


def test_a_penalty_keeps_its_place_in_the_logs():
    penalties = [tgs.GeneratorGradientNorm(0.3), tgs.Consensus(0.1)]
    gan = make("simultaneous", rates=(0.0, 0.0), penalties=penalties)
    data = tf.data.Dataset.from_tensor_slices(points("simultaneous", 1))
    plain = gan.fit(data, verbose=0).history
    gan.start_over()
    watchers = [Diagnostics(), tgs.callbacks.DivergenceGuard()]
    watched = gan.fit(data, verbose=0, callbacks=watchers).history
    assert {name: watched[name] for name in plain} == plain
    (own,) = plain["generator_gradient_norm"]
    unpenalized = make("simultaneous", rates=(0.0, 0.0))
    logs = unpenalized.fit(data, verbose=0, callbacks=[Diagnostics()]).history
    assert own == pytest.approx(0.3 * logs["generator_gradient_l2"][0] ** 2, rel=1e-5)


LOWER_IS_REAL = dataclasses.replace(losses.get("least_squares"), larger_is_real=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "boundary"),
    [("hinge", 0.0), ("minimax", 0.0), ("least_squares", 0.5), ("wasserstein", None)]
    + [("relativistic_average", None), (LOWER_IS_REAL, 0.5)],
)
def test_accuracy_counts_from_the_losss_boundary(loss, boundary):
    assert losses.get(loss).boundary == boundary
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
    logs = gan.fit(data, batch_size=4, verbose=0, callbacks=[Diagnostics()]).history
    if boundary is None:
        assert not any("accuracy" in name for name in logs)
        return
    lower = loss is LOWER_IS_REAL
    assert logs["accuracy_on_reals"] == [np.mean(data < boundary if lower else data > boundary)]
    assert logs["accuracy_on_fakes"] == [float(0.2 > boundary if lower else 0.2 < boundary)]


class NoNoise:
    """Latents that are zero."""

    shape = (1,)

    def __call__(self, count, seed):
        return tf.zeros([count, 1])


def standing_gan(kernel, **settings):
    """A GAN whose weights do not change, and whose generator always returns 0.2."""
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


def test_logits_on_the_boundary_are_wrong_for_both():
    gan = standing_gan(0.0)
    logs = gan.fit(np.ones([4, 1]), batch_size=4, verbose=0, callbacks=[Diagnostics()]).history
    assert logs["accuracy_on_reals"] == logs["accuracy_on_fakes"] == [0.0]


@pytest.mark.slow
def test_penalized_gradients_have_no_angle_to_themselves():
    gan = standing_gan(1.0, penalties=[tgs.Consensus(5.0)])
    logs = gan.fit(np.ones([8, 1]), batch_size=4, verbose=0, callbacks=[Diagnostics()]).history
    assert logs["gradient_angle"][0] == pytest.approx(0.0, abs=0.1)


@pytest.mark.slow
def test_other_settings_in_a_later_training():
    gan, _ = scaled_gan()
    for settings in ((0.1, 5), (0.2, 5), (0.2, 7)):
        gan.fit(np.ones([8, 2]), batch_size=8, verbose=0, callbacks=[Diagnostics(*settings)])
        assert gan.monitor.diagnostics == settings
    gan.fit(np.ones([8, 2]), batch_size=8, verbose=0)
    assert gan.monitor is None


@pytest.mark.slow
def test_first_step_of_a_training_has_no_angle():
    gan, _ = scaled_gan()
    data = np.random.RandomState(0).normal(size=[8, 2])
    for _ in range(2):
        logs = gan.fit(data, batch_size=8, verbose=0, callbacks=[Diagnostics()]).history
        assert logs["gradient_angle"] == [0.0]


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
def test_each_collapse_is_warned_of_once(steps_per_call, capsys):
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

    events = []
    gan.listeners = [events.append]
    data = np.random.RandomState(0).normal(size=[40 * 8, 2])
    diagnostics = Diagnostics(collapse_ratio=0.1, collapse_steps=6)
    history = gan.fit(data, batch_size=8, verbose=0, callbacks=[Collapse(), diagnostics]).history
    # Four steps are too few. Each collapse is warned of after its sixth step.
    expected = [-(-(first + 6) // steps_per_call) * steps_per_call for first in (12, 28)]
    assert [(event.kind, event.step) for event in events] == [("collapse", n) for n in expected]
    assert "for 6 steps their spread has been less than 0.1" in events[0].text
    assert capsys.readouterr().out.count("fakes have collapsed") == 2
    assert 0 < history["spread_ratio"][0] < 10


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        *(
            ("collapse_ratio", v, r"`collapse_ratio` must be a number in \(0, 1\). Received: ")
            for v in (0.0, 1.0, -1, None, True)
        ),
        *(
            ("collapse_steps", v, "`collapse_steps` must be a number of steps.*>= 1.*Use 200")
            for v in (0, 2.0)
        ),
    ],
)
def test_settings_out_of_range(setting, value, message):
    with pytest.raises(ValueError, match=message):
        Diagnostics(**{setting: value})
