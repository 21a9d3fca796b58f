"""Kills and harms a small run in every way that comes to mind, and counts what it survives.

    .venv/bin/python scripts/chaos/run.py --rounds=20
    .venv/bin/python scripts/chaos/run.py --only=faults --match="disk full"
    .venv/bin/python scripts/chaos/run.py --only=soak --steps=20000

A run survives a kill if the same command then ends with what an undisturbed run ends with, to the
last bit: weights, averages, optimizers, scores, samples. Other faults may also stop it with a
message, after which the same command must end so. Filling disks needs the right to mount them.
"""

import argparse
import pathlib
import sys
import tempfile
import time

from faults import FAULTS, NotPossible, half_done, try_fault
from kills import kill_often
from small_run import undisturbed
from soak import soak


def report_kills(options, folder):
    tally = kill_often(folder, options.kills, options.seed)
    print("\n".join(tally.lines()))
    return tally.harmless == tally.kills


def report_faults(options, folder):
    undisturbed(folder / "whole")
    half_done(folder / "half")
    tried, wrong = 0, []
    for name in [each for each in FAULTS if options.match in each]:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            try:
                found = try_fault(name, folder / "whole", folder / "half", pathlib.Path(place))
            except NotPossible as error:
                print(f"{name}: not tried, {error}")
                continue
        tried += 1
        wrong += [name] if found else []
        print(f"{name}: {found or 'survived'}", flush=True)
    print(f"faults: survived {tried - len(wrong)} of {tried}")
    return not wrong


def report_soak(options, folder):
    figures = soak(folder, options.steps)
    print(figures)
    return figures.growth < 0.01 and figures.traces_after == figures.traces_before


PARTS = {"kills": report_kills, "faults": report_faults, "soak": report_soak}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", dest="kills", type=int, default=20, help="how many kills")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments")
    parser.add_argument("--steps", type=int, default=20_000, help="how long the soak is")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--match", default="", help="part of the names of the faults to try")
    options = parser.parse_args()
    good = True
    for part in [options.only] if options.only else PARTS:
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            good &= PARTS[part](options, pathlib.Path(folder))
    sys.exit(not good)


if __name__ == "__main__":
    main()
