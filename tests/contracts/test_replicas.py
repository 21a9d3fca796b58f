"""N replicas with a share of the batch each are one replica with the whole of it."""

import pathlib
import subprocess
import sys

import pytest
from schemes import SCHEMES

PROGRAM = pathlib.Path(__file__).with_name("two_replicas.py")


@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize("xla", ["off", "auto"])
@pytest.mark.parametrize("name", SCHEMES)
def test_two_replicas_with_half_batches_train_as_one(name, xla):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), name, xla],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "replicas agree" in done.stdout
