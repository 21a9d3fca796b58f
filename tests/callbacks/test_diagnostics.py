"""Accuracies, angles, spreads and collapses."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game import losses

pytestmark = pytest.mark.usefixtures("float64")

Diagnostics = tgs.callbacks.Diagnostics

LOWER_IS_REAL = dataclasses.replace(losses.get("least_squares"), larger_is_real=False)


@pytest.mark.cases(full=4)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "line"),
    [("hinge", 0.0), ("minimax", 0.0), ("least_squares", 0.5), ("wasserstein", None)]
    + [("relativistic_average", None), (LOWER_IS_REAL, 0.5)],
)
def test_accuracy_counts_from_the_losss_boundary(loss, line):
    assert losses.get(loss).boundary == line
    gan = tgs.GAN(
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        latents=1,
    )
    for network, bias in ((gan.generator, 0.2), (gan.discriminator, 0.0)):
        network.variables[0].assign([[0.0 if network is gan.generator else 1.0]])
        network.variables[1].assign([bias])
    rates = [keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)]
    gan.compile(*rates, loss=loss, run_eagerly=True)
    # The discriminator returns what it gets: 0.2 for fakes.
    data = np.array([[-0.1], [0.3], [0.4], [0.7]])
    logs = gan.fit(data, batch_size=4, verbose=0, callbacks=[Diagnostics()]).history
    if line is None:
        assert not any("accuracy" in name for name in logs)
        return
    lower = loss is LOWER_IS_REAL
    assert logs["accuracy_on_real"] == [np.mean(data < line if lower else data > line)]
    assert logs["accuracy_on_fake"] == [float(0.2 > line if lower else 0.2 < line)]


class ZeroLatents:
    """Latents that are zero."""

    shape = (1,)

    def __call__(self, count, seed):
        return tf.zeros([count, 1])


def fixed_gan(kernel, **settings):
    """A GAN that does not learn, and whose generator returns 0.2 always."""
    gan = tgs.GAN(
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "tanh")]),
        latents=ZeroLatents(),
    )
    for network, weight, bias in ((gan.generator, 0.0, 0.2), (gan.discriminator, kernel, 0.0)):
        network.variables[0].assign([[weight]])
        network.variables[1].assign([bias])
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), jit_compile=False, **settings)
    return gan


@pytest.mark.slow
def test_logits_on_the_boundary_are_wrong_for_both():
    gan = fixed_gan(0.0)
    logs = gan.fit(np.ones([4, 1]), batch_size=4, verbose=0, callbacks=[Diagnostics()]).history
    assert logs["accuracy_on_real"] == logs["accuracy_on_fake"] == [0.0]


@pytest.mark.slow
def test_same_gradients_with_a_penalty_have_no_angle():
    gan = fixed_gan(1.0, penalties=[tgs.Consensus(5.0)], run_eagerly=True)
    logs = gan.fit(np.ones([8, 1]), batch_size=4, verbose=0, callbacks=[Diagnostics()]).history
    assert logs["gradient_angle"][0] == pytest.approx(0.0, abs=0.1)


@pytest.mark.slow
def test_each_fit_measures_by_its_own_settings():
    gan, _ = scaled_gan()
    for settings in ((0.1, 5), (0.2, 5), (0.2, 7)):
        ratio, steps = settings
        diagnostics = Diagnostics(collapse_ratio=ratio, collapse_steps=steps)
        gan.fit(np.ones([8, 2]), batch_size=8, verbose=0, callbacks=[diagnostics])
        assert gan.monitor.diagnostics == settings


@pytest.mark.slow
def test_first_step_of_a_fit_has_no_angle():
    gan, _ = scaled_gan()
    data = np.random.RandomState(0).normal(size=[8, 2])
    for _ in range(2):
        logs = gan.fit(data, batch_size=8, verbose=0, callbacks=[Diagnostics()]).history
        assert logs["gradient_angle"] == [0.0]


def scaled_gan():
    """A GAN whose fakes are as far apart as a variable says."""
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


@pytest.mark.slow
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
    # Four steps are too few. Each collapse is warned of when its sixth step is over.
    expected = [-(-(first + 6) // steps_per_call) * steps_per_call for first in (12, 28)]
    assert [(event.kind, event.step) for event in events] == [("collapse", n) for n in expected]
    assert "for 6 steps their spread has been less than 10%" in events[0].text
    assert capsys.readouterr().out.count("fake images have collapsed") == 2
    assert 0 < history["spread_ratio"][0] < 10


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        *(
            ("collapse_steps", v, "`collapse_steps` must be a number of steps.*>= 1.*Use 200")
            for v in (0, 2.0)
        ),
        *(
            ("collapse_ratio", v, r"`collapse_ratio` must be a number in \(0, 1\)\. Received")
            for v in (0.0, 1.0, -1, None, True)
        ),
    ],
)
def test_settings_out_of_range(setting, value, message):
    with pytest.raises(ValueError, match=message):
        Diagnostics(**{setting: value})


def test_several_diagnostics():
    gan, _ = scaled_gan()
    with pytest.raises(ValueError, match="one set of diagnostics watch a run. Received: 2"):
        gan.fit(np.ones([8, 2]), verbose=0, callbacks=[Diagnostics(), Diagnostics()])


@pytest.mark.slow
def test_guard_and_diagnostics_log_together():
    gan, _ = scaled_gan()
    callbacks = [tgs.callbacks.DivergenceGuard(), Diagnostics()]
    logs = gan.fit(np.ones([8, 2]), verbose=0, callbacks=callbacks).history
    names = {"gradient_angle", "spread_ratio", "accuracy_on_real", "accuracy_on_fake"}
    assert names | {f"{p}_gradient_l2" for p in ("generator", "discriminator")} <= set(logs)
