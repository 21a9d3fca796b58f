"""What averages, top-k and penalties cost beside a plain step of a DCGAN.

.venv/bin/python scripts/benchmarks/methods.py

Times blocks of steps with each method and without any, and prints medians of the ratios.
"""

import statistics

from absl import app, flags
from steps import in_turns, make, make_images, ratios, steps_of

import tfgan_stab as tgs

TURNS = flags.DEFINE_integer("turns", 9, "How often everything is timed.", lower_bound=3)
STEPS = flags.DEFINE_integer("steps", 16, "Steps in a block: lazy penalties come once.")
ONLY = flags.DEFINE_list("only", [], "Names of methods to time; all unless given.")

HALF = tgs.TopK(decay=0.5, every=1, floor=0.5)
EMA = {f"ema_{i}": tgs.ExponentialAverage(decay) for i, decay in enumerate((0.99, 0.999, 0.9999))}

# Name: (settings of `compile`, the method it is compared with, the goal for the ratio).
METHODS = {
    "plain": ({}, None, None),
    "one average": ({"averages": {"ema": tgs.ExponentialAverage(0.999)}}, "plain", 1.02),
    "three averages": ({"averages": EMA}, "plain", 1.05),
    "top-k": ({"top_k": HALF}, "plain", 1.01),
    "R1": ({"penalties": [tgs.R1(10.0)]}, "plain", 2.2),
    "R1 every 16 steps": ({"penalties": [tgs.R1(10.0, interval=16)]}, "plain", 1.15),
    "gradient penalty": ({"penalties": [tgs.GradientPenalty()]}, "plain", None),
    "plain without XLA": ({"jit_compile": False}, "plain", None),
    "top-k without XLA": ({"jit_compile": False, "top_k": HALF}, "plain without XLA", 1.01),
    "R1 every 16 without XLA": (
        {"penalties": [tgs.R1(10.0, interval=16)], "jit_compile": False},
        "plain without XLA",
        1.15,
    ),
}


@flags.validator("only", message=f"--only takes names among: {', '.join(METHODS)}.")
def known_methods(names):
    return set(names) <= set(METHODS)


def main(argv):
    """Prints a table."""
    del argv
    images = make_images()
    chosen = {name: METHODS[name] for name in ONLY.value or METHODS}
    gans = {name: make(**settings) for name, (settings, _, _) in chosen.items()}
    blocks = {name: steps_of(gan, images, STEPS.value) for name, gan in gans.items()}
    first, later = in_turns(blocks, TURNS.value)
    print(
        f"{'method':26}{'XLA':>7}{'first s':>9}{'ms/step':>10}{'ratio':>8}{'min':>8}{'max':>8}"
        "  goal"
    )
    for name, (_, reference, goal) in chosen.items():
        line = f"{name:26}{gans[name].compilation.scope:>7}{first[name]:9.1f}"
        line += f"{1e3 * statistics.median(later[name]) / STEPS.value:10.1f}"
        if reference in later:
            own = ratios(later[name], later[reference])
            line += f"{statistics.median(own):8.3f}{own[0]:8.3f}{own[-1]:8.3f}"
            line += f"  {goal if goal else '':>4}"
        print(line)


if __name__ == "__main__":
    app.run(main)
