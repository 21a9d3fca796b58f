"""SIGTERM saves between two steps and ends the program; the same program goes on from there."""

import os
import signal

import keras
import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.callbacks.checkpoint_files import checkpoints
from tfgan_stab.callbacks.preemption import PREEMPTED, Preemption


class Terminated(keras.callbacks.Callback):
    """Sends this process SIGTERM after a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.steps == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def train(gan, directory, *others):
    data = tgs.data.digits(batch_size=4)
    saved = tgs.callbacks.Checkpoint(directory)
    gan.fit(data, epochs=2, steps_per_epoch=4, verbose=0, callbacks=[*others, saved])


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 4])  # Inside an epoch, and at its end.
def test_a_run_that_is_told_to_stop_saves_and_goes_on_as_if_it_had_not(
    tiny, compiled_image_gan, image_gan, tmp_path, step
):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="143") as end:
        train(image_gan, tmp_path, Terminated(step))
    assert end.value.code == PREEMPTED == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert [path.name for path in checkpoints(tmp_path)] == [f"step-{step:010d}"]
    found = []
    for directory in (tmp_path, tmp_path / "whole"):
        tiny.put_back(*compiled_image_gan)
        train(image_gan, directory)
        found.append(tiny.everything(image_gan))
        assert image_gan.steps == 8
    for mine, others in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, others)


@pytest.mark.slow
def test_sigterm_is_given_back_however_a_training_ends(image_gan, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division"):
        train(image_gan, tmp_path, stop)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_chief_saves_for_a_worker_that_is_told_to_stop(tmp_path):
    chief, other = (Preemption(tmp_path, is_chief, alone=False) for is_chief in (True, False))
    chief.begin()
    chief.end()
    assert not chief.is_due and not other.is_noted
    other.begin()
    os.kill(os.getpid(), signal.SIGTERM)
    other.end()
    assert not other.is_due and other.is_noted  # It goes on until the chief has saved.
    chief._next_check = 0.0
    assert chief.is_due
    again = Preemption(tmp_path, True, alone=False)
    again.begin()
    again.end()
    assert not again.is_noted  # That was another training.
