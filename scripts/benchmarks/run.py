"""Measures how fast training is, in turns on this machine, and writes a table and JSON.

    .venv/bin/python scripts/benchmarks/run.py
    .venv/bin/python scripts/benchmarks/run.py --only=peers,memory --output=/tmp/figures

Each figure has a process of its own. With `--only`, the other figures of an earlier run are kept;
sections that were written below the table always are.
Contenders take turns, and are compared within a turn, so that a slow moment of the machine counts
for all. PyTorch takes part where it is installed; its process waits in between.
"""

import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from absl import app, flags
from figures import FIGURES, Row

import tfgan_stab as tgs

TURNS = flags.DEFINE_integer("turns", 9, "Turns of each contender.", lower_bound=2)
SECONDS = flags.DEFINE_float(
    "seconds", 2.0, "About how long a turn of one contender takes: one `fit`, say."
)
ONLY = flags.DEFINE_list("only", [], f"Of {', '.join(FIGURES)}; all unless given.")
SINGLE = flags.DEFINE_bool("single", False, "Measure in this process; used by this program.")
OUTPUT = flags.DEFINE_string("output", "docs/benchmarks", "The files' name, without .md and .json.")


@flags.validator("only", message=f"--only takes names among: {', '.join(FIGURES)}.")
def known_figures(names):
    return set(names) <= set(FIGURES)


def machine():
    """Returns what the figures were measured on."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {
        "date": datetime.date.today().isoformat(),
        "processor": ", ".join(sorted(models)) or platform.processor(),
        "cores": os.cpu_count(),
        "accelerators": [
            d.name for d in tf.config.list_physical_devices() if d.device_type != "CPU"
        ],
        "tfgan_stab": tgs.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }


def target_of(row):
    """Returns how the table says what is wanted."""
    if row.target is None:
        return ""
    sign = "at least" if row.target < 0 else "at most"
    return f"{sign} {abs(row.target)}"


def known(path):
    """Returns the rows of an earlier run, by the name of what they belong to."""
    if not path.is_file():
        return {}
    groups = json.loads(path.read_text())["figures"]
    return {name: [Row(**each) for each in rows] for name, rows in groups.items()}


def table(facts, groups):
    """Returns the page."""
    lines = [
        "# Benchmarks",
        "",
        f"Measured on {facts['date']} by `scripts/benchmarks/run.py` on {facts['cores']} cores "
        f"({facts['processor']}), {', '.join(facts['accelerators']) or 'no accelerator'}; "
        f"TensorFlow {facts['tensorflow']}, Keras {facts['keras']}. Ratios are medians over turns, "
        "in brackets the middle half of the turns, which shows how far to trust them; *fastest* is "
        "the ratio of the fastest turns, which other programs on the machine disturb least. A "
        "target is met if both are.",
        "",
        "| figure | measured | fastest | target | met | milliseconds, medians |",
        "|---|---|---|---|---|---|",
    ]
    for row in (row for name in FIGURES for row in groups.get(name, [])):
        times = ", ".join(f"{name} {value:.3g}" for name, value in row.milliseconds.items())
        met = "" if row.is_met is None else ("yes" if all(row.is_met) else "no")
        met = "only by the fastest" if row.is_met == [False, True] else met
        note = f" ({row.note})" if row.note else ""
        measured = f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]"
        cells = [f"{row.figure}{note}", measured, f"{row.fastest:.3g}", target_of(row), met, times]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def notes(path):
    """Returns what people wrote below the figures of an earlier run: its sections."""
    text = path.read_text() if path.is_file() else ""
    return "".join(text.partition("\n## ")[1:])


def draw_growth(rows, path):
    """Draws the time of a step by what grows, with the line that was fitted."""
    figure, panels = plt.subplots(1, len(rows), figsize=(3.2 * len(rows), 2.8), layout="tight")
    for panel, row in zip(panels, rows, strict=True):
        x, y = np.array([(float(name), time) for name, time in row.milliseconds.items()]).T
        panel.plot(x, y, "o", color="C0")
        panel.plot(x, np.polyval(np.polyfit(x, y, 1, w=1 / y), x), color="C1")
        low, high = f"{row.low - 1:+.0%}", f"{row.high - 1:+.0%}"
        panel.set(
            xlabel=row.figure.removeprefix("step by "), title=f"{low} to {high}", ylim=(0, None)
        )
    panels[0].set_ylabel("milliseconds a step, fastest")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def measured(name):
    """Returns the rows of a figure, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        flags_given = [
            f"--turns={TURNS.value}",
            f"--seconds={SECONDS.value}",
            f"--output={folder}/a",
        ]
        command = [sys.executable, __file__, "--single", f"--only={name}", *flags_given]
        subprocess.run(command, check=True)
        return json.loads(pathlib.Path(f"{folder}/a.json").read_text())["figures"][name]


def main(argv):
    """Prints each figure as it is measured, and writes both files after each."""
    del argv
    paths = {kind: pathlib.Path(f"{OUTPUT.value}.{kind}") for kind in ("json", "md")}
    facts, groups = machine(), known(paths["json"]) if ONLY.value else {}
    for name in ONLY.value or FIGURES:
        if SINGLE.value:
            groups[name] = list(FIGURES[name](TURNS.value, SECONDS.value))
        else:
            groups[name] = [Row(**row) for row in measured(name)]
            print(table(facts, {name: groups[name]}).splitlines()[-1], flush=True)
        figures = {each: [vars(row) for row in rows] for each, rows in groups.items()}
        text = json.dumps({"machine": facts, "figures": figures}, indent=2) + "\n"
        paths["json"].write_text(text)
        page = table(facts, groups)
        if "growth" in groups:
            picture = pathlib.Path("images", f"{paths['md'].stem}_growth.png")
            draw_growth(groups["growth"], paths["md"].parent / picture)
            page += f"\n![Time of a step by batch, width and penalties]({picture})\n"
        paths["md"].write_text(page + notes(paths["md"]))


if __name__ == "__main__":
    app.run(main)
