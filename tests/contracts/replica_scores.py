"""Scores on two replicas are those on one; `two_replicas.py` checks it."""

import keras
import numpy as np
import tensorflow as tf
from devices import STRATEGIES

import tfgan_stab as tgs
from tfgan_stab.callbacks.base import ScoreEvent

layers = keras.layers
REAL = np.random.RandomState(0).uniform(-1, 1, [900, 4, 4, 1]).astype("float32")


def scored(replicas):
    """All that Evaluate publishes in a run of two steps, and where features were computed."""
    places = set()

    def spatial(images):
        features = tf.reshape(tf.nn.avg_pool2d(images, 2, 2, "VALID"), [len(images), -1])
        places.add(features.device)
        return features

    with STRATEGIES[replicas].scope():
        keras.utils.set_random_seed(1)
        generator = keras.Sequential(
            [keras.Input((3,)), layers.Dense(16, activation="tanh"), layers.Reshape((4, 4, 1))]
        )
        discriminator = keras.Sequential(
            [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)]
        )
        gan = tgs.GAN(generator, discriminator, latents=3)
        gan.compile("adam", "adam", averages={"ema": tgs.ExponentialAverage(0.5)})
    scores = [
        tgs.FID(spatial, REAL, samples=1100),
        tgs.KID(spatial, REAL, samples=500),
        tgs.FID(spatial, REAL, samples=700, seed=1, quantize=True),
    ]
    scores[2].name = "fid_of_bytes"
    events = []
    gan.listeners.append(events.append)
    data = tf.data.Dataset.from_tensor_slices(REAL[:32].reshape(2, 16, 4, 4, 1))
    gan.fit(data, callbacks=[tgs.callbacks.Evaluate(scores)], verbose=0)
    return {m.label: m.result for m in events if isinstance(m, ScoreEvent)}, places


def check():
    """Compares six scores, their protocols too."""
    (one, places), (two, places_of_two) = scored(1), scored(2)
    assert (len(places), len(places_of_two)) == (1, 2), (places, places_of_two)
    assert sorted(one) == sorted(two) and len(one) == 6, (sorted(one), sorted(two))
    for label, result in one.items():
        assert result.protocol == two[label].protocol
        # The weights themselves agree to rounding only.
        np.testing.assert_allclose(result.value, two[label].value, rtol=1e-5, err_msg=label)
