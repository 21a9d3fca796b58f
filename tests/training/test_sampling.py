"""Samples: which they are by seed, weights and classes, and what cannot be drawn."""

import keras
import numpy as np
import pytest
from point_gans import conditional_pair

import tfgan_stab as tgs

layers = keras.layers


def test_samples_repeat_by_seed_differ_between_seeds_and_do_not_depend_on_batches(trained):
    first = trained.sample(20, seed=1)
    assert first.shape == (20, 2) and first.dtype == np.float32
    np.testing.assert_array_equal(first, trained.sample(20, seed=1))
    assert np.any(first != trained.sample(20, seed=2))
    batches = list(trained.sample_batches(20, batch_size=8, seed=1))
    assert [len(batch) for batch in batches] == [8, 8, 4]
    assert np.any(first != trained.sample(20, weights="ema", seed=1))


def test_pictures_stay_in_range_for_a_generator_without_tanh():
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, kernel_initializer="ones"), layers.Reshape((2, 2, 1))]
    )
    discriminator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    gan = tgs.GAN(generator, discriminator, latents=2)
    samples = gan.sample(100)
    assert samples.min() == -1.0 and samples.max() == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "`count` must be an integer >= 1. Received: 0"),
        ({"count": 1.5}, "`count` must be an integer >= 1. Received: 1.5"),
        ({"count": 4, "weights": "mean"}, r"one of \['live', 'ema'\]. Received: 'mean'"),
        ({"count": 4, "labels": [0, 1, 2, 3]}, "expects networks that take class labels"),
        ({"count": 4, "seed": -1}, "`seed` must be an integer"),
    ],
)
def test_impossible_samples_are_refused(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        trained.sample(**arguments)


def test_labels_default_to_the_classes_in_turn(conditional):
    in_turn = conditional.sample(8, seed=3)
    np.testing.assert_array_equal(in_turn, conditional.sample(8, seed=3, labels=[0, 1, 2, 3] * 2))


def test_labels_out_of_range_are_refused(conditional):
    with pytest.raises(ValueError, match="from 0 to 3. Received: 9 to 9"):
        conditional.sample(2, labels=[9, 9])


def test_each_sample_needs_one_label(conditional):
    with pytest.raises(ValueError, match=r"one class per example, shape \[3\]"):
        conditional.sample(3, labels=[1, 2])
    unknown = tgs.GAN(*conditional_pair(), latents=3)
    with pytest.raises(ValueError, match="needs to know its classes"):
        unknown.sample(3)
