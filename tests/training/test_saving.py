"""What a saved GAN remembers beside its networks."""

import numpy as np
from point_gans import conditional_pair, points

import tfgan_stab as tgs


def test_the_shares_of_classes_are_saved():
    gan = tgs.GAN(*conditional_pair(), latents=3, num_classes=4)
    assert "class_shares" not in gan.get_config()
    gan.compile("sgd", "sgd", jit_compile=False, run_eagerly=True)
    gan.fit(points(4), np.array([0, 1, 0, 0]), verbose=0)
    assert tgs.GAN.from_config(gan.get_config()).class_shares == (3, 1)
