"""What the first lines of a training say."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf
from recorder import Recorder, numbered

import tfgan_stab as tgs
from tfgan_stab.training.headline import images_per_step


@dataclasses.dataclass(frozen=True)
class Quarter(tgs.Average):
    """A user's rule, of which nothing is known."""

    def weight_of_point(self, point):
        return 0.25


# Rule, period, and the sentence for 6 steps of 2 images each; None for no sentence.
AGES = [
    (tgs.ExponentialAverage(half_life=6.5), 1, "53% initial.*smaller half-life than 6.5 steps"),
    (tgs.ExponentialAverage(half_life=5), 1, None),
    (tgs.ExponentialAverage(half_life=12.5, unit="images"), 1, "51% initial.*than 12.5 images"),
    (tgs.ExponentialAverage(half_life=11.5, unit="images"), 1, None),
    (tgs.ExponentialAverage(0.99, warmup="unbiased"), 1, None),
    (tgs.ExponentialAverage(half_life=1e6, warmup="unbiased"), 1, None),
    (tgs.ExponentialAverage(0.75, start=4), 1, "56% weights of step 4 after 2 updates"),
    (tgs.ExponentialAverage(0.5, start=4), 1, None),
    (tgs.ExponentialAverage(half_life=2.5, start=4), 1, "57% weights of step 4"),
    (
        tgs.ExponentialAverage(half_life=4.5, unit="images", start=4),
        1,
        "54% weights of step 4 after 2 updates",
    ),
    (tgs.ExponentialAverage(0.5, start=6), 1, "will equal the live weights.*after step 6"),
    (tgs.UniformAverage(start=5), 1, None),
    (tgs.UniformAverage(start=6), 1, "starts after step 6, and training ends with step 6"),
    (tgs.UniformAverage(start=4, at="sync"), 4, "will equal the live weights"),
    (tgs.UniformAverage(start=3, at="sync"), 4, None),
    (tgs.UniformAverage(), 1, None),
    (Quarter(), 1, None),
]


@pytest.mark.cases(fast=5)
@pytest.mark.parametrize(("rule", "period", "sentence"), AGES)
def test_what_is_said_of_an_average_is_right_for_its_rule(capsys, rule, period, sentence):
    gan = Recorder()
    gan.averages, gan.average_periods = {"ema": rule}, {"ema": period}
    gan.fit(numbered(12).map(lambda x: tf.fill([2, 2], x[0])).take(2), epochs=3, verbose=2)
    printed = capsys.readouterr().out
    assert ("Average 'ema'" in printed) == (sentence is not None)
    assert sentence is None or re.search(sentence, printed)


def test_images_are_counted_where_the_data_tell_how_many_a_step_has(capsys):
    images = tgs.data.digits(batch_size=4)
    arrays = np.zeros([8, 2], "float32")
    unknown = tf.data.Dataset.from_generator(
        lambda: iter(arrays[None]), output_signature=tf.TensorSpec([None, 2])
    )
    assert images_per_step(images, 3, None) == 12
    assert images_per_step(images.examples(), 1, None) is None
    assert images_per_step(tf.data.Dataset.from_tensor_slices(arrays[None]), 2, None) == 8
    assert images_per_step(arrays, 1, 5) == 5
    assert images_per_step(arrays, 1, None) == 32
    assert images_per_step(unknown, 1, None) is None
    assert images_per_step(tf.data.Dataset.range(3), 1, None) is None
    rule = tgs.ExponentialAverage(half_life=1000, unit="images")
    assert rule.share_of_start(5, 5) is None
    assert rule.share_of_start(5, 5, 1000) == 0.5
