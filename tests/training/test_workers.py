"""Who writes, and what is said of workers that are gone; two real ones are in the contracts."""

import functools
import json
import os
import threading
import time
import types

import keras
import pytest
import tensorflow as tf
from point_gans import make, points
from recorder import Recorder, numbered

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
    assert workers.chiefs(ALONE, 2) == 2 and workers.note(ALONE) == ""
    workers.check_alike(ALONE, 7, None, {})
    exact = [2**63 - 1, -(2**63), 0]
    assert distribution.of_all(ALONE, exact) == [exact]


def test_callbacks_that_only_write_belong_to_the_chief(tmp_path):
    writing = [tgs.callbacks.RunLog(tmp_path), tgs.callbacks.SampleGrid(tmp_path)]
    both = [keras.callbacks.EarlyStopping(), tgs.callbacks.Checkpoint(tmp_path)]
    found = [workers.of_those_who_write([*writing, *both], one_of(2, c)) for c in (True, False)]
    assert found == [[*writing, *both], both]


class Others:
    """Takes part in every comparison for a second worker, and changes one of its numbers."""

    def __init__(self, place=None, change=None):
        self.place, self.change, self.asked = place, change, 0

    def __call__(self, strategy, numbers):
        self.asked += 1
        theirs = list(numbers)
        if self.place is not None:
            theirs[self.place] = self.change(theirs[self.place])
        return [list(numbers), theirs]


def compare(monkeypatch, others, steps=20, data=None, settings=None):
    monkeypatch.setattr(distribution, "of_all", others)
    data = tgs.data.digits(batch_size=8, seed=2**53) if data is None else data
    workers.check_alike(one_of(2, True), steps, data, settings or {"scheme": tgs.Alternating(2)})


@pytest.mark.usefixtures("several")
def test_workers_that_are_alike_are_compared_in_one_message(monkeypatch):
    others = Others()
    compare(monkeypatch, others)
    compare(monkeypatch, others, data=[1.0])  # Not ours to look into.
    assert others.asked == 2
    workers.check_alike(one_of(1, True), 20, None, {})
    assert others.asked == 2


@pytest.mark.usefixtures("several")
def test_workers_that_have_done_other_numbers_of_steps_are_named(monkeypatch):
    message = r"begin with the same step. Received: steps \[0, 20\].*disk that all of them share"
    with pytest.raises(ValueError, match=message):
        compare(monkeypatch, Others(0, lambda steps: 20), steps=0)
    assert workers.chiefs(one_of(2, False), 20) == 20


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("place", "name", "number", "other"),
    [
        (1, "num_examples", 1797, 1796),
        (2, "batch_size", 8, 0),  # Of other data, such as an array, nothing is known.
        (3, "seed", 2**53, 2**53 + 1),  # Alike as floats.
    ],
)
def test_workers_with_other_data_are_refused(monkeypatch, place, name, number, other):
    message = rf"open the same data. Received: {name} of \[{number}, {other}\].*the same files"
    with pytest.raises(ValueError, match=message):
        compare(monkeypatch, Others(place, lambda number: other))


@pytest.mark.usefixtures("several")
def test_workers_with_other_settings_are_refused(monkeypatch):
    """Else they would wait for each other without end, or drift apart."""
    message = r"train alike. Received: `scheme` that differ.*Alternating.*the same settings on all"
    with pytest.raises(ValueError, match=message):
        compare(monkeypatch, Others(4, lambda number: number + 1))


def test_a_setting_is_known_by_its_text_but_for_where_it_lies_in_memory():
    class Own:
        pass

    first, second = Own(), Own()
    assert workers._fingerprint([first]) == workers._fingerprint([second])
    assert workers._fingerprint([first]) != workers._fingerprint([first, second])
    one, other = (keras.optimizers.Adam(rate).get_config() for rate in (1e-3, 2e-3))
    assert workers._fingerprint(one) != workers._fingerprint(other)


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


# What TensorFlow raises in a step.
FROM_A_GRAPH = """Graph execution error:

Detected at node CollectiveReduceV2 defined at (most recent call last):
  File "program.py", line 2, in collective_of_mine

Collective ops is aborted by: recvmsg:Connection reset by peer
Additional GRPC error information from remote target /job:worker/replica:0/task:1 while calling:
\t [[{{node CollectiveReduceV2}}]] [Op:__inference_several_1]"""


@pytest.mark.usefixtures("several")
def test_of_a_graphs_error_the_reason_is_told_and_not_the_traceback():
    message = (
        "workers to go on. Received: Collective ops is aborted by: recvmsg:Connection reset by "
        "peer. Additional GRPC .*task:1 while calling. Start the same command"
    )
    with pytest.raises(WorkerLostError, match=message):
        with workers.losses_explained(one_of(2, True)):
            raise tf.errors.UnavailableError(None, None, FROM_A_GRAPH)
    bare = "\n".join(FROM_A_GRAPH.splitlines()[:4] + ["CANCELLED"])
    with pytest.raises(WorkerLostError, match="Received: CANCELLED. Start the same command"):
        with workers.losses_explained(one_of(2, True)):
            raise tf.errors.CancelledError(None, None, bare)


