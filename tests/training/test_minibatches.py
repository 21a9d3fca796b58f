"""From batches to minibatches: which batches are refused, and with which noise they come."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

import tfgan_stab as tgs
from tfgan_stab._utils import random
from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.latents import Normal
from tfgan_stab.game.validation import Condition, Pair
from tfgan_stab.training.minibatches import MinibatchMaker


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"scheme": tgs.Alternating(2)},
        pytest.param(
            {"scheme": tgs.Extragradient(batches="fresh"), "jit_compile": True},
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_a_smaller_last_batch_that_does_not_divide_is_refused_in_plain_words(settings):
    gan = make(**settings)
    data = tf.data.Dataset.from_tensor_slices(points(13)).batch(8)  # Its size is not in the spec.
    message = r"into 2 equal minibatches. Received: a batch of 5 rows, .*drop_remainder=True\)"
    with pytest.raises(ValueError, match=message):
        gan.fit(data, verbose=0)
    assert gan.steps == 1


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.zeros([8, 2], "uint8"), TypeError, "Examples must be floats.*Received: uint8"),
        (np.zeros([8, 3], "float32"), ValueError, r"shape.*\[2\]. Received: \[3\]"),
        (
            (points(8), np.zeros(8, "int32")),
            ValueError,
            r"take no class labels.*Leave labels out: fit\(examples\)",
        ),
    ],
)
def test_batches_that_do_not_fit_are_refused(data, error, message):
    dataset = tf.data.Dataset.from_tensors(data)
    with pytest.raises(error, match=message):
        make().fit(dataset, verbose=0)


@pytest.mark.slow
def test_float_labels_are_refused(conditional):
    dataset = tf.data.Dataset.from_tensors((points(8), np.zeros(8, "float32")))
    with pytest.raises(TypeError, match="Labels must be integers"):
        conditional.fit(dataset, verbose=0)


def test_a_conditional_pair_needs_labels(conditional):
    with pytest.raises(ValueError, match="batches must be .examples, labels."):
        conditional.fit(points(), verbose=0)


@pytest.mark.parametrize(
    "intervals", [(), (1,), (4,), (2, 3), (2, 4), (4, 6, 1), (2, 3, 6), (4, 6, 12), (16, 16)]
)
def test_patterns_are_the_sets_of_penalties_that_are_active_together(intervals):
    penalties = [tgs.R1(1.0, interval=i) for i in intervals]
    maker = MinibatchMaker(None, tgs.Simultaneous(), None, penalties, None, 0)
    lazy = sorted(set(intervals) - {1})
    period = math.lcm(*intervals)
    patterns = maker.patterns
    seen = set()
    for step in range(period):
        number = int(maker.next_pattern(tf.constant(step, tf.int64)))
        assert patterns[number] == {i: step % i == 0 for i in lazy}
        seen.add(number)
    assert sorted(seen) == list(range(len(patterns)))


def made(scheme, data, condition=None):
    """The first step's minibatches."""
    maker = MinibatchMaker(Pair((2,), condition), scheme, Normal(3), [], None, 0)
    return maker.make(data, *tf.zeros([2], tf.int64))


def test_reused_batch_is_one_tensor_for_all_minibatches_with_noise_of_their_own():
    minibatches = made(tgs.Alternating(2, reuse_batch=True), tf.constant(points(5)))
    assert len(minibatches) == 3
    for minibatch in minibatches:
        assert minibatch.real_images is minibatches[0].real_images
        np.testing.assert_array_equal(minibatch.real_images, points(5))
    rows = np.concatenate([minibatch.latents for minibatch in minibatches])
    assert len(np.unique(rows, axis=0)) == 15


@pytest.mark.parametrize("shape", [(), (4,), (3, 3, 2)])
def test_conditions_are_split_as_their_examples_are(shape):
    numbers = np.arange(6.0, dtype="float32")
    conditions = np.broadcast_to(numbers.reshape([6] + [1] * len(shape)), [6, *shape])
    data = (tf.constant(np.stack([numbers, -numbers], axis=1)), tf.constant(conditions))
    minibatches = made(tgs.Alternating(3), data, Condition(shape, "float32", False))
    for number, minibatch in enumerate(minibatches):
        np.testing.assert_array_equal(minibatch.real_images[:, 0], [2 * number, 2 * number + 1])
        own = np.reshape(minibatch.labels, [2, -1])
        np.testing.assert_array_equal(own, np.repeat(minibatch.real_images[:, :1], own.shape[1], 1))


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, pytest.param(3, marks=pytest.mark.exhaustive)])
def test_images_seen_count_a_reused_batch_once(steps):
    scheme = tgs.Alternating(steps, reuse_batch=True)
    gan = make(scheme=scheme, top_k=tgs.TopK(floor=5))
    # Seven rows and no multiple of the minibatches; k is of a minibatch, which is the whole batch.
    history = gan.fit(points(14), batch_size=7, verbose=0).history
    assert (gan.steps, gan.images_seen, history["top_k"]) == (2, 14, [7.0])
    gan.fit(Batches(InMemory("points", points(16)), 8), verbose=0)  # One pass is two steps.
    assert (gan.steps, gan.images_seen) == (4, 14 + 16)


