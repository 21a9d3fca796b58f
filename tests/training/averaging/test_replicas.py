"""Averages on two replicas are those on one; swapping restores every copy bit for bit."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("two_replicas.py")


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize("xla", ["off", pytest.param("on", marks=pytest.mark.exhaustive)])
def test_averages_on_two_replicas_are_those_on_one(xla):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), xla],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "averages agree" in done.stdout
