"""Averages follow their formula in float32 or better, and training never sees them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.training import distribution
from tfgan_stab.training.averaging.averaged_weights import AveragedWeights


def followed(average, weights, steps):
    """Lets an average take in a network's weights step by step."""
    for number in range(1, steps + 1):
        new = weights(number)
        held = distribution.read(average.weights)
        count = tf.constant(number, tf.int64)
        distribution.write(
            average.weights, average.updated(held, new, count, tf.constant(8, tf.int64))
        )
        yield [variable.numpy() for variable in average.averages]


def by_hand(start, recorded, decay, first=0):
    """The rule in float64; integers are copied, and so is everything in the first steps."""
    average = [value.astype(np.float64) for value in start]
    for number, weights in enumerate(recorded, start=1):
        for i, new in enumerate(weights):
            copied = number <= first or new.dtype.kind in "iu"
            share = 1.0 if copied else 1.0 - decay
            average[i] = (1.0 - share) * average[i] + share * new.astype(np.float64)
    return average


def record(tiny, gan, steps, per_epoch):
    recorded = []
    trace = tiny.Trace(lambda hook: recorded.append(tiny.network(gan)), "on_train_batch_end")
    gan.fit(
        tiny.images(),
        epochs=steps // per_epoch,
        steps_per_epoch=per_epoch,
        callbacks=[trace],
        verbose=0,
    )
    return recorded


@pytest.mark.slow
def test_averages_of_twenty_steps_agree_with_a_rewrite_in_float64(tiny, image_gan):
    start = tiny.network(image_gan)
    recorded = record(tiny, image_gan, 20, 5)
    assert len(recorded) == 20
    for name, decay, first in (("ema", 0.75, 0), ("late", 0.5, 3)):
        expected = by_hand(start, recorded, decay, first)
        for variable, own, reference in zip(
            image_gan.generator.variables, tiny.average(image_gan, name), expected, strict=True
        ):
            np.testing.assert_allclose(own, reference, 1e-4, 1e-6, err_msg=variable.path)
            moved = np.abs(own - variable.numpy()).max()
            if "seed" in variable.path:
                assert moved == 0, "a seed is copied"
            elif "moving" in variable.path or "kernel" in variable.path:
                assert moved > 1e-4, "an average lags behind what is trained"


def test_the_tiny_generator_has_batch_statistics_and_a_seed(image_gan):
    paths = " ".join(v.path for v in image_gan.generator.variables)
    assert "moving_mean" in paths
    assert "seed" in paths


@pytest.mark.slow
def test_an_average_is_a_copy_bit_for_bit_until_its_start(tiny, image_gan):
    gaps = []

    def compare(hook):
        gaps.append(tiny.same(tiny.average(image_gan, "late"), tiny.network(image_gan)))

    image_gan.fit(
        tiny.images(),
        steps_per_epoch=5,
        callbacks=[tiny.Trace(compare, "on_train_batch_end")],
        verbose=0,
    )
    assert gaps == [True, True, True, False, False]


def test_an_average_starts_from_weights_that_were_set_after_compile(tiny, image_gan):
    image_gan.generator.set_weights([w + 0.5 for w in image_gan.generator.get_weights()])
    start = tiny.network(image_gan)
    recorded = record(tiny, image_gan, 1, 1)
    expected = by_hand(start, recorded, 0.75)
    for own, reference in zip(tiny.average(image_gan), expected, strict=True):
        np.testing.assert_allclose(own, reference, rtol=1e-5, atol=1e-6)


