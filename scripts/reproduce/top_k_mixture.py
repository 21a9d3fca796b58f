"""Top-k training on mixtures of 25, 64 or 100 Gaussians, beside the same training without it.

.venv/bin/python scripts/reproduce/top_k_mixture.py --output=runs/top_k_mixture

The setting of Sinha et al. 2020, arXiv 2002.06224 version 1, sections 4.1 and 4.2: an even grid of
Gaussians with standard deviation 0.05, perceptrons with 4 layers of 256 units, the non-saturating
loss, Adam with 1e-4, minibatches of 256, k times 0.99 every 2,000 steps down to 192, 100,000 steps.
Of 10,000 samples, those within 4 standard deviations of the nearest mode are of high quality; a
mode with such a sample is recovered. The paper gives no deviations and no number of runs.

Chosen here, since the paper does not say: noise from N(0, I) of 2 numbers and modes 1 apart, as in
an independent re-implementation; Adam's other settings as Keras has them; ReLU; 4 hidden layers.
Both players see the same noise in a step.

Prints the progress of each run and a table of means and standard deviations over the seeds, and
appends the results to `results.jsonl`, with a picture of the samples for each run.
"""

import collections
import json
import math
import pathlib
import time

import keras
import numpy as np
from absl import app, flags
from pictures import draw_samples

import tfgan_stab as tgs
from tfgan_stab.evaluation.metrics.mixtures import mixture_quality

OUTPUT = flags.DEFINE_string("output", "runs/top_k_mixture", "Where results are written.")
MODES = flags.DEFINE_list("modes", ["25"], "Numbers of Gaussians, square: 25, 64, 100.")
METHODS = flags.DEFINE_list("methods", ["baseline", "top_k"], "What to train: baseline, top_k.")
SEEDS = flags.DEFINE_integer("seeds", 3, "How many seeds.", lower_bound=1)
FIRST_SEED = flags.DEFINE_integer("first_seed", 0, "The first seed.", lower_bound=0)
STEPS = flags.DEFINE_integer("steps", 100_000, "Steps of each run.", lower_bound=1)
EVERY = flags.DEFINE_integer("decay_every", 2000, "Steps after which k shrinks.", lower_bound=1)
WIDTH = flags.DEFINE_integer("width", 256, "Units of each hidden layer.", lower_bound=1)
LATENTS = flags.DEFINE_integer("latents", 2, "Size of the noise.", lower_bound=1)
XLA = flags.DEFINE_boolean("xla", False, "Whether to compile steps with XLA.")
EVALUATIONS = flags.DEFINE_integer(
    "evaluations", 20, "How often each run is measured, as quality fluctuates.", lower_bound=1
)

BATCH = 256
STD = 0.05
SAMPLES = 10_000
REACH = 4  # Standard deviations.
STEPS_PER_CALL = 100


def train(method, modes, seed):
    """Returns a trained GAN, the mixture's centers, and the measurements on the way."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    data = tgs.data.mixture(batch_size=BATCH, seed=seed, modes=modes, std=STD, spacing=1.0)
    gan = tgs.GAN(
        tgs.networks.mlp_generator(latents=LATENTS.value, width=WIDTH.value, depth=4),
        tgs.networks.mlp_discriminator(width=WIDTH.value, depth=4),
        latents=LATENTS.value,
    )
    rule = tgs.TopK(decay=0.99, every=EVERY.value, floor=192)
    period = max(1, STEPS.value // EVALUATIONS.value)
    gan.compile(
        keras.optimizers.Adam(1e-4),
        keras.optimizers.Adam(1e-4),
        loss="non_saturating",
        top_k=rule if method == "top_k" else None,
        jit_compile=XLA.value,
        seed=seed,
        steps_per_execution=math.gcd(STEPS_PER_CALL, period),
    )
    measurements = Measurements(data.modes)
    gan.fit(
        data,
        steps_per_epoch=period,
        epochs=max(1, STEPS.value // period),
        callbacks=[keras.callbacks.TerminateOnNaN(), measurements],
        verbose=0,
    )
    return gan, data.modes, measurements.found


class Measurements(keras.callbacks.Callback):
    """Measures samples after each epoch, and prints the progress."""

    def __init__(self, centers):
        super().__init__()
        self.centers = centers
        self.found = []

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Measures, and prints a line."""
        samples = self.model.sample(SAMPLES, seed=epoch)
        now = {
            "steps": self.model.steps,
            "seconds": round(time.monotonic() - self._start, 1),
            **{name: float(value) for name, value in logs.items()},
            **measured(samples, self.centers),
        }
        self.found.append(now)
        print(
            f"  step {now['steps']:7}  k {now.get('top_k', BATCH):6.1f}  "
            f"high quality {now['high_quality']:6.1%}  modes {now['modes']:6.1%}  "
            f"loss G {now['generator_loss']:6.3f}  D {now['discriminator_loss']:6.3f}  "
            f"{now['steps'] / max(now['seconds'], 0.1):6.0f} steps/s",
            flush=True,
        )


