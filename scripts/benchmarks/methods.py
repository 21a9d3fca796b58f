"""What averages, top-k and penalties cost beside a plain step of a DCGAN.

.venv/bin/python scripts/benchmarks/methods.py

Times blocks of steps with each method and without any, turn by turn in one process, and prints
medians of the quotients within a turn, so that a slow moment of the machine counts for both.
"""

import statistics
import time

import keras
import tensorflow as tf
from absl import app, flags

import tfgan_stab as tgs

SIZE = flags.DEFINE_integer("image_size", 32, "Height and width of the images.")
WIDTH = flags.DEFINE_integer("width", 32, "Channels of the layers next to the images.")
BATCH = flags.DEFINE_integer("batch_size", 64, "Images per minibatch.")
TURNS = flags.DEFINE_integer("turns", 9, "How often everything is timed.", lower_bound=3)
STEPS = flags.DEFINE_integer("steps", 16, "Steps in a block: lazy penalties come once.")
ONLY = flags.DEFINE_list("only", [], "Names of methods to time; all unless given.")

HALF = {"decay": 0.5, "every": 1, "floor": 0.5}
EMA = {f"ema_{i}": tgs.ExponentialAverage(decay) for i, decay in enumerate((0.99, 0.999, 0.9999))}

# Name: (settings of `compile`, the method it is compared with, the goal for the quotient).
METHODS = {
    "plain": ({}, None, None),
    "one average": ({"averages": {"ema": tgs.ExponentialAverage(0.999)}}, "plain", 1.02),
    "three averages": ({"averages": EMA}, "plain", 1.05),
    "top-k full": ({"top_k": tgs.TopK(**HALF)}, "plain", 1.01),
    "R1": ({"penalties": [tgs.R1(10.0)]}, "plain", 2.2),
    "R1 every 16 steps": ({"penalties": [tgs.R1(10.0, interval=16)]}, "plain", 1.15),
    "plain without XLA": ({"jit_compile": False}, "plain", None),
    "R1 every 16 without XLA": (
        {"penalties": [tgs.R1(10.0, interval=16)], "jit_compile": False},
        "plain without XLA",
        1.15,
    ),
    "gradient penalty": ({"penalties": [tgs.GradientPenalty()]}, "plain", None),
    "top-k full without XLA": (
        {"jit_compile": False, "top_k": tgs.TopK(**HALF)},
        "plain without XLA",
        1.01,
    ),
    "top-k selected": (
        {"top_k": tgs.TopK(**HALF, compute="selected", with_batch_norm=True)},
        "plain without XLA",
        0.9,
    ),
}


def make(settings):
    """Returns a compiled GAN of the same networks for each method."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    networks = tgs.networks
    gan = tgs.GAN(
        networks.dcgan_generator(SIZE.value, 3, latents=64, width=WIDTH.value),
        networks.dcgan_discriminator(SIZE.value, 3, width=WIDTH.value),
        latents=64,
    )
    gan.compile(
        keras.optimizers.Adam(1e-4, beta_1=0.5), keras.optimizers.Adam(1e-4, beta_1=0.5), **settings
    )
    return gan


def block_of(gan, images):
    """Returns a function that plays a block of steps, compiled as `fit` compiles them."""
    whole = gan.compilation.scope == "step"
    step = tf.function(gan.train_step, autograph=False, jit_compile=whole or None)

    def play():
        for _ in range(STEPS.value):
            logs = step(images)
        return logs["generator_loss"].numpy()

    return play


def seconds(function):
    """Returns how long a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main(argv):
    """Prints a table."""
    del argv
    images = tf.random.stateless_uniform(
        [BATCH.value, SIZE.value, SIZE.value, 3], [1, 1], -1.0, 1.0
    )
    chosen = {name: METHODS[name] for name in ONLY.value or METHODS}
    gans = {name: make(settings) for name, (settings, _, _) in chosen.items()}
    timed = {name: block_of(gan, images) for name, gan in gans.items()}
    first = {name: seconds(function) for name, function in timed.items()}
    turns = {name: [] for name in timed}
    for _ in range(TURNS.value):
        for name, function in timed.items():
            turns[name].append(seconds(function))
    print(f"{'method':26}{'XLA':>7}{'first s':>9}{'ms/step':>10}{'ratio':>8}{'spread':>16}  goal")
    for name, (_, against, goal) in chosen.items():
        line = f"{name:26}{gans[name].compilation.scope:>7}{first[name]:9.1f}"
        line += f"{1e3 * statistics.median(turns[name]) / STEPS.value:10.1f}"
        if against in turns:
            pairs = zip(turns[name], turns[against], strict=True)
            ratios = sorted(a / b for a, b in pairs)
            line += f"{statistics.median(ratios):8.3f}{ratios[0]:8.3f}{ratios[-1]:8.3f}"
            line += f"  {goal if goal else '':>4}"
        print(line)


if __name__ == "__main__":
    app.run(main)
