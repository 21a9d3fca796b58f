"""Any source of images, in batches of one size."""

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.evaluation.image_streams import batches_of, rebatched


def batches(sizes):
    ends = np.cumsum([0, *sizes])
    return [np.arange(start, end) for start, end in zip(ends, ends[1:], strict=False)]


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [3, 3, 3, 1], [7, 0, 3], [4, 4, 2]], ids=str)
@pytest.mark.parametrize("samples", [None, 10, 8, 1])
def test_images_come_in_order_in_batches_of_one_size(sizes, samples):
    count = samples or 10
    pieces = list(rebatched(batches(sizes), 4, samples))
    assert np.concatenate(pieces).tolist() == list(range(count))
    assert all(len(piece) == 4 for piece in pieces[:-1]) and 0 < len(pieces[-1]) <= 4


def test_no_batch_is_asked_for_beyond_the_samples():
    asked = []

    def endless():
        while True:
            asked.append(4)
            yield np.zeros(4)

    assert sum(map(len, rebatched(endless(), 3, samples=8))) == 8
    assert asked == [4, 4]


def test_too_few_images_are_an_error_that_says_how_many_came():
    with pytest.raises(ValueError, match="needs 11 images. Received: 10. Lower `samples`"):
        list(rebatched(batches([4, 6]), 4, samples=11))


def test_tensors_will_do():
    pieces = rebatched([tf.zeros([3, 2]), tf.ones([2, 2])], 5)
    assert next(iter(pieces)).tolist() == [[0, 0]] * 3 + [[1, 1]] * 2


def test_arrays_data_sets_and_labelled_data_sets_give_the_same_images():
    images = np.random.default_rng(0).uniform(-1, 1, [10, 2, 2, 1]).astype(np.float32)
    plain = tf.data.Dataset.from_tensor_slices(images)
    labelled = tf.data.Dataset.from_tensor_slices((images, np.arange(10)))
    for source in (images, tf.constant(images), plain.batch(4), labelled.batch(3)):
        for _ in range(2):  # Sources can be read again.
            read = np.concatenate([np.asarray(b) for b in batches_of(source, 4)])
            assert np.array_equal(read, images)


def test_a_data_set_with_a_pass_of_examples_gives_that():
    class Endless:
        def examples(self):
            return tf.data.Dataset.range(5).batch(2)

    assert [batch.numpy().tolist() for batch in batches_of(Endless(), 4)] == [[0, 1], [2, 3], [4]]


def test_an_endless_data_set_is_refused():
    with pytest.raises(ValueError, match=r"Real images must end.*dataset.take\(n\)"):
        batches_of(tf.data.Dataset.from_tensors(np.zeros([2, 8, 8, 1])).repeat(), 4)