@pytest.mark.slow
def test_conditions_of_another_kind_are_refused_before_training():
    image, condition = keras.Input((2,)), keras.Input((3,))
    joined = keras.layers.Concatenate()([image, condition])
    networks = [keras.Model([image, condition], keras.layers.Dense(n)(joined)) for n in (2, 1)]
    gan = tgs.GAN(*networks, latents=2)
    gan.compile("sgd", "sgd", jit_compile=False)
    with pytest.raises(ValueError, match=r"Conditions must be float32 \[batch, 3\].*\[batch, 4\]"):
        gan.fit(points(8), np.zeros([8, 4], "float32"), batch_size=8, verbose=0)
    with pytest.raises(ValueError, match=r"take conditions float32 \[batch, 3\], so batches must"):
        gan.fit(points(8), batch_size=8, verbose=0)
    assert gan.steps == 0


def augmentation_noise(step, seed=0, rows=6):
    """What the images of a step with two minibatches are changed by."""
    rule = tgs.augment.Augmentation()
    maker = MinibatchMaker(
        Pair((8, 8, 1), None), tgs.Alternating(2), Normal(3), [], None, seed, augment=rule
    )
    steps = tf.constant(step, tf.int64)
    made = maker.make(tf.zeros([rows, 8, 8, 1]), steps, steps, probability=0.3)
    assert {minibatch.augmentation.probability for minibatch in made} == {0.3}
    return [each.augmentation[:2] for each in made]


def test_augmentation_has_other_noise_for_each_step_minibatch_and_real_or_fake_image():
    rows = np.concatenate([*augmentation_noise(3), *augmentation_noise(4)], axis=None)
    assert rows.size == 2 * 2 * 2 * 3 * 10 and len(np.unique(rows)) == rows.size
    np.testing.assert_array_equal(augmentation_noise(3), augmentation_noise(3))
    assert np.all(np.not_equal(augmentation_noise(3), augmentation_noise(3, seed=1)))


def test_without_augmentation_there_is_no_noise_for_it():
    assert made(tgs.Alternating(), tf.constant(points(2)))[0].augmentation == ()


CLASS = Condition((), "int32", True)


def maker_of_classes(fake_labels, condition=CLASS, seed=0, scheme=None, sampler=None):
    """What makes minibatches of pairs by class, whose fakes have classes of their own."""
    pair = Pair((2,), condition)
    scheme = scheme or tgs.Alternating(2)
    return MinibatchMaker(
        pair, scheme, sampler or Normal(3), [], None, seed, fake_labels=fake_labels
    )


def uniform(count, key):
    return random.integers(count, 5, key)


def fake_labels(step, rows=600, **settings):
    """The classes of the fakes in a step's minibatches; the real ones' are all 0."""
    steps = tf.constant(step, tf.int64)
    data = tf.zeros([rows, 2]), tf.zeros([rows], tf.int32)
    made = maker_of_classes(uniform, **settings).make(data, steps, steps)
    for minibatch in made:
        np.testing.assert_array_equal(minibatch.labels, np.zeros(minibatch.labels.shape))
    return [minibatch.fake_labels.numpy() for minibatch in made]


def test_fake_images_have_other_classes_in_each_minibatch_step_and_run():
    drawn = [*fake_labels(3), *fake_labels(4), *fake_labels(3, seed=1)]
    assert [each.dtype for each in drawn] == ["int32"] * 6
    for number, one in enumerate(drawn):
        counts = np.bincount(one, minlength=5)
        assert len(counts) == 5 and np.all(np.abs(counts - 60) < 5 * np.sqrt(60 * 0.8))
        for other in drawn[:number]:
            # Of 300, a fifth are equal by chance.
            assert abs(np.sum(one == other) - 60) < 5 * np.sqrt(60 * 0.8)
    np.testing.assert_array_equal(fake_labels(3), drawn[:2])


def test_classes_of_fake_images_are_of_a_stream_of_their_own():
    """No key is that of the latents, or of another step, minibatch or kind of batch."""
    keys = []

    def noted(count, key):
        keys.append(tuple(key.numpy().tolist()))
        return tf.zeros([count, 1])

    def classes(count, key):
        return tf.cast(noted(count, key)[:, 0], tf.int64)

    maker = maker_of_classes(classes, sampler=noted)
    data = tf.zeros([4, 2]), tf.zeros([4], tf.int32)
    for step in range(3):
        maker.make(data, *tf.fill([2], tf.constant(step, tf.int64)))
        maker.latents(data[0], random.TESTING, step)
        maker.labels_for_fake_images(data[0], random.TESTING, step)
    assert len(keys) == len(set(keys)) == 3 * (2 + 2 + 2)


def test_classes_of_fake_images_are_as_networks_take_them():
    data = tf.zeros([6, 2]), tf.zeros([6], tf.int32)
    steps = tf.constant(0, tf.int64)
    expected = fake_labels(0, rows=6)
    for shape, dtype in (((1,), "int32"), ((5,), "float32")):
        condition = Condition(shape, dtype, True)
        made = maker_of_classes(uniform, condition).make(data, steps, steps)
        for minibatch, classes in zip(made, expected, strict=True):
            assert minibatch.fake_labels.dtype == dtype
            own = np.eye(5)[classes] if shape == (5,) else classes[:, None]
            np.testing.assert_array_equal(minibatch.fake_labels, own)
    for maker in (maker_of_classes(None), maker_of_classes(uniform, None)):
        given = data if maker.pair.condition else data[0]
        assert maker.make(given, steps, steps)[0].fake_labels is None
