"""What an update scheme costs beside its field evaluations.

.venv/bin/python scripts/benchmarks/schemes.py

Times one step of each scheme, and the bare compiled field of the same networks on the same batch,
turn by turn in one process, and prints medians: the time of a step over evaluations times the time
of the field. Then it times how long the first step takes to trace and compile.
"""

import statistics
import time

import keras
import tensorflow as tf
from absl import app, flags

import tfgan_stab as tgs
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution

SIZE = flags.DEFINE_integer("image_size", 32, "Height and width of the images.")
WIDTH = flags.DEFINE_integer("width", 32, "Channels of the layers next to the images.")
BATCH = flags.DEFINE_integer("batch_size", 64, "Images per minibatch.")
TURNS = flags.DEFINE_integer("turns", 15, "How often everything is timed.", lower_bound=3)
XLA = flags.DEFINE_enum("xla", "auto", ["auto", "on", "off"], "Whether XLA compiles.")

EULER = tgs.RungeKutta(tgs.EULER)
SCHEMES = {
    "simultaneous": tgs.Simultaneous(),
    "lookahead(simultaneous)": tgs.Lookahead(tgs.Simultaneous(), sync_period=5),
    "heun": tgs.RungeKutta(tgs.HEUN),
    "rk4": tgs.RungeKutta(tgs.RK4),
    "extragradient": tgs.Extragradient(),
    "optimistic": tgs.OptimisticGradient(),
}


def make(scheme):
    """Returns a compiled GAN of the same networks for each scheme."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    networks = tgs.networks
    gan = tgs.GAN(
        networks.dcgan_generator(SIZE.value, 3, latents=64, width=WIDTH.value),
        networks.dcgan_discriminator(SIZE.value, 3, width=WIDTH.value),
        latents=64,
    )
    gan.compile(
        keras.optimizers.Adam(1e-4, beta_1=0.5),
        keras.optimizers.Adam(1e-4, beta_1=0.5),
        scheme=scheme,
        jit_compile={"auto": "auto", "on": True, "off": False}[XLA.value],
    )
    return gan


def step_of(gan, images):
    """Returns a function that plays one step, compiled as `fit` compiles it."""
    whole = gan.compilation.scope == "step"
    step = tf.function(gan.train_step, autograph=False, jit_compile=whole or None)
    return lambda: step(images)["generator_loss"].numpy()


def bare_field_of(gan, images):
    """Returns a function that evaluates the bare field, compiled as in a step."""
    compiled = gan.compilation.scope != "off"
    field = tf.function(gan.adversarial, autograph=False, jit_compile=compiled or None)
    networks = (gan.generator, gan.discriminator)
    params = Players(*(distribution.read(n.trainable_variables) for n in networks))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in networks))
    batch = Batch(images, None, tf.random.stateless_normal([len(images), 64], [0, 0]))
    return lambda: field(params, state, batch).slopes.generator[0].numpy()


def seconds(function):
    """Returns how long a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main(argv):
    """Prints both tables."""
    del argv
    images = tf.random.stateless_uniform(
        [BATCH.value, SIZE.value, SIZE.value, 3], [1, 1], -1.0, 1.0
    )
    gans = {name: make(scheme) for name, scheme in SCHEMES.items()}
    timed = {name: step_of(gan, images) for name, gan in gans.items()}
    timed["bare field"] = bare_field_of(gans["simultaneous"], images)
    first = {name: seconds(function) for name, function in timed.items()}
    turns = {name: [] for name in timed}
    for _ in range(TURNS.value):
        for name, function in timed.items():
            turns[name].append(seconds(function))
    field = statistics.median(turns["bare field"])
    print(f"bare field: median {1e3 * field:.1f} ms of {TURNS.value} turns")
    print(
        f"{'scheme':26}{'XLA':>7}{'evaluations':>13}{'ms/step':>10}{'min':>8}{'max':>8}{'ratio':>8}"
    )
    for name, scheme in SCHEMES.items():
        own = turns[name]
        # Each turn's own field, so that a slow moment of the machine counts for both.
        pairs = zip(own, turns["bare field"], strict=True)
        ratio = statistics.median(r / (scheme.evaluations * f) for r, f in pairs)
        print(
            f"{name:26}{gans[name].compilation.scope:>7}{scheme.evaluations:13}"
            f"{1e3 * statistics.median(own):10.1f}{1e3 * min(own):8.1f}{1e3 * max(own):8.1f}"
            f"{ratio:8.3f}"
        )
    pairs = zip(turns["lookahead(simultaneous)"], turns["simultaneous"], strict=True)
    print(f"lookahead over its inner scheme: {statistics.median(a / b for a, b in pairs):.3f}")
    print("first step, tracing and compiling:")
    for name in SCHEMES:
        extra = first[name] - statistics.median(turns[name])
        print(f"{name:26}{extra:8.2f} s")
    again = {"euler": EULER, "rk4": SCHEMES["rk4"]}
    compiling = {name: [] for name in again}
    for _ in range(3):
        for name, scheme in again.items():
            function = step_of(make(scheme), images)
            compiling[name].append(seconds(function) - seconds(function))
    medians = {name: statistics.median(values) for name, values in compiling.items()}
    print(f"rk4 over euler, medians of 3: {medians['rk4'] / medians['euler']:.2f}")


if __name__ == "__main__":
    app.run(main)
