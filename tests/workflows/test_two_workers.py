"""Two workers: one is lost or told to stop, and the same commands end as if nothing had been."""

import pathlib
import signal
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "contracts"))

from cluster import run_workers, start_workers  # noqa: E402

from tfgan_stab.callbacks.preemption import PREEMPTED  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive, pytest.mark.multi_device]

PARAMS = [
    "epochs = 3",
    "steps_per_epoch = 40",
    "decay_steps = 120",
    "batch_size = 16",
    "latents = 8",
    "generator_width = 8",
    "discriminator_width = 8",
    "tgs.FID.samples = 200",
    "tgs.train.scheme = @tgs.Lookahead()",
    "tgs.Lookahead.inner = @tgs.Simultaneous()",
    "tgs.Lookahead.sync_period = 6",
    "tgs.train.checkpoint_every = 7",  # Inside epochs and periods.
]
NOTICED = 60.0  # Seconds until the docs say that a lost worker is noticed.


def command(workdir):
    return [
        str(ROOT / "scripts" / "train.py"),
        "--distribution=multi_worker",
        f"--gin_file={ROOT / 'gin_configs' / 'runs' / 'digits.gin'}",
        f"--workdir={workdir}",
        *(f"--gin_param={param}" for param in PARAMS),
    ]


def last_state(workdir):
    newest = max((workdir / "checkpoints").glob("step-*"))
    reader = tf.train.load_checkpoint(str(newest / "state"))
    names = sorted(reader.get_variable_to_shape_map())
    return newest.name, {name: reader.get_tensor(name) for name in names}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The last state of a run that nothing disturbed; the second worker has printed nothing."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    first, second = run_workers(command(workdir), timeout=240)
    assert "replicas: 2 on 2 workers" in first and "120 steps" in first
    assert "epoch" not in second and "GAN:" not in second
    return last_state(workdir)


def interrupted(workdir, number, which):
    """Sends a signal to one worker in the midst of training; returns codes and texts."""
    processes = start_workers(command(workdir))
    try:
        while not list((workdir / "checkpoints").glob("step-*7")):
            assert all(each.poll() is None for each in processes)
            time.sleep(0.02)
        processes[which].send_signal(number)
        if number == signal.SIGSTOP:  # Until it is killed it does not end.
            processes[1 - which].wait(NOTICED)
            processes[which].kill()
        said = [each.communicate(timeout=NOTICED)[0] for each in processes]
    finally:
        for each in processes:
            each.kill()
    return [each.returncode for each in processes], said


def check_goes_on_as(whole, workdir):
    first, _ = run_workers(command(workdir), timeout=240)
    assert "Resuming from" in first
    name, state = last_state(workdir)
    assert name == whole[0] and state.keys() == whole[1].keys()
    for key, value in whole[1].items():
        np.testing.assert_array_equal(state[key], value, err_msg=key)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_worker_that_is_lost_is_noticed_and_the_run_goes_on(whole, tmp_path, number, which):
    codes, said = interrupted(tmp_path / "run", number, which)
    assert (codes[1 - which], codes[which]) == (1, -signal.SIGKILL), said
    told = said[1 - which]
    assert "Expected all 2 workers to go on" in told and "the same command" in told
    check_goes_on_as(whole, tmp_path / "run")


@pytest.mark.parametrize("which", [0, 1])
def test_a_worker_that_is_told_to_stop_has_the_first_one_save(whole, tmp_path, which):
    codes, said = interrupted(tmp_path / "run", signal.SIGTERM, which)
    assert codes == [PREEMPTED, PREEMPTED], said
    assert "SIGTERM: saved step" in said[0]
    check_goes_on_as(whole, tmp_path / "run")


HANGS = """
import sys, time
sys.path.append({contracts!r})
import keras
from devices import STRATEGIES
import tfgan_stab as tgs
from tfgan_stab.training import workers

workers.PATIENCE = 3.0
number = STRATEGIES[2].cluster_resolver.task_id


class Hang(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2 and number == 1:
            time.sleep(30)


with STRATEGIES[2].scope():
    gan = tgs.GAN(
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
        latents=3,
    )
    gan.compile("sgd", "sgd", jit_compile=False)
gan.fit(tgs.data.mixture(batch_size=8), steps_per_epoch=8, callbacks=[Hang()], verbose=0)
"""


def test_a_worker_that_lives_and_does_not_come_on_is_noticed(tmp_path):
    """Its heartbeats go on. Once it wakes up, it notices that the other one is gone."""
    program = tmp_path / "hangs.py"
    program.write_text(HANGS.format(contracts=str(ROOT / "tests" / "contracts")))
    first, second = start_workers([str(program)])
    try:
        said = first.communicate(timeout=25)[0]
        assert first.returncode == 1 and second.poll() is None, said
        assert "Expected all 2 workers to come to the same step within 3 seconds" in said
        said = second.communicate(timeout=NOTICED)[0]
        assert second.returncode != 0, said
    finally:
        for each in (first, second):
            each.kill()
