"""`fit`: how long its epochs are, what it begins with, and what it leaves behind."""

import keras
import numpy as np
import pytest
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
