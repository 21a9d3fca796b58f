"""What every stream promises, held against each kind of source."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from numbered_points import numbered, order

import tfgan_stab as tgs
from tfgan_stab.data.arrays import InMemory
from tfgan_stab.data.batches import Batches
from tfgan_stab.data.digits import loaded_digits

STREAMS = {
    "digits": lambda **settings: tgs.data.digits(batch_size=64, labels=True, **settings),
    "grid": lambda **settings: tgs.data.mixture(batch_size=48, **settings),
    "ring": lambda **settings: tgs.data.mixture(
        batch_size=48, layout="ring", modes=8, stratified=True, labels=True, **settings
    ),
}
each_stream = pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS.keys())


def first(batches, count):
    return [tf.nest.map_structure(np.array, batch) for batch in batches.take(count)]


def assert_same_bits(left, right):
    for one, other in itertools.zip_longest(left, right):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


@each_stream
def test_the_same_seed_gives_the_same_bits(make):
    assert_same_bits(first(make(seed=3), 4), first(make(seed=3), 4))


@each_stream
def test_iterating_again_starts_again(make):
    batches = make(seed=3)
    assert_same_bits(first(batches, 3), first(batches, 3))


@each_stream
def test_another_seed_gives_another_stream(make):
    one, other = (tf.nest.flatten(first(make(seed=seed), 1))[0] for seed in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.cases(fast=2)
@each_stream
@pytest.mark.parametrize("step", [0, 5, 40], ids=lambda step: f"step {step}")
def test_a_stream_can_start_at_any_step(make, step):
    # 40 batches of 64 digits are past the first epoch's end.
    batches = make(seed=2)
    whole = first(batches, step + 3)
    assert_same_bits(first(batches.starting_at(step), 3), whole[step:])


@pytest.mark.cases(fast=2)
@each_stream
@pytest.mark.parametrize("step", [0, 14], ids=lambda step: f"step {step}")
def test_a_step_of_several_minibatches_is_those_end_to_end(make, step):
    batches = make(seed=2)
    minibatches = first(batches, 2 * (step + 2))
    steps = first(batches.starting_at(step, minibatches=2), 2)
    for index, element in enumerate(steps):
        begin = 2 * (step + index)
        joined = tf.nest.map_structure(
            lambda *two: np.concatenate(two), minibatches[begin], minibatches[begin + 1]
        )
        assert_same_bits([element], [joined])


@each_stream
def test_steps_count_from_the_start_of_the_stream_wherever_it_begins(make):
    batches = make(seed=2)
    assert_same_bits(
        first(batches.starting_at(9, minibatches=2).starting_at(4), 2),
        first(batches.starting_at(4), 2),
    )


@each_stream
def test_the_shapes_are_known_before_the_first_batch(make):
    batches = make()
    for spec, array in zip(
        tf.nest.flatten(batches.element_spec), tf.nest.flatten(first(batches, 1)), strict=True
    ):
        assert tuple(spec.shape) == array.shape
        assert spec.dtype == array.dtype
        assert spec.shape[0] == batches.batch_size
    assert batches.example_shape == tf.nest.flatten(first(batches, 1))[0].shape[1:]


@each_stream
def test_a_stream_has_no_end(make):
    assert make().cardinality() == tf.data.INFINITE_CARDINALITY
    assert make().starting_at(3).cardinality() == tf.data.INFINITE_CARDINALITY


@each_stream
def test_the_description_goes_into_json(make):
    description = json.loads(json.dumps(make(seed=5).description()))
    assert description["seed"] == 5
    assert description["shape"] == list(make().example_shape)


@each_stream
def test_examples_are_images_alone_in_batches_up_to_the_limit(make):
    batches = make()
    shapes = [batch.shape for batch in batches.examples(limit=100)]
    assert sum(shape[0] for shape in shapes) == 100
    assert [shape[0] for shape in shapes[:-1]] == [batches.batch_size] * (len(shapes) - 1)
    assert all(shape[1:] == batches.example_shape for shape in shapes)
    assert_same_bits(first(batches.examples(100), 9), first(batches.examples(100), 9))


@pytest.mark.parametrize("name", ["digits", "ring"])
def test_examples_come_with_their_labels_when_asked(name):
    batches = STREAMS[name]()
    images = np.concatenate(first(batches.examples(100), 9))
    pairs = first(batches.examples(100, labels=True), 9)
    np.testing.assert_array_equal(np.concatenate([pair[0] for pair in pairs]), images)
    labels = np.concatenate([pair[1] for pair in pairs])
    assert labels.dtype == np.int32
    if name == "digits":
        np.testing.assert_array_equal(labels, loaded_digits()[1][:100])
    else:
        distances = np.linalg.norm(images[:, np.newaxis] - batches.modes, axis=-1)
        np.testing.assert_array_equal(labels, distances.argmin(axis=1))


def test_examples_come_once_and_unshuffled():
    batches = numbered(10, 4, seed=1)
    assert order(batches.examples(), 9).tolist() == list(range(10))
    assert [len(batch) for batch in batches.examples()] == [4, 4, 2]
    assert order(batches.examples(limit=99), 9).tolist() == list(range(10))
    assert order(batches.examples(limit=5), 9).tolist() == list(range(5))


def test_bytes_are_scaled_to_minus_one_to_one():
    images = np.array([0, 51, 127, 204, 255], np.uint8).reshape(5, 1, 1, 1)
    batches = Batches(InMemory("bytes", images), 5)
    shown = np.sort(next(iter(batches)).numpy().ravel())
    np.testing.assert_allclose(shown, [-1, -0.6, -1 / 255, 0.6, 1], rtol=1e-6)
    assert batches.element_spec.dtype == tf.float32


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1. Received: 0"),
        ({"batch_size": 2.0}, "`batch_size` must be an integer >= 1. Received: 2.0"),
        ({"batch_size": True}, "`batch_size` must be an integer >= 1. Received: True"),
        ({"seed": -1}, "`seed` must be an integer from 0 to 9223372036854775807. Received: -1"),
        ({"seed": 2**63}, "`seed` must be an integer from 0 to 9223372036854775807. Received: 92"),
        ({"batch_size": 11}, "batch_size=11, 10 examples. Use batch_size=10 or less"),
    ],
)
def test_bad_settings_are_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        numbered(10, **{"batch_size": 2, **settings})


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda batches: batches.starting_at(-1), "`step` must be an integer >= 0. Received: -1"),
        (
            lambda batches: batches.starting_at(0, minibatches=0),
            "`minibatches` must be an integer >= 1. Received: 0",
        ),
        (lambda batches: batches.examples(labels=True), r"needs data with classes.*'numbered'"),
        (lambda batches: batches.examples(limit=0), "`limit` must be an integer >= 1. Received: 0"),
    ],
)
def test_bad_positions_are_refused_at_once(use, message):
    with pytest.raises(ValueError, match=message):
        use(numbered(10, 2))


def test_a_batch_of_digits_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="in 'digits'.*batch_size=2000, 1797 examples"):
        tgs.data.digits(batch_size=2000)


def test_unknown_names_of_the_package_are_attribute_errors():
    with pytest.raises(AttributeError, match="has no attribute 'digit'"):
        tgs.data.digit  # noqa: B018
    assert "digits" in dir(tgs.data)
