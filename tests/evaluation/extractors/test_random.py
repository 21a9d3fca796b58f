"""Features of a network that is never trained, written out once more in NumPy."""

import keras
import numpy as np
import pytest
from example_images import noise
from PIL import Image

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors.base import outputs_of
from tfgan_stab.evaluation.extractors.function import as_extractor
from tfgan_stab.evaluation.extractors.random import RandomFeatures


def by_hand(images, seed=0, channels=16):
    """The network in double precision, convolution by convolution."""
    random = np.random.RandomState(seed)
    hidden = images.astype(np.float64)
    for inputs, outputs in [(3, 16), (16, 32), (32, channels)]:
        kernel = random.standard_normal([3, 3, inputs, outputs]) * (2 / (9 * inputs)) ** 0.5
        size = hidden.shape[1]
        padded = np.pad(hidden, [(0, 0), (1, 1), (1, 1), (0, 0)])
        hidden = sum(
            padded[:, row : row + size, column : column + size] @ kernel[row, column]
            for row in range(3)
            for column in range(3)
        )
        hidden = np.maximum(hidden, 0)
        hidden = hidden.reshape(-1, size // 2, 2, size // 2, 2, outputs).mean(axis=(2, 4))
    return hidden.reshape(len(images), -1)


@pytest.mark.parametrize("seed, channels", [(0, 16), (7, 5)])
def test_features_are_those_of_the_network_written_out(seed, channels):
    images = noise(5, 32, 32, 3)
    features = RandomFeatures(seed, channels)(images)
    assert features.dtype == np.float32 and features.shape == (5, 16 * channels)
    np.testing.assert_allclose(features, by_hand(images, seed, channels), rtol=1e-4, atol=1e-5)


def test_other_sizes_are_resized_without_aliasing():
    images = noise(2, 48, 20, 3)
    small = np.stack(
        [
            np.asarray(Image.fromarray(plane).resize((32, 32), Image.Resampling.BICUBIC))
            for plane in np.moveaxis(images, 3, 1).reshape(-1, 48, 20)
        ]
    )
    small = np.moveaxis(small.reshape(2, 3, 32, 32), 1, 3).clip(-1, 1)
    np.testing.assert_allclose(RandomFeatures()(images), by_hand(small), rtol=1e-3, atol=1e-4)


def test_one_channel_counts_as_three_equal_ones():
    gray = noise(3, 32, 32, 1)
    features = RandomFeatures()(gray)
    assert np.array_equal(features, RandomFeatures()(gray.repeat(3, axis=3)))


def test_features_tell_where_in_the_image_something_is():
    images = np.full([2, 32, 32, 3], -1.0, np.float32)
    images[0, :8, :8] = images[1, 24:, 24:] = 1.0
    corners = RandomFeatures()(images).reshape(2, 4, 4, 16)
    blank = RandomFeatures()(np.full([1, 32, 32, 3], -1.0, np.float32)).reshape(4, 4, 16)
    moved = np.abs(corners - blank).max(axis=-1) > 1e-3
    assert moved[0, 0, 0] and not moved[0, 3, 3] and moved[1, 3, 3] and not moved[1, 0, 0]


def test_an_image_has_the_same_features_in_any_batch():
    extractor, images = RandomFeatures(batch_size=8), noise(20, 8, 8, 1)
    singly = np.concatenate([extractor(images[i : i + 1]) for i in range(20)])
    assert np.array_equal(singly, extractor(images))
    assert extractor._forward.experimental_get_tracing_count() == 1


def test_seed_and_channels_show_in_the_hash():
    hashes = [RandomFeatures(*each).content_hash for each in [(), (0, 16), (1, 16), (0, 8)]]
    assert hashes[0] == hashes[1] and len(set(hashes)) == 3
    # The stream of NumPy's RandomState is frozen: the same weights on any machine.
    assert hashes[0] == "2617a89a"


def test_keras_settings_change_nothing():
    images = noise(2, 32, 32, 3)
    before, policy = RandomFeatures()(images), keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    try:
        assert np.array_equal(RandomFeatures()(images), before)
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format("channels_last")


def test_it_is_known_by_name_and_says_what_it_does():
    extractor = as_extractor("random")
    assert isinstance(extractor, RandomFeatures)
    assert extractor.content_hash == "2617a89a"
    protocol = tgs.FID(extractor, noise(30, 8, 8, 1), samples=10).protocol()
    assert "fid/random-features@2617a89a/features-256/clean-resize-32/real=" in str(protocol)
    assert outputs_of(extractor, noise(2, 32, 32, 3)).logits is None


@pytest.mark.parametrize("argument", ["seed", "channels", "batch_size"])
def test_arguments_that_are_no_integers_are_refused(argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be an integer .*Received: 1.5"):
        RandomFeatures(**{argument: 1.5})


@pytest.mark.parametrize(
    "argument, value, rule",
    [("seed", -1, "from 0 to 4294967295"), ("seed", 2**32, "from 0"), ("channels", 0, ">= 1")]
    + [("batch_size", 0, ">= 1")],
)
def test_arguments_out_of_range_are_refused(argument, value, rule):
    with pytest.raises(ValueError, match=f"`{argument}` must be .*{rule}.*Received: {value}"):
        RandomFeatures(**{argument: value})
