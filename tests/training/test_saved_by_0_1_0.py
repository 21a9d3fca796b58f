"""A `.keras` file of version 0.1.0 loads, and trains on from where it stood."""

import json
import pathlib
import zipfile

import keras
import numpy as np
import pytest

import tfgan_stab as tgs

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"


def numbers_of(version):
    return [int(number) for number in version.split(".")[:3]]


@pytest.fixture(scope="module")
def gan():
    assert tgs.GAN  # Registers all classes.
    path = GOLDEN / "gan_0_1_0.keras"
    with zipfile.ZipFile(path) as archive:
        writer = json.loads(archive.read("metadata.json"))["keras_version"]
    if numbers_of(keras.__version__) < numbers_of(writer):
        pytest.skip(f"Keras {writer} wrote the file, and {keras.__version__} reads no newer layers")
    return keras.saving.load_model(path)


@pytest.fixture(scope="module")
def expected():
    with np.load(GOLDEN / "gan_0_1_0.npz") as arrays:
        return dict(arrays)


def test_weights_averages_and_counters_are_loaded(gan, expected):
    assert (gan.steps, gan.images_seen, gan.epochs) == (4, 64, 1)
    assert [int(optimizer.iterations) for optimizer in gan.optimizers] == [4, 4]
    np.testing.assert_allclose(gan.sample(8, weights="ema"), expected["averaged"], rtol=1e-5)


@pytest.mark.slow
def test_it_trains_on_as_the_earlier_version_would(gan, expected):
    images = np.random.RandomState(0).normal(size=[64, 2]).astype("float32")
    gan.fit(images, batch_size=16, verbose=0, epochs=2, initial_epoch=1, shuffle=False)
    assert gan.steps == 8
    np.testing.assert_allclose(gan.sample(8), expected["later"], rtol=1e-4, atol=1e-5)
