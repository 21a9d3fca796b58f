"""The digits run, small enough for a test."""

import pytest

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
