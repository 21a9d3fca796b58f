"""What an update scheme costs beside its field evaluations.

.venv/bin/python scripts/benchmarks/schemes.py

Times one step of each scheme, and the bare compiled field of the same networks on the same
minibatch, and prints medians: the time of a step over evaluations times the time of the field. Then
it times how long the first step takes to trace and compile.
"""

import statistics

import tensorflow as tf
from absl import app, flags
from steps import LATENTS, in_turns, make, make_images, ratios, seconds, steps_of

import tfgan_stab as tgs
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution

TURNS = flags.DEFINE_integer("turns", 15, "How often everything is timed.", lower_bound=3)
XLA = flags.DEFINE_enum("xla", "auto", ["auto", "on", "off"], "Whether XLA compiles.")

SCHEMES = {
    "simultaneous": tgs.Simultaneous(),
    "lookahead(simultaneous)": tgs.Lookahead(tgs.Simultaneous(), sync_period=5),
    "heun": tgs.RungeKutta(tgs.HEUN),
    "rk4": tgs.RungeKutta(tgs.RK4),
    "extragradient": tgs.Extragradient(),
    "optimistic": tgs.OptimisticGradient(),
}
COMPILED = {"euler": tgs.RungeKutta(tgs.EULER), "rk4": tgs.RungeKutta(tgs.RK4)}
FIELD = "bare field"


def make_for(scheme):
    """Returns a GAN that a scheme trains."""
    return make(scheme=scheme, jit_compile={"auto": "auto", "on": True, "off": False}[XLA.value])


def bare_field_of(gan, images):
    """Returns a function that evaluates the bare field, compiled as in a step."""
    compiled = gan.compilation.scope != "off"
    field = tf.function(gan.game, autograph=False, jit_compile=compiled or None)
    networks = (gan.generator, gan.discriminator)
    params = Players(*(distribution.read(n.trainable_variables) for n in networks))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in networks))
    minibatch = Minibatch(images, None, tf.random.stateless_normal([len(images), LATENTS], [0, 0]))
    return lambda: field(params, state, minibatch).gradients.generator[0].numpy()


def compare_steps(images):
    """Prints what each scheme's step takes, over its evaluations of the field."""
    gans = {name: make_for(scheme) for name, scheme in SCHEMES.items()}
    functions = {name: steps_of(gan, images) for name, gan in gans.items()}
    functions[FIELD] = bare_field_of(gans["simultaneous"], images)
    first, later = in_turns(functions, TURNS.value)
    medians = {name: statistics.median(times) for name, times in later.items()}
    print(f"{FIELD}: median {1e3 * medians[FIELD]:.1f} ms of {TURNS.value} turns")
    print(
        f"{'scheme':26}{'XLA':>7}{'evaluations':>13}{'ms/step':>10}{'min':>8}{'max':>8}{'ratio':>8}"
    )
    for name, scheme in SCHEMES.items():
        least, most = 1e3 * min(later[name]), 1e3 * max(later[name])
        ratio = statistics.median(ratios(later[name], later[FIELD])) / scheme.evaluations
        print(
            f"{name:26}{gans[name].compilation.scope:>7}{scheme.evaluations:13}"
            f"{1e3 * medians[name]:10.1f}{least:8.1f}{most:8.1f}{ratio:8.3f}"
        )
    over_inner = ratios(later["lookahead(simultaneous)"], later["simultaneous"])
    print(f"lookahead over its inner scheme: {statistics.median(over_inner):.3f}")
    print("first step, tracing and compiling:")
    for name in SCHEMES:
        print(f"{name:26}{first[name] - medians[name]:8.2f} s")


def compare_compilation(images):
    """Prints how much longer a step of four evaluations compiles than one of a single one."""
    times = {name: [] for name in COMPILED}
    for _ in range(3):
        for name, scheme in COMPILED.items():
            step = steps_of(make_for(scheme), images)
            times[name].append(seconds(step) - seconds(step))
    euler, rk4 = (statistics.median(times[name]) for name in ("euler", "rk4"))
    print(f"rk4 over euler, medians of 3: {rk4 / euler:.2f}")


def main(argv):
    """Prints both comparisons."""
    del argv
    images = make_images()
    compare_steps(images)
    compare_compilation(images)


if __name__ == "__main__":
    app.run(main)
