"""Random images, and a function whose features are the pixels."""

import numpy as np
import tensorflow as tf


def noise(*shape, seed=0, width=1.0):
    """Uniformly distributed images of values between -width and width."""
    return np.random.default_rng(seed).uniform(-width, width, shape).astype(np.float32)


def flat(images):
    """The pixels of each image."""
    return tf.reshape(images, [len(images), -1])
