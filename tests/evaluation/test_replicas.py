"""Moments and scores on several devices are those on one."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("two_devices.py")


@pytest.mark.slow
@pytest.mark.multi_device
def test_scores_on_two_replicas_are_those_on_one():
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "scores agree" in done.stdout
