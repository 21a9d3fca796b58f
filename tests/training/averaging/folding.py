"""What a rule makes of a sequence of points: the package's own arithmetic in one compiled loop."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.training.averaging.averaged_weights import AveragedWeights


def folded(rule, points, start, images=1, period=1):
    """The averages after all points.

    Args:
        rule: The rule.
        points: float `[steps, n]`, the weights after each step.
        start: float `[n]`, the weights before the first.
        images: Images per step.
        period: Steps from one update to the next.
    """
    points = tf.constant(points)
    variable = keras.Variable(np.zeros(points.shape[1:]), dtype=points.dtype.name)
    average = AveragedWeights(rule, [variable], "average", period)
    count = tf.constant(len(points), tf.int64)

    def body(number, held):
        new = [points[number]]
        return number + 1, average.updated(held, new, number + 1, tf.constant(images, tf.int64))

    @tf.function(jit_compile=True, autograph=False)
    def fold(held):
        begin = (tf.constant(0, tf.int64), held)
        return tf.while_loop(lambda number, _: number < count, body, begin)[1]

    return fold(average.started([tf.constant(start, points.dtype)]))[0].numpy()


@dataclasses.dataclass(frozen=True)
class MeanInFloat32(tgs.Average):
    """The mean since step 1 as a user might write it, in the precision of the weights."""

    def weight_of_point(self, point):
        return 1 / tf.cast(point.step, tf.float64)