def test_a_second_fit_goes_on_with_the_averages_it_finds(tiny, image_gan):
    start = tiny.network(image_gan)
    recorded = record(tiny, image_gan, 3, 3) + record(tiny, image_gan, 3, 3)
    for own, reference in zip(tiny.average(image_gan), by_hand(start, recorded, 0.75), strict=True):
        np.testing.assert_allclose(own, reference, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_training_is_the_same_to_the_last_bit_with_and_without_averages(tiny):
    gans = [
        tiny.point_gan({"ema": tgs.ExponentialAverage(0.5)}, eager=True),
        tiny.point_gan({"one": tgs.ExponentialAverage(0.9)}, eager=True),
    ]
    gans[1].compile(
        *(type(o).from_config(o.get_config()) for o in gans[0].optimizers), run_eagerly=True
    )
    assert not gans[1].averages
    for mine, theirs in zip(gans[0].generator.variables, gans[1].generator.variables, strict=True):
        theirs.assign(mine)
    for mine, theirs in zip(
        gans[0].discriminator.variables, gans[1].discriminator.variables, strict=True
    ):
        theirs.assign(mine)
    before = tiny.network(gans[0])
    for gan in gans:
        gan.fit(tgs.data.mixture(batch_size=4), steps_per_epoch=5, verbose=0)
    assert tiny.same(tiny.network(gans[0]), tiny.network(gans[1]))
    assert not tiny.same(tiny.network(gans[0]), before)


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("angle", [0.05, 0.4, 2.0])
@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_an_average_shrinks_a_rotation_as_its_transfer_function_says(decay, angle):
    point = keras.Variable(np.zeros(2))
    average = AveragedWeights(tgs.ExponentialAverage(decay), [point], "ema")

    def turned(number):
        where = [np.cos(angle * number), np.sin(angle * number)]
        return [tf.constant(where, tf.float32)]

    *_, (last,) = followed(average, turned, 200)
    expected = (1 - decay) / np.sqrt(1 + decay**2 - 2 * decay * np.cos(angle))
    np.testing.assert_allclose(np.linalg.norm(last), expected, rtol=2e-5)


@pytest.mark.parametrize("rule", [tgs.UniformAverage(), tgs.ExponentialAverage(0.0)])
@pytest.mark.parametrize("held", [1e30, np.inf, np.nan])
def test_a_share_of_one_replaces_the_copy_bit_for_bit_whatever_it_held(rule, held):
    average = AveragedWeights(rule, [keras.Variable(np.zeros(2))], "mean")
    average.averages[0].assign(np.full(2, held))
    ((first,),) = followed(average, lambda number: [tf.constant([0.1, -3.0])], 1)
    np.testing.assert_array_equal(first, np.float32([0.1, -3.0]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_averages_are_kept_in_float32_or_better(dtype):
    weight = keras.Variable(np.ones(3), dtype=dtype)
    average = AveragedWeights(tgs.ExponentialAverage(0.999), [weight], "ema")
    (own,) = average.averages
    assert own.dtype == ("float64" if dtype == "float64" else "float32")
    distribution.write(average.weights, average.started([weight.value]))
    # Half precision has no number between 1 and 1.001: an average kept in it would stand still.
    values = {number: tf.cast(tf.fill([3], 2.0), dtype) for number in (1, 2)}
    *_, (last,) = followed(average, lambda number: [values[number]], 2)
    exact = 2 - 0.999**2
    np.testing.assert_allclose(last, exact, rtol=1e-12 if dtype == "float64" else 1e-7)


def test_integers_are_copied_whatever_the_decay():
    seed = keras.Variable(np.array([7, 1], "int64"), dtype="int64", trainable=False)
    average = AveragedWeights(tgs.ExponentialAverage(0.9), [seed], "ema")
    big = 2**53 + 1  # No float64 holds it.
    *_, (last,) = followed(average, lambda number: [tf.constant([big, number], tf.int64)], 2)
    assert last.tolist() == [big, 2]


@pytest.mark.slow
def test_mixed_precision_trains_and_swaps_averages_in_float32(tiny):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        gan = tiny.point_gan(eager=True)
        start = tiny.network(gan)
        recorded = []
        trace = tiny.Trace(lambda hook: recorded.append(tiny.network(gan)), "on_train_batch_end")
        gan.fit(tgs.data.mixture(batch_size=4), steps_per_epoch=3, callbacks=[trace], verbose=0)
        assert {v.dtype for v in gan._averages["ema"].averages} == {"float32"}
        for own, reference in zip(tiny.average(gan), by_hand(start, recorded, 0.75), strict=True):
            np.testing.assert_allclose(own, reference, rtol=1e-5, atol=1e-6)
        live = tiny.network(gan)
        with gan.using("ema"):
            assert not tiny.same(tiny.network(gan), live)
        assert tiny.same(tiny.network(gan), live)
    finally:
        keras.config.set_dtype_policy(before)
