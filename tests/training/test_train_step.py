"""What a step does and stores."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from point_gans import make, points

import tfgan_stab as tgs


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras' word for the end.
def test_data_that_end_unannounced_end_the_step_before_it_counts():
    gan = make()
    data = tf.data.Dataset.from_tensor_slices(points(40)).batch(8).filter(lambda x: True)
    gan.fit(data, epochs=3, verbose=0)
    iterations = gan.generator_optimizer.iterations.numpy()
    assert (gan.steps, int(iterations), gan.images_seen) == (15, 15, 120)


@pytest.mark.slow
def test_single_batches_too_start_from_the_weights_that_were_set_after_compile(tiny):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    gan.compile(
        keras.optimizers.SGD(0.0),
        keras.optimizers.SGD(0.0),
        scheme=tgs.Lookahead(tgs.Simultaneous(), sync_period=1),
        averages={"ema": tgs.ExponentialAverage(0.5)},
        jit_compile=False,
    )
    kernel = gan.generator.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, 7.0))
    gan.train_on_batch(np.zeros([4, 8, 8, 1], "float32"))
    np.testing.assert_array_equal(kernel.numpy(), np.full(kernel.shape, 7.0))
    np.testing.assert_array_equal(tiny.average(gan)[0], np.full(kernel.shape, 7.0))


@pytest.mark.slow
def test_training_with_and_without_averages_is_the_same():
    with_average, without = make(), make(averages=None)
    for gan in (with_average, without):
        gan.fit(points(), batch_size=16, epochs=2, verbose=0)
    for one, other in zip(
        with_average.generator.variables, without.generator.variables, strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.slow
def test_adaptive_augmentation_follows_the_accuracy_that_logs_show(tiny, tmp_path):
    rule = tgs.augment.Adaptive(probability=0.2, target=0.1, interval=2, images=100)
    gan = tiny.image_gan(augment=rule, scheme=tgs.Simultaneous())
    logs = gan.fit(tiny.images(), steps_per_epoch=1, epochs=5, verbose=0).history
    signs = 2.0 * np.array(logs["accuracy_on_real"]) - 1.0
    p, expected = 0.2, []
    for step in range(5):
        expected.append(p)
        if step % 2:
            p = np.clip(p + np.sign(signs[step - 1 : step + 1].mean() - 0.1) * 16 / 100, 0, 1)
    np.testing.assert_allclose(logs["augmentation_probability"], expected, rtol=1e-5)
    assert len(set(expected)) > 1
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.augment == rule
    states = [each._scheme_memory["augmentation"].weights[0].numpy() for each in (gan, loaded)]
    np.testing.assert_array_equal(*states)
    gan.start_over()
    np.testing.assert_allclose(gan.train_state.augmentation_probability, 0.2)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_adaptive_augmentation_is_the_same_under_xla():
    layers = keras.layers
    found = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        generator = keras.Sequential(
            [keras.Input((3,)), layers.Dense(64), layers.Reshape((8, 8, 1))]
        )
        discriminator = keras.Sequential(
            [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(8, "tanh"), layers.Dense(1)]
        )
        gan = tgs.GAN(generator, discriminator, latents=3)
        gan.compile(
            keras.optimizers.Adam(1e-3),
            keras.optimizers.Adam(1e-3),
            scheme=tgs.Simultaneous(),
            penalties=[tgs.R1(1.0)],
            augment=tgs.augment.Adaptive(probability=0.5, target=0.2, interval=2, images=100),
            jit_compile=jit_compile,
        )
        data = tgs.data.digits(batch_size=8)
        found.append(gan.fit(data, steps_per_epoch=1, epochs=5, verbose=0).history)
    for name, values in found[0].items():
        np.testing.assert_allclose(values, found[1][name], rtol=1e-4, err_msg=name)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_fixed_augmentation_changes_what_is_learnt_and_nothing_else(tiny):
    seen = []
    for augment in (None, tgs.augment.Augmentation([tgs.augment.Cutout(1.0)])):
        gan = tiny.image_gan(augment=augment)
        logs = gan.fit(tiny.images(), steps_per_epoch=1, verbose=0).history
        seen.append((logs, gan.sample(2, seed=0), gan.evaluate(tiny.few_images(), verbose=0)))
    assert seen[0][0].keys() == seen[1][0].keys()
    assert seen[0][0] != seen[1][0] and np.any(seen[0][1] != seen[1][1])
