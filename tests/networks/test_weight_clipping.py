"""WGAN's clipped weights: what an update does to them, and what files keep."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

layers = keras.layers
LIMIT = 0.02


def critic():
    keras.utils.set_random_seed(0)
    return tgs.networks.dcgan_discriminator(8, 1, width=2, num_classes=3, base_size=2)


def clipped():
    return tgs.networks.with_clipped_weights(critic(), LIMIT)


def updated(network, rate):
    """Updates every weight by a gradient of ones."""
    optimizer = keras.optimizers.SGD(rate)
    weights = network.trainable_variables
    optimizer.apply([tf.ones(weight.shape) for weight in weights], weights)
    return network.get_weights()


@pytest.mark.slow
def test_an_update_clips_every_weight_as_numpy_does():
    free = critic()
    trained = [each.trainable for each in free.weights]
    pairs = zip(updated(free, 0.01), updated(clipped(), 0.01), trained, strict=True)
    for plain, held, is_trained in pairs:
        np.testing.assert_array_equal(held, np.clip(plain, -LIMIT, LIMIT) if is_trained else plain)


def test_weights_stay_until_the_first_update():
    for plain, held in zip(critic().get_weights(), clipped().get_weights(), strict=True):
        np.testing.assert_array_equal(held, plain)


def test_files_keep_the_limit(tmp_path):
    clipped().save(tmp_path / "critic.keras")
    loaded = keras.models.load_model(tmp_path / "critic.keras")
    assert [w.constraint.limit for w in loaded.trainable_variables] == [LIMIT] * len(
        loaded.trainable_variables
    )


@pytest.mark.slow
def test_a_wgan_trains_within_the_limit():
    generator = tgs.networks.dcgan_generator(8, 1, latents=3, width=2)
    critic = tgs.networks.dcgan_discriminator(8, 1, width=2)
    gan = tgs.GAN(generator, tgs.networks.with_clipped_weights(critic, LIMIT), latents=3)
    optimizers = [keras.optimizers.RMSprop(0.1) for _ in range(2)]
    scheme = tgs.Alternating(2)
    gan.compile(*optimizers, loss="wasserstein", scheme=scheme, jit_compile=False)
    images = np.random.default_rng(0).uniform(-1, 1, [8, 8, 8, 1]).astype("float32")
    gan.fit(images, batch_size=8, epochs=2, steps_per_epoch=1, verbose=0)
    largest = max(float(np.abs(w).max()) for w in critic.trainable_variables)
    assert largest == pytest.approx(LIMIT)  # Reached, and not passed.


class Shift(layers.Layer):
    """Adds a weight of a name of its own."""

    def build(self, shape):
        self.shift = self.add_weight(shape=(1,), name="shift")

    def call(self, x):
        return x + self.shift


def test_weights_that_cannot_be_clipped():
    network = keras.Sequential([keras.Input((2,)), Shift(name="own")])
    with pytest.raises(ValueError, match="must train kernels.*Received: .*own/shift. Use tgs.Gr"):
        tgs.networks.with_clipped_weights(network)


@pytest.mark.parametrize("limit", [0.0, -1.0, "a"])
def test_limits_out_of_range(limit):
    with pytest.raises((ValueError, TypeError), match="`limit` must be .*WGAN uses 0.01"):
        tgs.networks.ClippedWeights(limit)
