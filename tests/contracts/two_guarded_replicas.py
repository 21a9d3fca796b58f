"""Spoils the data of one of two replicas, under a guard; run by `test_replicas.py`."""

import sys

import keras
import numpy as np
import tensorflow as tf
from devices import STRATEGIES
from schemes import SCHEMES
from two_replicas import check_copies

import tfgan_stab as tgs
from tfgan_stab._utils.errors import DivergenceError

STRATEGY = STRATEGIES[2]
ROWS, STEPS = 8, 6
layers = keras.layers


def networks():
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(6), layers.BatchNormalization(), layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            tgs.networks.SpectralNormalization(layers.Dense(6, "tanh")),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def make(name, jit_compile=False):
    with STRATEGY.scope():
        keras.utils.set_random_seed(1)
        gan = tgs.GAN(*networks(), latents=3)
        schedule = keras.optimizers.schedules.PolynomialDecay(0.05, 100, 0.01)
        gan.compile(
            keras.optimizers.Adam(schedule),
            keras.optimizers.Adam(0.02),
            scheme=SCHEMES[name][0],
            averages={"ema": tgs.ExponentialAverage(0.5)},
            jit_compile=jit_compile,
            seed=2,
        )
    return gan


def data(name, spoiled=None):
    """Batches; of the spoiled step's, a row of the second replica is not a number."""
    found = np.random.RandomState(0).normal(size=[STEPS, ROWS * SCHEMES[name][0].minibatches, 2])
    if spoiled is not None:
        found[spoiled - 1, -1, 0] = np.nan
    return tf.data.Dataset.from_tensor_slices(found.astype("float32"))


def check(name, jit_compile):
    gan = make(name, jit_compile)
    events = []
    gan.listeners = [events.append]
    watchers = [tgs.callbacks.DivergenceGuard("rollback", every=2), tgs.callbacks.Diagnostics()]
    history = gan.fit(data(name, 4), verbose=0, callbacks=watchers).history
    (event,) = events
    fault = event.details["fault"]
    # Only the last example is spoiled, which the second replica has.
    assert (fault["player"], fault["kind"], fault["step"]) == ("data", "example", 4), fault
    assert fault["example"] == ROWS * SCHEMES[name][0].minibatches - 1, fault
    assert (event.step, gan.steps) == (2, 4), event
    assert all(np.isfinite(v.numpy()).all() for v in gan.variables)
    assert all(np.isfinite(values).all() for values in history.values()), history
    rates = [float(tf.convert_to_tensor(o.learning_rate)) for o in gan.optimizers]
    np.testing.assert_allclose(rates, [0.05 - 0.04 * 4 / 100, 0.02], rtol=1e-5)
    check_copies(gan)


def check_equality(name):
    """Watchers that never act change nothing; a guard that stops leaves what it found."""
    found = []
    watchers = [tgs.callbacks.DivergenceGuard(every=2), tgs.callbacks.Diagnostics()]
    for callbacks in ([], watchers):
        gan = make(name)
        history = gan.fit(data(name), verbose=0, callbacks=callbacks).history
        metrics = {id(v) for m in gan.metrics for v in m.variables}
        found.append([v.numpy() for v in gan.variables if id(v) not in metrics])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    assert 0 <= history["accuracy_on_real"][0] <= 1
    assert 0 < history["spread_ratio"][0] < 100
    try:
        gan.fit(data(name, 2), verbose=0, callbacks=[tgs.callbacks.DivergenceGuard()])
    except DivergenceError as error:
        assert error.step == STEPS, error
    else:
        sys.exit("not stopped")
    assert all(
        np.array_equal(v.numpy(), w)
        for v, w in zip([v for v in gan.variables if id(v) not in metrics], found[1], strict=True)
    )


for case in sys.argv[1:]:
    name, xla = case.split(":")
    check(name, xla == "xla")
    if name == "simultaneous":
        check_equality(name)
    print(f"{case} is guarded")
