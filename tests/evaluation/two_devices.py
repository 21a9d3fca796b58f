"""Scores on two replicas are those on one; run by `test_replicas.py` in its own process."""

import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

sys.path.append(str(pathlib.Path(__file__).parents[1] / "contracts"))
from devices import STRATEGIES  # noqa: E402

import tfgan_stab as tgs  # noqa: E402
from tfgan_stab.callbacks.base import ScoreEvent  # noqa: E402

layers = keras.layers
REAL = np.random.RandomState(0).uniform(-1, 1, [900, 4, 4, 1]).astype("float32")
PLACES = set()


def spatial(images):
    """Features of images; notes where they are computed."""
    features = tf.reshape(tf.nn.avg_pool2d(images, 2, 2, "VALID"), [len(images), -1])
    PLACES.add(features.device)
    return features


def scored(replicas):
    """All that Evaluate publishes in a run of two steps, and how many replicas' copies differ."""
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
    return {m.label: m.result for m in events if isinstance(m, ScoreEvent)}


one = scored(1)
places, PLACES = PLACES, set()
two = scored(2)
if len(places) != 1 or len(PLACES) != 2:
    raise SystemExit(f"expected features on 1 and on 2 devices, got {places} and {PLACES}")
if sorted(one) != sorted(two) or len(one) != 6:
    raise SystemExit(f"expected six scores, got {sorted(one)} and {sorted(two)}")
for label, result in one.items():
    if result.protocol != two[label].protocol:
        raise SystemExit(f"{label}: {result.protocol} and {two[label].protocol}")
    # The weights themselves agree to rounding only.
    if not np.isclose(result.value, two[label].value, rtol=1e-5):
        raise SystemExit(f"{label}: {result.value} on one replica, {two[label].value} on two")
print("scores agree")
