"""Two replicas read the rows of one; run by `test_own_rows.py` in a process of its own.

Or in each of two workers, which have a replica each.
"""

import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf
from devices import STRATEGIES

import tfgan_stab as tgs
from tfgan_stab.training.distribution import spread
from tfgan_stab.training.workers import num_workers

ROWS, STEPS = 8, 3
STRATEGY = STRATEGIES[2]


def sources(folder):
    """Batches of every kind of set; records lie in files that the test has written."""
    records = f"{folder}/records/*"
    return {
        "arrays": tgs.data.digits(batch_size=ROWS, labels=True, seed=1),
        "mixture": tgs.data.mixture(batch_size=ROWS, labels=True, seed=1),
        "image_folder": tgs.data.image_folder(f"{folder}/pictures", ROWS, 1, size=6, labels=True),
        "tfrecords": tgs.data.tfrecords(records, ROWS, 1, labels=True, num_classes=3),
        "front to back": tgs.data.tfrecords(
            records, ROWS, 1, labels=True, num_classes=3, shuffle_buffer=5
        ),
    }


def first_replica():
    """The number of this process's first replica."""
    workers = num_workers(STRATEGY)
    return STRATEGY.cluster_resolver.task_id if workers > 1 else 0


def check_rows(name, batches):
    """Each replica gets its part of each minibatch of each step."""
    later = batches.starting_at(2, minibatches=2)
    whole = later.as_numpy_iterator()
    for _, values in zip(range(STEPS), spread(later, STRATEGY), strict=False):
        for value, expected in zip(values, next(whole), strict=True):
            parts = expected.reshape([2, 2, ROWS // 2, *expected.shape[1:]])
            for local, rows in enumerate(STRATEGY.experimental_local_results(value)):
                own = parts[:, first_replica() + local].reshape(rows.shape)
                np.testing.assert_array_equal(rows.numpy(), own, err_msg=name)
    print(name, "agrees", flush=True)


def check_own_files(folder):
    """Of a user's data each replica gets its rows too, however many files there are."""
    files = sorted(str(path) for path in pathlib.Path(folder, "records").iterdir())
    numbers = tf.data.TFRecordDataset(files).map(
        lambda each: tf.strings.to_hash_bucket(each, 2**30)
    )
    data = numbers.batch(ROWS, drop_remainder=True)
    distributed = STRATEGY.experimental_distribute_dataset(spread(data, STRATEGY))
    for value, whole in zip(distributed, data.as_numpy_iterator(), strict=True):
        parts = whole.reshape([2, ROWS // 2])
        for local, rows in enumerate(STRATEGY.experimental_local_results(value)):
            np.testing.assert_array_equal(rows.numpy(), parts[first_replica() + local])
    print("own files agrees", flush=True)


def trained(batches, replicas, epochs):
    """Weights after steps of three discriminator updates, each with a minibatch of its own."""
    with STRATEGIES[replicas].scope():
        keras.utils.set_random_seed(1)
        shape = batches.example_shape
        generator = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(36 * 3, "tanh"), keras.layers.Reshape(shape)]
        )
        discriminator = keras.Sequential(
            [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1)]
        )
        gan = tgs.GAN(generator, discriminator, latents=3)
        rates = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)
        gan.compile(*rates, scheme=tgs.Alternating(3), seed=2)
    gan.fit(batches, epochs=epochs, steps_per_epoch=2, verbose=0)
    return [v.numpy() for net in (generator, discriminator) for v in net.trainable_variables]


def check_training(folder):
    """Two replicas train as one does."""
    batches = tgs.data.tfrecords(f"{folder}/records/*", ROWS, seed=4)
    for two, one in zip(trained(batches, 2, 3), trained(batches, 1, 3), strict=True):
        np.testing.assert_allclose(two, one, atol=2e-6)
    print("training agrees", flush=True)


def check_refusal(folder):
    """Workers whose data have different orders do not train."""
    number = first_replica()
    data = tgs.data.tfrecords(f"{folder}/records/*", ROWS, seed=number)
    try:
        trained(data, 2, 1)
    except ValueError as error:
        print("refused:", error, flush=True)


if __name__ == "__main__":
    place = pathlib.Path(sys.argv[1])
    for each, stream in sources(place).items():
        check_rows(each, stream)
    check_own_files(place)
    check_training(place)
    if num_workers(STRATEGY) > 1:
        check_refusal(place)