def measured(samples, centers):
    """Returns the share of samples near a mode, and of modes with samples near them."""
    found = mixture_quality(samples, centers, STD, reach=REACH)
    return {"high_quality": found.high_quality, "modes": found.modes / len(centers)}


def run(method, modes, seed, output):
    """Trains once; returns the results."""
    print(f"{method}, {modes} modes, seed {seed}:", flush=True)
    gan, centers, found = train(method, modes, seed)
    samples = gan.sample(SAMPLES, seed=seed)
    title = f"{method}, {modes} modes, seed {seed}, {gan.steps} steps"
    edge = np.abs(centers).max() + 1
    draw_samples(samples, centers, edge, title, output / f"{method}-{modes}-{seed}.png")
    last = found[-1]
    # The mean of the last quarter fluctuates less than the last measurement alone.
    late = found[-max(1, len(found) // 4) :]
    return {
        "method": method,
        "modes_in_all": modes,
        "seed": seed,
        "steps": gan.steps,
        "width": WIDTH.value,
        "latents": LATENTS.value,
        "top_k": repr(gan.top_k),
        "high_quality": last["high_quality"],
        "modes": last["modes"],
        "late_high_quality": float(np.mean([each["high_quality"] for each in late])),
        "late_modes": float(np.mean([each["modes"] for each in late])),
        "seconds": last["seconds"],
        "measured": found,
    }


def table(results):
    """Returns means and standard deviations over seeds, in percent."""
    groups = collections.defaultdict(list)
    for result in results:
        groups[result["modes_in_all"], result["method"]].append(result)
    lines = [
        f"{'modes':>5} {'method':10}{'seeds':>6}{'high quality':>16}{'modes':>16}"
        f"{'quality, late':>16}{'modes, late':>16}"
    ]
    for (modes, method), own in groups.items():
        cells = [
            np.array([100 * result[name] for result in own])
            for name in ("high_quality", "modes", "late_high_quality", "late_modes")
        ]
        # One seed has no standard deviation.
        deviations = [f"{c.std(ddof=1):5.1f}" if len(c) > 1 else "    -" for c in cells]
        numbers = [f"{c.mean():8.1f} +-{d}" for c, d in zip(cells, deviations, strict=True)]
        lines.append(f"{modes:5} {method:10}{len(own):6}" + "".join(numbers))
    lines.append("Percent, mean +- standard deviation over seeds; late: mean of the last quarter.")
    return "\n".join(lines)


def main(argv):
    """Trains everything and prints the table."""
    del argv
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    results = []
    with (output / "results.jsonl").open("a", encoding="utf-8") as file:
        for modes in map(int, MODES.value):
            for seed in range(FIRST_SEED.value, FIRST_SEED.value + SEEDS.value):
                for method in METHODS.value:
                    results.append(run(method, modes, seed, output))
                    file.write(json.dumps(results[-1]) + "\n")
                    file.flush()
    print(table(results))


@flags.validator("methods", message="--methods takes baseline and top_k.")
def known_methods(methods):
    return bool(methods) and set(methods) <= {"baseline", "top_k"}


if __name__ == "__main__":
    app.run(main)
