"""The digits run, small enough for a test."""

import numpy as np
import pytest

from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.flags.train import TrainSettings
from tfgan_stab.cli.jobs import train as job
from tfgan_stab.cli.workdir import Workdir

RUN = "gin_configs/runs/digits.gin"

TINY = [
    "epochs = 2",
    "steps_per_epoch = 3",
    "latents = 4",
    "generator_width = 4",
    "discriminator_width = 4",
    "batch_size = 8",
    "tgs.train.jit_compile = False",
    "tgs.train.scores = []",
]


@pytest.fixture(scope="session")
def command():
    """A function of a workdir and settings that returns a command line."""

    def command(workdir, *params, flags=()):
        return [
            "train.py",
            f"--gin_file={RUN}",
            *(f"--gin_param={param}" for param in [*TINY, *params]),
            f"--workdir={workdir}",
            *flags,
        ]

    return command


@pytest.fixture(scope="session")
def train():
    """A function of a command line that trains what it asks for, and returns the GAN."""

    def train(arguments, ready=None, started=lambda: None):
        settings = TrainSettings.parse(arguments)
        configuring.parse(settings.gin_file, settings.gin_param)
        workdir = Workdir(settings.workdir)
        configured = configuring.configured(job.train, given=("workdir", "ready", "started"))
        settle = ready or (lambda: workdir.settle(configuring.operative_text()))
        return configured(workdir, settle, started)

    return train


@pytest.fixture
def few(tmp_path):
    """An array of four pictures."""
    np.save(tmp_path / "few.npy", np.arange(4 * 12, dtype=np.uint8).reshape(4, 2, 2, 3))
    return tmp_path / "few.npy"
