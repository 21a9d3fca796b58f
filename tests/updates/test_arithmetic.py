"""Sums of players' slopes are rounded alike in any graph."""

import numpy as np
import tensorflow as tf

from tfgan_stab.game.players import Players
from tfgan_stab.updates.arithmetic import combined
from tfgan_stab.updates.runge_kutta import RK4


def test_sum_over_stages_does_not_depend_on_rest_of_graph():
    """TensorFlow would sort its terms by names, `mul_10` before `mul_9`."""
    slopes = np.random.RandomState(0).normal(size=[4, 2, 200]).astype("float32")
    sums = []
    for others in range(12):

        @tf.function
        def total(slopes, others=others):
            scaled = slopes
            for _ in range(others):
                scaled = scaled * 1.5
            found = combined(RK4.b, [Players(*tf.unstack(each)) for each in tf.unstack(slopes)])
            return found, scaled

        sums.append(np.stack(total(tf.constant(slopes))[0]))
    assert all(np.array_equal(sums[0], other) for other in sums[1:])
