"""A run killed at any moment and started again by the same command ends as if nothing had been."""

import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLS = 1
PERIOD = 7  # Steps between checkpoints: not a divisor of an epoch.

PARAMS = [
    "epochs = 4",
    "steps_per_epoch = 25",
    "decay_steps = 100",
    "batch_size = 16",
    "latents = 8",
    "generator_width = 8",
    "discriminator_width = 8",
    "tgs.FID.samples = 200",
    f"tgs.train.checkpoint_every = {PERIOD}",
]


def start(workdir):
    """Starts the digits run, small, in a process group of its own."""
    command = [
        sys.executable,
        str(ROOT / "scripts" / "train.py"),
        f"--gin_file={ROOT / 'gin_configs' / 'runs' / 'digits.gin'}",
        f"--workdir={workdir}",
        *(f"--gin_param={param}" for param in PARAMS),
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output[-3000:]
    return output


def written(workdir):
    """When the workdir's `run.json`, with which training begins, was written; 0 for never."""
    path = workdir / "run.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def start_training(workdir):
    """Starts the run and waits until its first step is near."""
    before = written(workdir)
    process = start(workdir)
    while written(workdir) == before and process.poll() is None:
        time.sleep(0.02)
    return process


def kill(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def variables(workdir):
    """The newest checkpoint's variables: networks, optimizers, averages, steps."""
    newest = max((workdir / "checkpoints").glob("step-*"))
    reader = tf.train.load_checkpoint(str(newest / "state"))
    return newest.name, {
        name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
    }


def scores(workdir):
    lines = (workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def pictures(workdir):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (workdir / "samples").glob("*.png")
    }


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The workdir of a run that nobody disturbed, and how long training took, in seconds."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    process = start_training(workdir)
    began = time.monotonic()
    finish(process)
    return workdir, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("starts", [0, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_run_killed_at_random_moments_ends_as_the_uninterrupted_one(
    uninterrupted, tmp_path, starts
):
    whole, seconds = uninterrupted
    workdir = tmp_path / "run"
    seed = int(os.environ.get("KILL_SEED", time.time_ns() % 10**6))
    moments = random.Random(seed)
    print(f"KILL_SEED={seed}")
    for _ in range(KILLS):
        process = start_training(workdir)
        time.sleep(moments.uniform(0, 0.6 * seconds))
        kill(process)
    for _ in range(starts):
        process = start(workdir)
        time.sleep(moments.uniform(0, 6))  # While it imports, builds or restores.
        kill(process)
    finish(start(workdir))

    name, wanted = variables(whole)
    other_name, received = variables(workdir)
    assert (name, sorted(wanted)) == (other_name, sorted(received))
    for key, value in wanted.items():
        np.testing.assert_array_equal(value, received[key], err_msg=key)
    assert scores(workdir) == scores(whole)
    assert pictures(workdir) == pictures(whole)
    assert not list((workdir / "checkpoints").glob("*.unfinished"))
