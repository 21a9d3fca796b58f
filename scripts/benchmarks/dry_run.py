"""Compares what `train.py --dry_run` estimates with a run of 30 steps, and prints the factors.

    .venv/bin/python scripts/benchmarks/dry_run.py
    .venv/bin/python scripts/benchmarks/dry_run.py --only=digits

Each estimate and each run has a process of its own. Memory is compared whole, and as what was added
to a process that has imported TensorFlow; time by the steps of the run's second epoch, since the
first one builds the graphs. Two turns each, one after the other, of which the faster one counts.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
from typing import NamedTuple

from absl import app, flags

TURNS = flags.DEFINE_integer("turns", 2, "Of each the fastest turn counts.", lower_bound=1)
ONLY = flags.DEFINE_list("only", [], "Of digits, dcgan, resnet; all unless given.")

PHOTO_PATCHES = """
from __gin__ import dynamic_registration
import tfgan_stab as tgs

include "gin_configs/updates/ttur.gin"
include "gin_configs/updates/alternating.gin"

tgs.train.generator = @tgs.networks.{network}_generator
tgs.train.discriminator = @tgs.networks.{network}_discriminator
tgs.train.data = @tgs.data.photo_patches()
tgs.data.photo_patches.size = 32
tgs.data.photo_patches.batch_size = {batch_size}
tgs.train.jit_compile = False
"""
# Gin files that exist, or what to write into one.
CONFIGURATIONS = {
    "digits": "gin_configs/runs/digits.gin",
    "dcgan": PHOTO_PATCHES.format(network="dcgan", batch_size=64),
    "resnet": PHOTO_PATCHES.format(network="resnet", batch_size=4),
}
LENGTH = ("tgs.train.epochs = 2", "tgs.train.steps_per_epoch = 15", "tgs.train.scores = []")
PROGRAM = """
import sys
from tfgan_stab.cli import common, main
common.import_tensorflow()
from tfgan_stab.cli.jobs.dry_run import peak_memory
before = peak_memory()
code = main.run("train", sys.argv)
print("bytes", before, peak_memory())
sys.exit(code)
"""


class Taken(NamedTuple):
    """What a process took: peak of memory and what of it came after the imports; seconds a step."""

    memory: float
    growth: float
    seconds: float


def taken(gin_file, *arguments):
    """Runs the command in a process of its own, and returns what it took."""
    settings = [f"--gin_param={setting}" for setting in LENGTH]
    command = [sys.executable, "-c", PROGRAM, f"--gin_file={gin_file}", *settings, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    before, peak = map(int, re.findall(r"bytes (\d+) (\d+)", done.stdout)[0])
    milliseconds = re.findall(r"([\d.e+]+) ms(?: a step here|/step)", done.stdout)[-1]
    return Taken(peak, peak - before, float(milliseconds) / 1e3)


def main(_):
    """Prints a row for each configuration."""
    print(f"{'':<8} {'memory':>17} {'growth':>17} {'ms a step':>19}   estimated / measured")
    for name in ONLY.value or CONFIGURATIONS:
        with tempfile.TemporaryDirectory() as folder:
            gin_file = CONFIGURATIONS[name]
            if not gin_file.endswith(".gin"):
                path = pathlib.Path(folder, f"{name}.gin")
                path.write_text(gin_file, encoding="utf-8")
                gin_file = str(path)
            turns = [
                (taken(gin_file, "--dry_run"), taken(gin_file, f"--workdir={folder}/{turn}"))
                for turn in range(TURNS.value)
            ]
        # Other programs on the machine only make a step slower, and take no memory of these.
        estimated, measured = (
            each[0]._replace(seconds=min(one.seconds for one in each))
            for each in zip(*turns, strict=True)
        )
        factors = [one / other for one, other in zip(estimated, measured, strict=True)]
        cells = [
            f"{one / unit:7.{digits}f} /{other / unit:7.{digits}f}"
            for one, other, unit, digits in zip(
                estimated, measured, (2**30, 2**30, 1e-3), (2, 2, 1), strict=True
            )
        ]
        print(
            f"{name:<8} {'  '.join(cells)}   {', '.join(f'{f:.2f}' for f in factors)}", flush=True
        )


if __name__ == "__main__":
    app.run(main)
