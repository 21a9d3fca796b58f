"""`fit`: how long its epochs are, what it begins with, and what it leaves behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from recorder import Recorder, Resumed, numbered

import tfgan_stab as tgs


def test_an_epoch_of_ours_is_one_pass_over_the_examples():
    recorder = Recorder()
    recorder.fit(tgs.data.digits(batch_size=400), epochs=2)
    assert recorder.steps == 2 * (1797 // 400)
    halves = Recorder(minibatches=2)
    halves.fit(tgs.data.digits(batch_size=400))
    assert halves.steps == 1797 // 800


def test_arrays_train_with_the_length_of_their_epochs_known():
    lengths = []

    class Note(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            lengths.append(self.params["steps"])

    recorder = Recorder()
    resumed = Resumed(None)
    recorder.fit(
        np.ones([10, 2], "float32"),
        batch_size=4,
        validation_split=0.2,
        validation_freq=2,
        callbacks=[Note(), resumed],
    )
    assert lengths == [2]
    assert recorder.steps == 2
    assert resumed.ordered is False


def test_fit_before_compile_is_refused(tiny):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    with pytest.raises(ValueError, match="must be compiled before `fit`. Call gan.compile"):
        gan.fit(tiny.images())


def test_the_first_fit_starts_averages_and_clock_and_later_ones_do_not():
    recorder = Recorder()
    recorder.clock.set(100.0)
    recorder.fit(numbered(3))
    assert recorder.starts == 1
    assert 0.0 < recorder.clock.seconds < 50.0
    recorder.clock.set(7.0)
    recorder.fit(numbered(3))
    assert recorder.starts == 1
    assert 7.0 < recorder.clock.seconds < 57.0


def test_metadata_of_the_data_are_those_of_this_training():
    recorder = Recorder()
    digits = tgs.data.digits(batch_size=500, labels=True)
    recorder.fit(digits)
    assert recorder.data_metadata == digits.description()
    assert recorder.num_classes == 10
    recorder.fit(numbered(3))
    assert recorder.data_metadata is None


def test_whoever_began_to_listen_in_a_training_that_failed_listens_no_more(tiny):
    recorder = Recorder()
    recorder.listeners.append("before")

    def listen(hook):
        recorder.listeners.append("during")
        raise RuntimeError(hook)

    with pytest.raises(RuntimeError, match="on_epoch_end"):
        recorder.fit(numbered(3), callbacks=[tiny.Trace(listen, "on_epoch_end")])
    assert list(recorder.listeners) == ["before"]


@pytest.mark.parametrize("name", ["gan.h5", "gan", "gan.weights.h5"])
def test_files_that_cannot_hold_a_gan_are_refused_before_they_are_made(image_gan, tmp_path, name):
    with pytest.raises(ValueError, match="a file that ends in `.keras`.*gan.export"):
        image_gan.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("conditional", [False, True])
def test_the_generator_is_exported_with_the_weights_in_use(tiny, tmp_path, conditional):
    gan = tiny.image_gan(eager=True, num_classes=4 if conditional else None)
    gan.fit(
        tgs.data.arrays(
            -np.ones([8, 8, 8, 1]), 4, labels=np.arange(8) % 4 if conditional else None
        ),
        verbose=0,
    )
    inputs = [np.ones([5, 3], "float32")]
    inputs += [np.array([3, 1, 0, 2, 2], "int32")] if conditional else []
    for weights in ("live", "ema"):
        with gan.using(weights):
            gan.export(tmp_path / weights, verbose=False)
            expected = gan.predict(inputs if conditional else inputs[0], verbose=0)
        loaded = tf.saved_model.load(str(tmp_path / weights))
        found = loaded.serve(inputs if conditional else inputs[0])
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_callbacks_that_want_the_only_optimizer_are_told_of_both(image_gan, tiny):
    message = "two optimizers.*Received: `optimizer.learning_rate`. Use `generator_optimizer.lea"
    rate = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: image_gan.optimizer.learning_rate.assign(0.1)
    )
    with pytest.raises(AttributeError, match=message):
        image_gan.fit(tiny.few_images(), callbacks=[rate], verbose=0)
    with pytest.raises(AttributeError, match=message):
        image_gan.optimizer.learning_rate = 0.1
    with pytest.raises(AttributeError, match="Call gan.compile.generator_optimizer"):
        image_gan.optimizer = keras.optimizers.Adam()
    assert not image_gan.optimizer and not hasattr(image_gan.optimizer, "iterations")


@pytest.mark.filterwarnings("ignore:.compile. begins a new training:UserWarning")
@pytest.mark.slow
def test_layers_frozen_after_compile_ask_for_another_compile(tiny):
    gan = tiny.point_gan(eager=True)
    data = tiny.points(16)
    gan.fit(data, verbose=0)
    gan.discriminator.layers[0].trainable = False
    with pytest.raises(ValueError, match=r"2 other weights, such as .*kernel.*Call gan.compile"):
        gan.fit(data, verbose=0)
    tiny.compiled(gan, run_eagerly=True)
    frozen = gan.discriminator.layers[0].get_weights()
    gan.fit(data, verbose=0)
    assert tiny.same(gan.discriminator.layers[0].get_weights(), frozen)
