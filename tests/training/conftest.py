"""Lets the tests here import what they share, and trains two GANs once for all of them."""

import pathlib
import sys

import keras
import numpy as np
import pytest

import tfgan_stab as tgs

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "contracts")]


@pytest.fixture(scope="session")
def trained():
    """A GAN on points after two epochs."""
    from point_gans import make, points

    gan = make()
    gan.history_of_two_epochs = gan.fit(points(64), batch_size=16, epochs=2, verbose=0)
    return gan


@pytest.fixture(scope="session")
def conditional():
    """Class c lies at (c, -c): 600 steps are enough to see the classes apart."""
    from point_gans import conditional_pair

    keras.utils.set_random_seed(0)
    gan = tgs.GAN(*conditional_pair(), latents=3, num_classes=4)
    gan.compile(
        keras.optimizers.Adam(0.01, beta_1=0.5),
        keras.optimizers.Adam(0.02, beta_1=0.5),
        scheme=tgs.Alternating(2),
        averages={"ema": tgs.ExponentialAverage(0.99)},
        jit_compile=False,
    )
    random = np.random.RandomState(0)
    labels = random.randint(4, size=4096).astype("int32")
    real_points = np.stack([labels, -labels], axis=1) + random.normal(size=[4096, 2], scale=0.1)
    gan.fit(real_points.astype("float32"), labels, batch_size=64, epochs=10, verbose=0)
    return gan
