"""Each replica reads its rows of each minibatch, and all together those of one replica."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from cluster import run_workers

PROGRAM = pathlib.Path(__file__).with_name("own_rows.py")
SOURCES = ["arrays", "mixture", "image_folder", "tfrecords", "front to back"]
AGREEING = [*SOURCES, "own files", "training"]
sys.path.append(str(PROGRAM.parents[1] / "data"))

from record_writers import shade, write  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """Pictures in files and in records."""
    write(tmp_path / "records", [shade(number) for number in range(20)])
    for number in range(20):
        picture = tf.io.encode_png(np.full([6, 6, 3], 10 * number, np.uint8))
        tf.io.write_file(f"{tmp_path}/pictures/{number % 2}/{number}.png", picture)
    return str(tmp_path)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
def test_two_replicas_read_and_train_as_one(folder):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == [f"{name} agrees" for name in AGREEING]


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
def test_two_workers_read_and_train_as_one_replica(folder):
    for said in run_workers([str(PROGRAM), folder]):
        for name in AGREEING:
            assert f"{name} agrees" in said
        assert "refused: All workers must open the same data. Received: seed of [0, 1]" in said
