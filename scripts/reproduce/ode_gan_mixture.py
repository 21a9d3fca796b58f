"""ODE-GAN on its mixture of 16 Gaussians, with and without its regularizer.

.venv/bin/python scripts/reproduce/ode_gan_mixture.py --output=runs/ode_gan_mixture

The setting of the notebook released with Qin et al. 2020, arXiv 2010.15040: 16 modes on a grid,
minibatches of 512 points with 32 of each mode, perceptrons with two layers of 25 units, plain
gradient steps of 0.1 for both players, weight 0.07, 30,000 steps. The notebook shows pictures and
prints no numbers: the measures here are ours. Departure: both players move jointly to each stage,
where the notebook freezes the other one.

Prints a table and appends it to `results.jsonl`, with a picture of the samples for each run.
"""

import json
import pathlib
import time

import keras
import numpy as np
from absl import app, flags
from pictures import draw_samples

import tfgan_stab as tgs
from tfgan_stab.evaluation.metrics.mixtures import mixture_quality

OUTPUT = flags.DEFINE_string("output", "runs/ode_gan_mixture", "Where results are written.")
SOLVERS = flags.DEFINE_list("solvers", ["rk4", "heun", "euler"], "Tableaus to integrate with.")
WEIGHTS = flags.DEFINE_list("weights", ["0.07", "0"], "Weights of the regularizer.")
SEEDS = flags.DEFINE_integer("seeds", 3, "How many seeds: 0, 1, ...", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 30_000, "Steps of each run.", lower_bound=100)
STEP_SIZE = flags.DEFINE_float("step_size", 0.1, "Both players' learning rate.")

SAMPLES = 10_000
STD = 0.02
NEAR = 0.25  # Closer than this to a center counts as its mode: half way to the next is 0.5.
SHARE = 0.005  # A mode with at least this share of the samples is covered.
STEPS_PER_CALL = 100


def initializer():
    """Returns Haiku's default: a normal of deviation 1 / sqrt(inputs), truncated at two of them.

    Keras corrects the deviation for the truncation; Haiku does not.
    """
    truncated_deviation = 0.87962566103423978
    return keras.initializers.VarianceScaling(truncated_deviation**2, "fan_in", "truncated_normal")


def train(solver, weight, seed):
    """Returns a trained GAN, the mixture's centers, and the history of `fit`."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    data = tgs.data.mixture(batch_size=512, seed=seed, modes=16, std=STD, stratified=True)
    gan = tgs.GAN(
        tgs.networks.mlp_generator(latents=32, width=25, initializer=initializer()),
        tgs.networks.mlp_discriminator(width=25, initializer=initializer()),
        latents=32,
    )
    gan.compile(
        keras.optimizers.SGD(STEP_SIZE.value),
        keras.optimizers.SGD(STEP_SIZE.value),
        loss="non_saturating",
        scheme=tgs.RungeKutta(solver),
        penalties=[tgs.GeneratorGradientNorm(weight)] if weight else [],
        jit_compile=False,  # On networks this small the plain graph is faster.
        seed=seed,
        steps_per_execution=STEPS_PER_CALL,
    )
    history = gan.fit(
        data,
        steps_per_epoch=STEPS.value // 10,
        epochs=10,
        callbacks=[keras.callbacks.TerminateOnNaN()],
        verbose=0,
    )
    return gan, data.modes, history.history


def measured(samples, centers):
    """Returns how many modes are covered, and the share of samples near any mode."""
    found = mixture_quality(samples, centers, STD, reach=NEAR / STD, least_share=SHARE)
    return {
        "modes": found.modes,
        "near": found.high_quality,
        "within_3_std": mixture_quality(samples, centers, STD, reach=3).high_quality,
    }


def run(solver, weight, seed, output):
    """Trains once; returns the results."""
    start = time.monotonic()
    gan, centers, history = train(solver, weight, seed)
    samples = gan.sample(SAMPLES, seed=seed)
    finite = bool(np.isfinite(samples).all())
    result = {
        "solver": solver,
        "weight": weight,
        "seed": seed,
        "steps": gan.steps,
        "field_evaluations": gan.steps * gan.scheme.evaluations,
        "step_size": STEP_SIZE.value,
        "finite": finite,
        "generator_loss": history["generator_loss"][-1],
        "discriminator_loss": history["discriminator_loss"][-1],
        "seconds": round(time.monotonic() - start, 1),
        **(measured(samples, centers) if finite else {"modes": 0, "near": 0, "within_3_std": 0}),
    }
    title = f"{solver}, weight {weight}, seed {seed}"
    draw_samples(samples, centers, 2.2, title, output / f"{solver}-{weight}-{seed}.png")
    return result


def main(argv):
    """Trains everything and prints the table as it grows."""
    del argv
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    print(
        f"{'solver':8}{'weight':>8}{'seed':>6}{'modes':>7}{'near':>7}{'3 std':>7}"
        f"{'loss G':>8}{'loss D':>8}{'evaluations':>13}{'seconds':>9}"
    )
    with (output / "results.jsonl").open("a", encoding="utf-8") as file:
        for solver in SOLVERS.value:
            for weight in map(float, WEIGHTS.value):
                for seed in range(SEEDS.value):
                    result = run(solver, weight, seed, output)
                    file.write(json.dumps(result) + "\n")
                    file.flush()
                    print(
                        f"{solver:8}{weight:8}{seed:6}{result['modes']:7}{result['near']:7.2f}"
                        f"{result['within_3_std']:7.2f}{result['generator_loss']:8.3f}"
                        f"{result['discriminator_loss']:8.3f}{result['field_evaluations']:13}"
                        f"{result['seconds']:9}",
                        flush=True,
                    )


if __name__ == "__main__":
    app.run(main)
