"""Promises that every scheme keeps in a GAN with real losses, each checked for one of `SCHEMES`."""

import keras
import numpy as np
import pytest
from naive_gan import Adam, NaiveGan, Sgd
from schemes import SCHEMES
from small_gans import RATES, assert_close, make, minibatches_of, points, train, weights


def three_steps_are_those_of_a_naive_program(name, optimizer):
    gan = make(name, optimizer)
    params = weights(gan)
    data = points(name, 3)
    kind = {"sgd": Sgd, "adam": Adam}[optimizer]
    separate = SCHEMES[name][0].separate_extrapolation
    others = [kind(rate) for rate in RATES] if separate else None
    game = NaiveGan([kind(rate) for rate in RATES], others)
    play = SCHEMES[name][1]()
    for step, rows in enumerate(data):
        params = play(game, params, minibatches_of(gan, step, rows))
    # Keras keeps learning rates in float32, and Adam's betas too: 1 - 0.999 loses 5 digits there.
    tolerance = {"sgd": {"rtol": 1e-6, "atol": 1e-8}, "adam": {"rtol": 1e-4, "atol": 1e-5}}
    assert_close(train(gan, data), params, **tolerance[optimizer])


def step_and_gradients_are_traced_once(name):
    gan = make(name)
    traces = []
    step = gan.train_step

    def counted(data):
        traces.append(1)
        return step(data)

    gan.train_step = counted
    train(gan, points(name, 5))
    assert len(traces) == 1
    choices = 2 if "alternating" in repr(SCHEMES[name][0]).lower() else 1
    assert gan._functions.gradients.experimental_get_tracing_count() == choices


def learning_rates_of_zero_change_nothing(name):
    gan = make(name, rates=(0.0, 0.0), run_eagerly=True)
    before = weights(gan)
    after = train(gan, points(name, 2))
    assert_close(before, after, rtol=0, atol=0)


def batch_must_divide_into_minibatches(name):
    minibatches = SCHEMES[name][0].data_minibatches
    if minibatches == 1:
        gan = make(name, run_eagerly=True)
        train(gan, np.ones([1, 7, 2]))
        assert gan.steps == 1
        return
    with pytest.raises(
        ValueError, match=f"into {minibatches} equal minibatches.*multiple of {minibatches}"
    ):
        train(make(name), np.ones([1, minibatches * 4 + 1, 2]))


def scheme_survives_keras_serialization(name):
    scheme = SCHEMES[name][0]
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(scheme))
    assert copy == scheme
