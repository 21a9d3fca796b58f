"""A run that has ended, for the tests of jobs."""

import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def finished(command, tmp_path_factory):
    """The workdir of a run that has ended, scored on few samples."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tfgan_stab.cli",
            "train",
            *command(workdir, "tgs.train.scores = [@tgs.FID]", "tgs.FID.samples = 100")[1:],
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path_factory.mktemp("elsewhere"),
    )
    assert done.returncode == 0, done.stderr
    return workdir, done.stdout
