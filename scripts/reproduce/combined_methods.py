"""Combinations of methods that no paper tries, at equal cost, on the digits and on a mixture.

.venv/bin/python scripts/reproduce/combined_methods.py --output=runs/combined

Trains each recipe of `gin_configs/combined/` with several seeds. A run ends after `--evaluations`
field evaluations, whatever a step of its scheme costs; where a recipe's settings count epochs, 20
epochs are the whole run. On the digits the score is FID with the digits' own features, 5,000
samples; on the mixture, the share of 10,000 samples within four standard deviations of a mode, and
the modes that have such a sample. Both of the trained and of the averaged weights.

Each run appends a line to `results.jsonl`; runs that are there already are not repeated, so that
the same command goes on where it was stopped. In the end it prints a table.
"""

import collections
import json
import pathlib
import time

import keras
import numpy as np
from absl import app, flags

import tfgan_stab as tgs
from tfgan_stab.cli.config import gin
from tfgan_stab.cli.jobs.train import build
from tfgan_stab.evaluation.metrics.mixtures import mixture_quality

DATA = ["digits", "mixture25"]
RECIPES = ["adam", "lookahead_extragradient_top_k", "rk4_top_k"]
OUTPUT = flags.DEFINE_string("output", "runs/combined", "Where results are written.")
ON = flags.DEFINE_multi_enum("data", DATA, DATA, "What to train on; all unless given.")
CHOSEN = flags.DEFINE_multi_enum("recipes", RECIPES, RECIPES, "What to train; all unless given.")
SEEDS = flags.DEFINE_integer("seeds", 5, "How many seeds: 0, 1, ...", lower_bound=1)
BUDGET = flags.DEFINE_integer(
    "evaluations",
    0,
    "Field evaluations of a run; 8,000 on digits, 20,000 on the mixture unless given.",
    lower_bound=0,
)

BUDGETS = {"digits": 8_000, "mixture25": 20_000}
EPOCHS = 20
FID_SAMPLES, POINTS = 5_000, 10_000
REACH = 4  # Standard deviations.


def train(data, recipe, seed, budget):
    """Returns a trained GAN and its data."""
    keras.backend.clear_session()
    gin.parse([f"gin_configs/combined/{data}_{recipe}.gin"], [f"seed = {seed}"])
    names = [
        *("generator", "discriminator", "latents", "seed", "generator_optimizer"),
        *("discriminator_optimizer", "loss", "scheme", "penalties", "top_k", "averages"),
        *("jit_compile", "data"),
    ]
    settings = gin.arguments(tgs.train, names)
    batches = settings.pop("data")
    gan = build(**settings)
    steps = budget // gan.scheme.evaluations
    guard = keras.callbacks.TerminateOnNaN()
    per_epoch = max(1, steps // EPOCHS)
    epochs = min(EPOCHS, steps)
    gan.fit(batches, epochs=epochs, steps_per_epoch=per_epoch, callbacks=[guard], verbose=0)
    return gan, batches


def scores(gan, data, batches, seed):
    """Returns what is measured, of the trained weights and of the averaged ones."""
    found = {}
    for weights in ("live", "ema"):
        if data == "digits":
            fid = tgs.FID("digits", batches, samples=FID_SAMPLES, seed=seed)
            samples = gan.sample(FID_SAMPLES, weights=weights, seed=seed)
            finite = bool(np.isfinite(samples).all())
            found[f"fid_{weights}"] = float(fid([samples]).value) if finite else None
        else:
            samples = np.asarray(gan.sample(POINTS, weights=weights, seed=seed))
            finite = bool(np.isfinite(samples).all())
            quality = mixture_quality(samples, batches.modes, batches.std, reach=REACH)
            found[f"high_quality_{weights}"] = 100.0 * quality.high_quality if finite else None
            found[f"modes_{weights}"] = quality.modes if finite else None
    return found


def run(data, recipe, seed, budget):
    """Trains once; returns the results."""
    start = time.monotonic()
    gan, batches = train(data, recipe, seed, budget)
    trained = time.monotonic()
    return {
        "data": data,
        "recipe": recipe,
        "seed": seed,
        "budget": budget,
        "steps": gan.steps,
        "field_evaluations": gan.steps * gan.scheme.evaluations,
        "images_seen": gan.images_seen,
        "scheme": repr(gan.scheme),
        "top_k": repr(gan.top_k),
        "seconds": round(trained - start, 1),
        **scores(gan, data, batches, seed),
    }


def table(results):
    """Returns a line for each recipe and score: mean and standard deviation over the seeds."""
    groups = collections.defaultdict(list)
    for result in results:
        for name, value in result.items():
            if name.startswith(("fid_", "high_quality_", "modes_")):
                key = (result["data"], result["budget"], name, result["recipe"])
                groups[key].append(value)
    lines = [
        f"{'data':10}{'evaluations':>12} {'score':19}{'recipe':32}{'seeds':>6}{'mean +- std':>18}"
    ]
    for (data, budget, name, recipe), values in sorted(groups.items()):
        known = np.array([value for value in values if value is not None])
        spread = f"{known.std(ddof=1):.2f}" if len(known) > 1 else "-"
        cell = f"{known.mean():.2f} +- {spread}" if len(known) else "-"
        failed = f"  {len(values) - len(known)} not finite" if len(known) < len(values) else ""
        lines.append(f"{data:10}{budget:12} {name:19}{recipe:32}{len(values):6}{cell:>18}{failed}")
    return "\n".join(lines)


def main(argv):
    """Trains what is missing and prints the table as it grows."""
    del argv
    path = pathlib.Path(OUTPUT.value) / "results.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    results = [json.loads(line) for line in known]
    done = {tuple(r[key] for key in ("data", "recipe", "seed", "budget")) for r in results}
    for seed in range(SEEDS.value):
        for data in ON.value:
            for recipe in CHOSEN.value:
                case = (data, recipe, seed, BUDGET.value or BUDGETS[data])
                if case not in done:
                    results.append(run(*case))
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(results[-1]) + "\n")
                    print(json.dumps(results[-1]), flush=True)
    print(table(results))


if __name__ == "__main__":
    app.run(main)
