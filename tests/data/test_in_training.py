"""Streams where they are used: in Keras' `fit`, and split over replicas."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

import tfgan_stab as tgs


@pytest.mark.slow
def test_keras_fits_images_and_labels_from_a_stream():
    model = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    batches = tgs.data.digits(batch_size=64, labels=True)
    history = model.fit(batches, steps_per_epoch=60, epochs=5, verbose=0, shuffle=False).history
    assert history["accuracy"][-1] > 0.9


def test_keras_steps_through_a_stream_without_starting_it_again():
    class Collect(keras.Model):
        def __init__(self):
            super().__init__()
            self.total = self.add_weight(shape=(), initializer="zeros")

        def train_step(self, data):
            self.total.assign_add(keras.ops.sum(data))
            return {"total": self.total}

    model = Collect()
    model.compile()
    batches = tgs.data.digits(batch_size=50, seed=4)
    model.fit(batches, steps_per_epoch=3, epochs=4, verbose=0, shuffle=False)
    expected = sum(batch.sum(dtype=float) for batch in batches.take(12).as_numpy_iterator())
    np.testing.assert_allclose(float(model.total), expected, rtol=1e-5)


MAKERS = {
    "digits": "tgs.data.digits(batch_size=6, seed=1, labels=True)",
    "mixture": "tgs.data.mixture(batch_size=32, seed=1, stratified=True, labels=True)",
    "image_folder": "tgs.data.image_folder(folder(), batch_size=6, seed=1, size=8, labels=True)",
    "tfds": "tgs.data.tfds('cifar10', batch_size=6, seed=1, labels=True)",
}


@pytest.mark.exhaustive
@pytest.mark.multi_device
@pytest.mark.slow
def test_two_replicas_get_the_upper_and_the_lower_rows_of_each_batch():
    program = textwrap.dedent(
        """
        import os, pathlib, tempfile
        import numpy as np
        import tensorflow as tf
        import tensorflow_datasets
        import tfgan_stab as tgs
        from tfgan_stab.training.distribution import spread

        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

        def folder():
            place = pathlib.Path(tempfile.mkdtemp())
            for index in range(9):
                image = tf.fill([9, 9, 3], tf.cast(20 * index, tf.uint8))
                tf.io.write_file(f"{place}/{index % 2}/{index}.png", tf.io.encode_png(image))
            return place

        policy = tensorflow_datasets.testing.MockPolicy.USE_CODE
        with tensorflow_datasets.testing.mock_data(num_examples=20, policy=policy):
            for name, make in MAKERS.items():
                batches = eval(make)
                later = batches.starting_at(2, minibatches=2)
                split = strategy.experimental_distribute_dataset(later)
                whole = batches.starting_at(2, minibatches=2).as_numpy_iterator()
                for _, values, expected in zip(range(3), split, whole):
                    for value, array in zip(values, expected, strict=True):
                        rows = [part.numpy() for part in strategy.experimental_local_results(value)]
                        assert [len(part) for part in rows] == [batches.batch_size] * 2, name
                        np.testing.assert_array_equal(np.concatenate(rows), array)
                # As `fit` has it, each replica gets its half of each minibatch.
                own = next(iter(spread(later, strategy)))
                for value, array in zip(own, next(later.as_numpy_iterator()), strict=True):
                    halves = array.reshape([2, 2, -1, *array.shape[1:]]).swapaxes(0, 1)
                    rows = [part.numpy() for part in strategy.experimental_local_results(value)]
                    np.testing.assert_array_equal(np.concatenate(rows), halves.reshape(array.shape))
                print(name, "agrees", flush=True)
        # The mock data come from a Python generator, for which a stream that is torn down waits:
        # for ever, if the interpreter is already going.
        os._exit(0)
        """
    ).replace("MAKERS", repr(MAKERS))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name} agrees" for name in MAKERS]
