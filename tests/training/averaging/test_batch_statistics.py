"""Batch statistics measured anew are those of a NumPy rewrite, taken when needed and no oftener."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab._utils import random as noise
from tfgan_stab.training.averaging.batch_statistics import Recalibration

layers = keras.layers
BATCHES, SIZE, SEED = 3, 5, 7
RULE = tgs.ExponentialAverage(
    0.75,
    batch_statistics="recalibrate",
    recalibration_batches=BATCHES,
    recalibration_batch_size=SIZE,
)


def gan_with(averages, generator=None, discriminator=None, num_classes=None, **settings):
    generator = generator or keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4),
            layers.BatchNormalization(momentum=0.9, epsilon=1e-3),
            layers.Activation("tanh"),
            layers.Dense(5),
            layers.BatchNormalization(momentum=0.5, scale=False),
            layers.Dense(2),
        ]
    )
    discriminator = discriminator or keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=3, num_classes=num_classes)
    gan.compile(
        keras.optimizers.Adam(0.05),
        keras.optimizers.Adam(0.05),
        averages=averages,
        jit_compile=False,
        run_eagerly=True,
        seed=SEED,
        **settings,
    )
    return gan


def train(gan, steps=2):
    gan.fit(tgs.data.mixture(batch_size=8), steps_per_epoch=steps, verbose=0)


@pytest.fixture
def gan():
    made = gan_with({"ema": RULE, "plain": tgs.ExponentialAverage(0.75)})
    train(made, 3)
    return made


@pytest.fixture
def measured(monkeypatch):
    """How often statistics have been measured, as the length of a list."""
    calls, pooled = [], Recalibration._pooled

    def counted(self, values):
        calls.append(len(values))
        return pooled(self, values)

    monkeypatch.setattr(Recalibration, "_pooled", counted)
    return calls


def by_hand(gan):
    """Pooled mean and variance of both normalizations under the averaged weights, in float64."""
    paths = [v.path.split("/")[-1] for v in gan.generator.variables]
    w = [np.float64(v.numpy()) for v in gan._averages["ema"].averages]
    kernels = [value for value, path in zip(w, paths, strict=True) if path == "kernel"]
    biases = [value for value, path in zip(w, paths, strict=True) if path == "bias"]
    (gamma,) = [value for value, path in zip(w, paths, strict=True) if path == "gamma"]
    beta = [value for value, path in zip(w, paths, strict=True) if path == "beta"][0]
    seen = [[], []]
    for number in range(BATCHES):
        key = noise.key(SEED, noise.RECALIBRATING, number)
        z = np.float64(gan.latents(SIZE, key).numpy())
        first = z @ kernels[0] + biases[0]
        normal = (first - first.mean(0)) / np.sqrt(first.var(0) + 1e-3)
        second = np.tanh(normal * gamma + beta) @ kernels[1] + biases[1]
        seen[0].append(first)
        seen[1].append(second)
    # Pooled over equal batches: the moments of all examples together.
    return [f(np.concatenate(each), axis=0) for each in seen for f in (np.mean, np.var)]


def statistics(gan):
    moving = [v for v in gan.generator.variables if "moving" in v.path]
    return [v.numpy() for v in moving]


@pytest.mark.slow
def test_they_are_the_moments_of_all_batches_together_under_the_averaged_weights(gan):
    live = gan.generator.get_weights()
    with gan.using("ema"):
        found = statistics(gan)
        others = [v.numpy() for v in gan.generator.variables if "moving" not in v.path]
    for mine, theirs in zip(found, by_hand(gan), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
    with gan.using("plain"):
        plain = [v.numpy() for v in gan.generator.variables if "moving" not in v.path]
        assert np.abs(statistics(gan)[1] - found[1]).max() > 1e-3
    for mine, theirs in zip(others, plain, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(gan.generator.get_weights(), live, strict=True):
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.slow
def test_they_are_measured_once_until_the_average_changes(gan, measured):
    first = gan.sample(5, weights="ema")
    for _ in range(2):
        gan.sample(300, weights="ema")
        with gan.using("ema"):
            gan.predict(np.ones([2, 3], "float32"), verbose=0)
    assert len(measured) == 1
    train(gan, 2)
    assert len(measured) == 1  # Training uses no average.
    again = gan.sample(5, weights="ema")
    assert len(measured) == 2
    assert np.abs(again - first).max() > 1e-5
    gan._averages["ema"].averages[0].assign(gan._averages["ema"].averages[0] * 2)
    gan.sample(5, weights="ema")
    assert len(measured) == 3
    gan.sample(5, weights="plain")
    assert len(measured) == 3


def test_a_mean_in_double_precision_is_measured_after_the_single_weights_it_starts_from():
    rule = tgs.UniformAverage(
        batch_statistics="recalibrate", recalibration_batches=1, recalibration_batch_size=SIZE
    )
    gan = gan_with({"mean": rule})
    before = gan.sample(2, weights="mean", seed=1)
    train(gan, 1)
    assert np.any(gan.sample(2, weights="mean", seed=1) != before)


@pytest.mark.slow
def test_an_average_that_waits_is_not_measured_again(measured):
    settings = {"batch_statistics": "recalibrate", "recalibration_batches": 1}
    slow = tgs.ExponentialAverage(0.5, at="sync", **settings)
    gan = gan_with({"slow": slow}, scheme=tgs.Lookahead(tgs.Alternating(), sync_period=4))
    train(gan, 4)
    gan.sample(2, weights="slow")
    train(gan, 3)
    gan.sample(2, weights="slow")
    # The rule's copy of the live batch statistics waits as well.
    assert len(measured) == 1
    train(gan, 1)
    gan.sample(2, weights="slow")
    assert len(measured) == 2


@pytest.mark.slow
def test_a_resumed_run_samples_the_same_bit_for_bit(gan, tmp_path):
    def run(model):
        data = tgs.data.mixture(batch_size=8)
        checkpoint = tgs.callbacks.Checkpoint(tmp_path)
        model.fit(data, steps_per_epoch=4, epochs=2, callbacks=[checkpoint], verbose=0)
        return model.sample(6, weights="ema", seed=4)

    expected = run(gan)
    other = gan_with({"ema": RULE, "plain": tgs.ExponentialAverage(0.75)})
    np.testing.assert_array_equal(run(other), expected)


@pytest.mark.slow
def test_seeds_inside_the_generator_advance_from_batch_to_batch():
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Lambda(tf.ones_like),
            layers.Dropout(0.5, seed=1),
            layers.BatchNormalization(),
            layers.Dense(2),
        ]
    )
    many = tgs.UniformAverage(
        batch_statistics="recalibrate", recalibration_batches=50, recalibration_batch_size=8
    )
    gan = gan_with({"mean": many}, generator)
    train(gan, 1)
    with gan.using("mean"):
        mean, variance = statistics(gan)
    # Kept with probability 1/2 and doubled then: mean 1, variance 1. Were all batches dropped
    # alike, the mean would be an even number of eighths.
    np.testing.assert_allclose(mean, 1.0, atol=0.25)
    np.testing.assert_allclose(variance, 1.0, atol=0.1)
    assert np.all(mean * 8 != np.round(mean * 8 / 2) * 2)


def test_a_conditional_generator_is_shown_all_classes_in_turn(monkeypatch):
    seen = []

    class Seen(layers.Layer):
        def call(self, labels):
            if not isinstance(labels, keras.KerasTensor) and tf.executing_eagerly():
                seen.append(labels.numpy().tolist())
            return tf.one_hot(labels, 3)

    noise_input, labels = keras.Input((3,)), keras.Input((), dtype="int32")
    h = layers.Concatenate()([noise_input, Seen()(labels)])
    generator = keras.Model(
        [noise_input, labels], layers.Dense(2)(layers.BatchNormalization()(layers.Dense(4)(h)))
    )
    points, own = keras.Input((2,)), keras.Input((), dtype="int32")
    merged = layers.Concatenate()([points, Seen()(own)])
    gan = gan_with({"ema": RULE}, generator, keras.Model([points, own], layers.Dense(1)(merged)), 3)
    tf.config.run_functions_eagerly(True)
    try:
        seen.clear()
        with gan.using("ema"):
            assert seen == [[0, 1, 2, 0, 1], [2, 0, 1, 2, 0], [1, 2, 0, 1, 2]]
        gan._averages["ema"].finish.num_classes = None
        gan.generator.variables[0].assign(gan.generator.variables[0] + 1)
        message = "Recalibrating a class-conditional generator needs.*num_classes=10"
        with pytest.raises(ValueError, match=message), gan.using("ema"):
            pytest.fail("its classes are not known")
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.slow
def test_frozen_statistics_stay_as_they_are():
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.BatchNormalization(trainable=False),
            layers.BatchNormalization(),
            layers.BatchNormalization(momentum=1.0),
            layers.Dense(2),
        ]
    )
    gan = gan_with({"ema": RULE}, generator)
    train(gan, 2)
    frozen, measured, constant = gan.generator.layers[:3]
    with gan.using("ema"):
        for layer in (frozen, constant):
            np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))
            np.testing.assert_array_equal(layer.moving_variance, np.ones(3))
        assert np.abs(measured.moving_mean.numpy()).min() > 1e-3


@pytest.mark.slow
def test_the_discriminators_average_is_put_in_beside_measured_statistics():
    gan = gan_with({"both": dataclasses.replace(RULE, discriminator=True)})
    train(gan, 2)
    own = [v.numpy() for v in gan._averages["both"].averages]
    expected = own[len(gan.generator.variables) :]
    live = gan.discriminator.get_weights()
    with gan.using("both"):
        held = gan.discriminator.get_weights()
    for mine, theirs, trained in zip(held, expected, live, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert np.any(mine != trained)


def test_a_generator_without_batch_statistics_is_refused():
    plain = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="'ema' recalibrates.*generator without batch normal"):
        gan_with({"ema": RULE}, plain)


def test_a_discriminator_with_batch_statistics_is_refused():
    rule = tgs.UniformAverage(batch_statistics="recalibrate", discriminator=True)
    critic = [keras.Input((2,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)]
    with pytest.raises(ValueError, match="'mean' recalibrates.*discriminator with batch normal"):
        gan_with({"mean": rule}, discriminator=keras.Sequential(critic))
    gan_with({"mean": rule})
    alone = dataclasses.replace(rule, discriminator=False)
    gan_with({"mean": alone}, discriminator=keras.Sequential(critic))


@pytest.mark.slow
def test_unknown_classes_are_told_before_the_first_step(tiny):
    gan = tiny.image_gan({"ema": RULE}, eager=True, num_classes=10)
    gan.num_classes = None
    data = tgs.data.digits(batch_size=8, labels=True)
    with pytest.raises(ValueError, match="Recalibrating a class-conditional.*num_classes=10"):
        gan.fit(data.take(2), verbose=0)
    assert gan.steps == 0
    gan.fit(data, steps_per_epoch=1, verbose=0)  # These data say how many they have.
    assert (gan.steps, gan.num_classes) == (1, 10)


def test_conditions_that_are_no_classes_are_told_before_the_first_step():
    noise, vectors = keras.Input((3,)), keras.Input((4,))
    hidden = layers.BatchNormalization()(layers.Concatenate()([noise, vectors]))
    points, own = keras.Input((2,)), keras.Input((4,))
    joined = layers.Concatenate()([points, own])
    networks = (
        keras.Model([noise, vectors], layers.Dense(2)(hidden)),
        keras.Model([points, own], layers.Dense(1)(joined)),
    )
    gan = gan_with({"ema": RULE}, *networks)
    data = np.zeros([4, 2], "float32"), np.zeros([4, 4], "float32")
    message = r"can make classes only. Received: .*float32 \[batch, 4\]. Use batch_statistics"
    with pytest.raises(ValueError, match=message):
        gan.fit(*data, verbose=0)
    assert gan.steps == 0
    classes = gan_with({"ema": RULE}, *networks, num_classes=4)
    seen = classes._averages["ema"].finish._classes(1)
    np.testing.assert_array_equal(seen, np.eye(4)[(SIZE + np.arange(SIZE)) % 4])
    labels = np.array([0, 1, 0, 0])
    classes.fit(np.zeros([4, 2], "float32"), labels, verbose=0)
    expected = np.eye(4)[np.resize([0, 0, 1, 0], 2 * SIZE)[SIZE:]]
    np.testing.assert_array_equal(classes._averages["ema"].finish._classes(1), expected)
