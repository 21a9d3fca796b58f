"""Real sides that scores take, and settings that are refused when a score is made."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

REAL = np.zeros([8, 8, 8, 1], np.float32)


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_seeds_that_cannot_draw_are_refused(seed):
    with pytest.raises(ValueError, match=r"`seed` must be an integer in \[0, 2\*\*62\)"):
        tgs.FID("random", REAL, samples=4, seed=seed)


def test_names_of_data_are_no_real_images(tmp_path):
    for name in ("digits", tmp_path):
        with pytest.raises(TypeError, match=r"Real images must be .*Use tgs.data.load\('digits'\)"):
            tgs.FID("random", name, samples=4)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"patch_size": 4}, "`patch_size` must be odd, at least 3. Received: 4. Use 7"),
        ({"patch_size": 1}, "`patch_size` must be an integer >= 3. Received: 1"),
        ({"projections": 0}, "`projections` must be an integer >= 1. Received: 0"),
        ({"patches_per_image": 0}, "`patches_per_image` must be an integer >= 1. Received: 0"),
        ({"resolution_min": 0}, "`resolution_min` must be an integer >= 1. Received: 0"),
    ],
)
def test_patches_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.SlicedWasserstein(REAL, samples=4, **settings)


def test_texts_of_a_data_set_are_those_of_its_arrays():
    letters = np.random.RandomState(0).randint(0, 3, [30, 8])
    texts = 2 * np.eye(3, dtype=np.float32)[letters] - 1
    data = tf.data.Dataset.from_tensor_slices(texts).batch(10)
    of_data = tgs.NgramJSD(data, lengths=[1, 2], samples=20)
    of_array = tgs.NgramJSD(letters, lengths=[1, 2], samples=20)
    found, expected = ([each.value for each in score([texts[5:]])] for score in (of_data, of_array))
    assert found == expected and min(found) > 0


@pytest.mark.parametrize("make", [tgs.SlicedWasserstein, tgs.MSSSIM])
def test_points_are_no_pictures(make):
    points = np.zeros([8, 2], np.float32)
    with pytest.raises(ValueError, match=r"looks at pictures.*shape \[4, 2\].*ModeCoverage for"):
        make(REAL, samples=4)([points[:4]])


def test_a_network_for_other_images_is_refused_in_one_sentence():
    network = keras.Sequential([keras.Input([64]), keras.layers.Dense(3)], name="other")
    message = r"'other' must take images of shape \[8, 8, 1\]. It refuses them: .*shape.*Resize"
    with pytest.raises(ValueError, match=message) as raised:
        tgs.FID(network, REAL, samples=4)([REAL])
    assert "\n" not in str(raised.value)
