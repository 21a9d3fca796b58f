"""A run that is resumed, also in the middle of an epoch, goes on with the data that come next."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from recorder import Recorder, Resumed, numbered

import tfgan_stab as tgs
from tfgan_stab.training.resume import Progress, data_from

# Everything whose order is fixed: data, and arguments of `fit`.
STEPS = 3


COUNTED = {"steps_per_epoch": STEPS}


ORDERED = {
    "images": lambda: (tgs.data.digits(batch_size=4), COUNTED),
    "points": lambda: (tgs.data.mixture(batch_size=4), COUNTED),
    "one pass": lambda: (numbered(3), {}),
    "one pass, counted": lambda: (numbered(3), COUNTED),
    "two epochs a pass": lambda: (numbered(6), COUNTED),
    "eight epochs a pass": lambda: (numbered(24), COUNTED),
    "endless": lambda: (numbered(7).repeat(), COUNTED),
    "of unknown length": lambda: (numbered(7).repeat().filter(lambda x: x[0] != 5), COUNTED),
}


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize("kind", ORDERED)
def test_from_any_step_a_resumed_run_reads_what_the_uninterrupted_one_reads(kind):
    data, settings = ORDERED[kind]()
    whole = Recorder()
    whole.fit(data, epochs=4, **settings)
    assert len(whole.batches) == 4 * STEPS
    for done in range(4 * STEPS + 1):
        rest = Recorder()
        resumed = Resumed(Progress(*divmod(done, STEPS)), done)
        rest.fit(data, epochs=4, callbacks=[resumed], **settings)
        assert rest.batches == whole.batches[done:], f"after step {done}"
        assert rest.epochs == 4 - done // STEPS
        assert resumed.ordered


def test_data_that_end_do_so_where_a_run_goes_on_too():
    """Of data without an end workers build other graphs, which may round differently."""
    for done in (0, 4, 7):
        assert data_from(numbered(6), done, 1, STEPS).cardinality() > 0
        assert (
            data_from(numbered(6).repeat(), done, 1, STEPS).cardinality()
            == tf.data.INFINITE_CARDINALITY
        )


def test_data_that_end_inside_an_epoch_are_warned_of_where_a_run_goes_on():
    with pytest.warns(
        UserWarning, match=r"7 batches, no multiple of steps_per_epoch=3.*repeat\(\)"
    ):
        data_from(numbered(7), 2, 1, STEPS)


def test_parts_of_a_step_come_in_one_batch_and_resume_with_it():
    data = tgs.data.mixture(batch_size=4)
    whole, rest = Recorder(minibatches=3), Recorder(minibatches=3)
    whole.fit(data, epochs=2, steps_per_epoch=2)
    rest.fit(data, epochs=2, steps_per_epoch=2, callbacks=[Resumed(Progress(1, 1), 3)])
    assert rest.batches == whole.batches[3:]
    firsts = [np.ravel(batch)[:3].tolist() for batch in data.take(12).as_numpy_iterator()]
    assert whole.batches == firsts[::3]


def hooks_of(epochs, steps, done):
    """Runs and returns (hook, epoch or nothing) of a run resumed after some steps."""
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("train begins")

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(f"epoch {epoch} begins")

        def on_epoch_end(self, epoch, logs=None):
            seen.append(f"epoch {epoch} ends")

        def on_train_end(self, logs=None):
            seen.append("train ends")

    recorder = Recorder()
    resumed = Resumed(Progress(*divmod(done, steps)), done)
    history = recorder.fit(
        tgs.data.mixture(batch_size=4),
        epochs=epochs,
        steps_per_epoch=steps,
        callbacks=[Note(), resumed],
    )
    return seen, history.epoch, recorder.steps


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize("done", range(7))
def test_callbacks_see_one_training_from_begin_to_end(done):
    seen, trained, steps = hooks_of(epochs=2, steps=3, done=done)
    epochs = list(range(done // 3, 2))
    inner = [f"epoch {epoch} {what}" for epoch in epochs for what in ("begins", "ends")]
    assert seen == ["train begins", *inner, "train ends"]
    assert trained == epochs
    assert steps == 6


def test_stopping_in_a_resumed_epoch_ends_the_training():
    class StopNow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    recorder = Recorder()
    history = recorder.fit(
        tgs.data.mixture(batch_size=4),
        epochs=5,
        steps_per_epoch=3,
        callbacks=[Resumed(Progress(1, 1), 4), StopNow()],
    )
    assert history.epoch == [1]
    assert recorder.steps == 6


def test_a_run_that_has_all_its_epochs_trains_nothing():
    recorder = Recorder()
    history = recorder.fit(numbered(3), epochs=2, callbacks=[Resumed(Progress(2, 0), 6)])
    assert history.epoch == []
    assert recorder.batches == []


def test_after_a_rollback_the_data_go_on_where_they_were():
    data = tgs.data.digits(batch_size=4)
    whole, rest = Recorder(), Recorder()
    whole.fit(data, epochs=2, steps_per_epoch=4)
    rest.steps_lost = 2
    rest.fit(data, epochs=2, steps_per_epoch=4, callbacks=[Resumed(Progress(1, 1), 3)])
    assert rest.batches == whole.batches[5:]


def test_two_checkpoints_are_refused():
    with pytest.raises(ValueError, match="resumes from one place. Received: 2 checkpoint"):
        Recorder().fit(numbered(3), callbacks=[Resumed(None), Resumed(None)])


def test_data_without_an_order_have_no_place_inside_an_epoch_to_resume_from():
    message = "needs data in a fixed order.*Received: ndarray. Give `fit` the data of the run"
    with pytest.raises(ValueError, match=message):
        Recorder().fit(np.ones([10, 2]), callbacks=[Resumed(Progress(0, 1), 1)])


def test_shorter_epochs_than_those_of_the_run_that_is_resumed_are_refused():
    message = "must be larger than 3: the resumed run has taken.*Received: 3. Use the earlier value"
    with pytest.raises(ValueError, match=message):
        Recorder().fit(numbered(9), steps_per_epoch=3, callbacks=[Resumed(Progress(0, 3), 3)])
