"""Streams of images, in batches of one size."""

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.evaluation.image_streams import rebatched


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
