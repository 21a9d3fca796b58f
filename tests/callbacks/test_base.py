"""What callbacks have in common: labels of scores, directories, and when they act."""

import types

import keras
import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab import callbacks
from tfgan_stab.callbacks.base import EpochPosition, Periodic, ScoreEvent, usable_directory, way_on
from tfgan_stab.evaluation.results import ScoreResult


def test_way_on_after_a_failed_write(tmp_path):
    assert way_on(tmp_path).startswith("Free some space or allow writing there, and run the same")
    assert f"{tmp_path / 'gone'} is gone: put it back, or" in way_on(tmp_path / "gone")


@pytest.mark.parametrize(("weights", "label"), [("live", "fid"), ("ema", "fid_ema")])
def test_label_of_a_score_names_weights_that_are_averages(weights, label):
    event = ScoreEvent(3, 24, 1.5, weights, ScoreResult("fid", 2.0, "fid/a@1"))
    assert event.label == label


def test_directory_is_made_or_refused(tmp_path):
    assert usable_directory(tmp_path / "new" / "one").is_dir()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="can be written to: .*/file. Received: .* or choose another"):
        usable_directory(tmp_path / "file")


def acts_of(callback, calls):
    """The steps after which a callback acts, if these many steps are done after each call."""
    callback._model = types.SimpleNamespace(steps=calls[0])
    acted = []
    callback.act = lambda logs: acted.append(callback.gan.steps)
    callback.on_train_begin()
    for steps in calls[1:]:
        callback.gan.steps = steps
        callback.on_train_batch_end(0)
    callback.on_epoch_end(0)
    return acted


@pytest.mark.parametrize(
    ("every", "calls", "acted"),
    [
        (3, range(8), [3, 6]),
        (3, [0, 4, 8, 12], [4, 8, 12]),  # Several steps a call: multiples are passed.
        (3, [5, 6, 7], [6]),  # A resumed run.
        ("epoch", range(8), [7]),
    ],
    ids=str,
)
def test_periodic_callback_acts_where_a_multiple_is_passed(every, calls, acted):
    assert acts_of(Periodic(every), list(calls)) == acted


@pytest.mark.parametrize(
    ("every", "steps", "until"), [(5, 0, 5), (5, 7, 3), (5, 10, 5), ("epoch", 7, None)]
)
def test_periodic_callback_says_when_it_is_needed(every, steps, until):
    callback = Periodic(every)
    callback._model = types.SimpleNamespace(steps=steps)
    assert callback.steps_until_needed() == until


def test_periodic_callback_must_say_what_it_does():
    with pytest.raises(TypeError, match=r"Periodic must define `act\(logs\)`"):
        Periodic().act({})


def test_position_in_the_epoch_counts_from_where_a_resumed_one_began():
    callback = EpochPosition()
    callback._model = types.SimpleNamespace(steps_taken=12)
    callback._resumed_in_epoch = 2
    found = []
    for taken, epoch in ((12, 1), (15, 2)):
        callback.gan.steps_taken = taken
        callback.on_epoch_begin(epoch)
        callback.gan.steps_taken += 1
        found.append(callback._step_in_epoch)
    assert found == [3, 1]


@pytest.mark.parametrize(
    ("callback", "counterpart"),
    [
        (callbacks.BestCheckpoint("best"), "ModelCheckpoint"),
        (callbacks.Checkpoint("run"), "BackupAndRestore"),
        (callbacks.Diagnostics(), ""),
        (callbacks.DivergenceGuard(), "TerminateOnNaN"),
        (callbacks.Evaluate(tgs.FID("digits", np.zeros([9, 8, 8, 1], "float32"), samples=4)), ""),
        (callbacks.RunLog("run"), "TensorBoard"),
        (callbacks.SampleGrid("samples"), ""),
        (callbacks.SwapWeights(), "SwapEMAWeights"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_other_models_are_refused(callback, counterpart):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    name = type(callback).__name__
    message = f"{name} expects a tgs.GAN. Received: Sequential. Give it to the `fit` of.*"
    message += rf"For other models see keras\.callbacks\.{counterpart}\." if counterpart else "$"
    with pytest.raises(TypeError, match=message):
        model.fit(np.ones([2, 1]), np.ones([2, 1]), callbacks=[callback], verbose=0)
    assert counterpart == "" or hasattr(keras.callbacks, counterpart)
