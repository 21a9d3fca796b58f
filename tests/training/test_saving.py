"""What a saved GAN remembers beside its networks."""

import warnings

import numpy as np
import pytest
from point_gans import conditional_pair, make, points

import tfgan_stab as tgs


def test_the_shares_of_classes_are_saved():
    gan = tgs.GAN(*conditional_pair(), latents=3, num_classes=4)
    assert "class_shares" not in gan.get_config()
    gan.compile("sgd", "sgd", jit_compile=False, run_eagerly=True)
    gan.fit(points(4), np.array([0, 1, 0, 0]), verbose=0)
    assert tgs.GAN.from_config(gan.get_config()).class_shares == (3, 1)


@pytest.mark.slow
def test_saving_an_average_as_the_trained_weights_is_warned_of(tmp_path):
    gan = make(run_eagerly=True)
    gan.fit(points(8), verbose=0)
    for weights, times in (("ema", 2), ("live", 0)):
        with gan.using(weights), warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            gan.save(tmp_path / "gan.keras")
            gan.save_weights(tmp_path / "gan.weights.h5")
        said = [str(each.message) for each in seen if each.category is UserWarning]
        assert len(said) == times
        assert all("holds the average 'ema'" in text and "Save outside" in text for text in said)
