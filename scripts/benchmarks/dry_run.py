"""Compares what `train.py --dry_run` estimates with a run of 30 steps, and prints the factors.

    .venv/bin/python scripts/benchmarks/dry_run.py
    .venv/bin/python scripts/benchmarks/dry_run.py --only=digits

Recipes are run as the line `Try:` of their headers says: on photographs, some with narrow networks.

Each estimate and each run has a process of its own. Memory is compared whole, and as what was added
to a process that has imported TensorFlow; time by the steps of the run's second epoch, since the
first one builds the graphs. Two turns each, one after the other, of which the faster one counts.
"""

import re
import shlex
import subprocess
import sys
import tempfile
from typing import NamedTuple

from absl import app, flags

from tfgan_stab.cli.jobs.recipes import all_recipes

TURNS = flags.DEFINE_integer("turns", 2, "Of each the fastest turn counts.", lower_bound=1)
ONLY = flags.DEFINE_list("only", [], "Of those it knows; all unless given.")

RECIPES = ("ttur/cifar10_dcgan", "lookahead/mnist_dcgan_la_altgan", "top_k/cifar10_biggan")
# Flags of the lines `Try:` that are replaced, or have no effect without scores.
LEFT_OUT = re.compile(r"--workdir=|--gin_param=(epochs|steps_per_epoch|score_\w+) ?=")
PLAIN = "tgs.train.jit_compile = False"  # A run would compare with XLA in its first batch.
LENGTH = ("tgs.train.epochs = 2", "tgs.train.steps_per_epoch = 15", "tgs.train.scores = []", PLAIN)
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


def configurations():
    """Returns the flags of each run, by name."""
    tried = {each.name: shlex.split(each.fields["Try"])[1:] for each in all_recipes()}
    return {
        "digits": ["--gin_file=gin_configs/runs/digits.gin"],
        **{name: [f for f in tried[name] if not LEFT_OUT.match(f)] for name in RECIPES},
    }


def taken(*arguments):
    """Runs the command in a process of its own, and returns what it took."""
    settings = [f"--gin_param={setting}" for setting in LENGTH]
    command = [sys.executable, "-c", PROGRAM, *arguments, *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    before, peak = map(int, re.findall(r"bytes (\d+) (\d+)", done.stdout)[0])
    milliseconds = re.findall(r"([\d.e+]+) ms(?: a step here|/step)", done.stdout)[-1]
    return Taken(peak, peak - before, float(milliseconds) / 1e3)


def main(_):
    """Prints a row for each configuration."""
    known = configurations()
    print(f"{'':<31} {'memory':>17} {'growth':>17} {'ms a step':>19}   estimated / measured")
    for name in ONLY.value or known:
        with tempfile.TemporaryDirectory() as folder:
            turns = [
                (
                    taken(*known[name], "--dry_run"),
                    taken(*known[name], f"--workdir={folder}/{turn}"),
                )
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
            f"{name:<31} {'  '.join(cells)}   {', '.join(f'{f:.2f}' for f in factors)}", flush=True
        )


if __name__ == "__main__":
    app.run(main)
