"""Who writes, and what is said of workers that are gone; two real ones are in the contracts."""

import types

import keras
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab._utils.errors import WorkerLostError
from tfgan_stab.training import distribution, workers

ALONE = tf.distribute.get_strategy()


def one_of(count, chief):
    """Stands in for the strategy of one of several workers."""
    return types.SimpleNamespace(
        count=count, extended=types.SimpleNamespace(should_checkpoint=chief)
    )


@pytest.fixture
def several(monkeypatch):
    """Lets strategies of `one_of` pass for those of several processes."""
    monkeypatch.setattr(workers, "num_workers", lambda strategy: getattr(strategy, "count", 1))


def test_a_process_alone_writes_and_asks_nobody():
    assert workers.num_workers(ALONE) == 1 and workers.is_chief(ALONE)
    assert workers.chiefs(ALONE, 2.5) == 2.5 and workers.note(ALONE) == ""
    workers.check_alike(ALONE, 7)
    assert distribution.of_all(ALONE, 2.5) == [2.5]


def test_callbacks_that_only_write_belong_to_the_chief(tmp_path):
    writing = [tgs.callbacks.RunLog(tmp_path), tgs.callbacks.SampleGrid(tmp_path)]
    both = [keras.callbacks.EarlyStopping(), tgs.callbacks.Checkpoint(tmp_path)]
    found = [workers.of_those_who_write([*writing, *both], one_of(2, c)) for c in (True, False)]
    assert found == [[*writing, *both], both]


@pytest.mark.usefixtures("several")
def test_workers_that_have_done_other_numbers_of_steps_are_named(monkeypatch):
    monkeypatch.setattr(distribution, "of_all", lambda strategy, number: [number, 20.0])
    workers.check_alike(one_of(2, True), 20)
    message = r"begin with the same step. Received: steps \[0, 20\].*disk that all of them share"
    with pytest.raises(ValueError, match=message):
        workers.check_alike(one_of(2, True), 0)
    assert workers.chiefs(one_of(2, False), 20.0) == 20.0


@pytest.mark.usefixtures("several")
def test_workers_with_other_data_are_refused(monkeypatch):
    data = tgs.data.digits(batch_size=8, seed=3)
    monkeypatch.setattr(distribution, "of_all", lambda strategy, number: [number, number])
    workers.check_same_data(one_of(2, True), data)
    monkeypatch.setattr(distribution, "of_all", lambda strategy, number: [number, 1797.0])
    message = r"open the same data. Received: batch_size of \[8, 1797\].*the same files"
    with pytest.raises(ValueError, match=message):
        workers.check_same_data(one_of(2, True), data)
    workers.check_same_data(one_of(1, True), data)
    workers.check_same_data(one_of(2, True), [data])  # Not ours to look into.


@pytest.mark.usefixtures("several")
def test_a_worker_that_is_gone_is_told_from_other_errors():
    lost = tf.errors.UnavailableError(None, None, "/job:worker/task:1 stopped sending heartbeats")
    with pytest.raises(WorkerLostError, match="all 2 workers to go on. Received: .*task:1.*again"):
        with workers.losses_explained(one_of(2, True)):
            raise lost
    unknown = tf.errors.InternalError(None, None, "out of luck")
    for strategy, error, words in ((ALONE, lost, "heartbeats"), (one_of(2, True), unknown, "luck")):
        with pytest.raises(type(error), match=words), workers.losses_explained(strategy):
            raise error


def test_workers_that_nothing_names_are_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    message = "need to know each other. Received: neither TF_CONFIG nor Slurm.*launch_local.py"
    with pytest.raises(ValueError, match=message):
        workers.strategy_of("multi_worker")
    assert workers.strategy_of("none") is ALONE