def test_workers_that_nothing_names_are_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("SLURM_STEP_NODELIST", raising=False)
    message = "need to know each other. Received: neither TF_CONFIG nor Slurm.*launch_local.py"
    with pytest.raises(ValueError, match=message):
        workers.strategy_of("multi_worker")
    assert workers.strategy_of("none") is ALONE


def test_devices_of_this_machine_and_tpus_are_asked_for_by_name(monkeypatch):
    """A TPU's strategy is a stand-in here: there is no TPU to connect to."""
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver
    monkeypatch.setattr(resolver, "connect", lambda name: f"connected to {name}")
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda found: ("tpu", found))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: "all GPUs")
    monkeypatch.delenv("TPU_NAME", raising=False)
    assert workers.strategy_of("tpu") == ("tpu", "connected to local")
    monkeypatch.setenv("TPU_NAME", "pod-1")
    assert workers.strategy_of("tpu") == ("tpu", "connected to pod-1")
    assert workers.strategy_of("mirrored") == "all GPUs"


def test_a_slurm_step_becomes_a_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")  # So that it is put back.
    monkeypatch.delenv("TF_CONFIG")
    texts = {"STEP_NODELIST": "n[9-10]", "STEP_TASKS_PER_NODE": "1(x2)", "JOB_ID": "3"}
    for name, text in (texts | {"PROCID": "1", "NODEID": "1", "LOCALID": "0"}).items():
        monkeypatch.setenv(f"SLURM_{name}", text)
    made = lambda: json.loads(os.environ["TF_CONFIG"])  # noqa: E731
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", made)
    found = workers.strategy_of("multi_worker")
    assert found["cluster"] == {"worker": ["n9:12003", "n10:12003"]}
    assert found["task"] == {"type": "worker", "index": 1}


@pytest.fixture
def ended(monkeypatch):
    """Set where a process would have ended with exit code 1."""
    event = threading.Event()
    monkeypatch.setattr(workers.os, "_exit", lambda code: event.set() if code == 1 else None)
    return event


def watching():
    return [each for each in threading.enumerate() if each.name == "watchdog"]


@pytest.mark.usefixtures("several")
def test_a_worker_that_waits_too_long_ends_and_says_for_what(monkeypatch, capfd, ended):
    monkeypatch.setattr(workers, "PATIENCE", 0.2)
    watchdog = workers.Watchdog()
    with watchdog.running(one_of(2, True)):
        time.sleep(0.15)  # The thread wakes up once in vain.
        start = time.monotonic()
        with watchdog:
            assert ended.wait(10.0)
        assert time.monotonic() - start >= 0.2
    message = "error: Expected all 2 workers to come to the same step within 0 seconds"
    assert message in capfd.readouterr().err
    assert watching() == []


@pytest.mark.usefixtures("several")
def test_many_waits_in_time_are_not_taken_for_one_too_long(monkeypatch, ended):
    monkeypatch.setattr(workers, "PATIENCE", 0.3)
    watchdog = workers.Watchdog()
    with watchdog.running(one_of(2, True)):
        for _ in range(10):
            with watchdog:
                time.sleep(0.03)
        assert not ended.wait(0.4)  # Nothing waits now.
        assert len(watching()) == 1
    assert watching() == [] and not ended.is_set()


@pytest.mark.parametrize("count", [1, 2])
def test_one_thread_watches_a_training_of_several_workers(monkeypatch, count):
    monkeypatch.setattr(workers, "num_workers", lambda strategy: count)
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(watching())
            if len(seen) == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "_check_workers", lambda *given: None)  # It has no settings.
    gan = Recorder()
    gan.fit(numbered(3), callbacks=[Note()])
    assert watching() == []
    with pytest.raises(KeyboardInterrupt):
        gan.fit(numbered(3), callbacks=[Note()])
    assert watching() == []
    assert [len(threads) for threads in seen] == [count - 1] * 5
    assert seen[0] == seen[2] and (seen[2] != seen[3]) == (count > 1)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_step_that_outlasts_the_limit_is_noticed(monkeypatch, ended):
    monkeypatch.setattr(workers, "num_workers", lambda strategy: 2)
    noticed = []

    def batches(hang):
        for number in range(4):
            yield points(8)
            if number == 2:
                noticed.extend([ended.is_set(), hang and ended.wait(10.0)])

    gan, spec = make(), tf.TensorSpec([8, 2])
    for hang in (False, True):
        given = functools.partial(batches, hang)
        data = tf.data.Dataset.from_generator(given, output_signature=spec)
        gan.fit(data, steps_per_epoch=4, verbose=0)
        monkeypatch.setattr(workers, "PATIENCE", 0.5)  # The first step, which is traced, is longer.
    assert gan.steps == 8 and noticed == [False, False, False, True]
    assert watching() == []
