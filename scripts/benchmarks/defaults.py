"""Settings that nobody chose against the better of both: the time of a step of `fit`.

Each program trains with `jit_compile` left alone, without XLA and with it. After a first `fit`, in
which "auto" decides, the three train in turns. The table has medians, and as noise the largest over
the smallest time of one setting. An "auto / better" of at most 1.05 is the target.

    .venv/bin/python scripts/benchmarks/defaults.py
"""

import os
import statistics
import tempfile
import time

import keras
import tensorflow as tf
from absl import app, flags

import tfgan_stab as tgs

TURNS = flags.DEFINE_integer("turns", 7, "Turns, after the first; the median counts.")
SECONDS = flags.DEFINE_float("seconds", 1.0, "About how long a turn of one setting takes.")
ONLY = flags.DEFINE_list("only", [], "Programs to run; all if empty.")

layers = keras.layers


def dcgan(size, width, batch, **settings):
    networks = (
        tgs.networks.dcgan_generator(size, 3, latents=64, width=width, base_size=min(4, size // 4)),
        tgs.networks.dcgan_discriminator(size, 3, width=width, base_size=min(4, size // 4)),
    )
    return networks, [batch, size, size, 3], settings


def readme(**settings):
    networks = (
        tgs.networks.dcgan_generator(8, 1, latents=64, base_size=2),
        tgs.networks.dcgan_discriminator(8, 1, base_size=2),
    )
    averages = {"ema": tgs.ExponentialAverage(0.999)}
    return networks, [64, 8, 8, 1], {"averages": averages, **settings}


def mlp(width, batch, **settings):
    networks = (
        tgs.networks.mlp_generator(latents=64, width=width, depth=4),
        tgs.networks.mlp_discriminator(width=width, depth=4),
    )
    return networks, [batch, 2], settings


def strided(**settings):
    """Three 5x5 convolutions with strides."""
    generator = [layers.Dense(4 * 4 * 64), layers.Reshape((4, 4, 64))]
    generator += [layers.Conv2DTranspose(c, 5, strides=2, padding="same") for c in (32, 16, 3)]
    discriminator = [
        layers.Conv2D(c, 5, strides=2, padding="same", activation="leaky_relu")
        for c in (32, 64, 128)
    ]
    networks = (
        keras.Sequential([keras.Input((64,)), *generator]),
        keras.Sequential(
            [keras.Input((32, 32, 3)), *discriminator, layers.Flatten(), layers.Dense(1)]
        ),
    )
    return networks, [64, 32, 32, 3], settings


def sequences(**settings):
    """One-dimensional convolutions."""
    generator = [layers.Dense(32 * 32), layers.Reshape((32, 32))]
    generator += [layers.Conv1D(32, 5, padding="same", activation="relu"), layers.Conv1D(8, 1)]
    discriminator = [
        layers.Conv1D(32, 5, padding="same", activation="leaky_relu") for _ in range(3)
    ]
    networks = (
        keras.Sequential([keras.Input((64,)), *generator]),
        keras.Sequential([keras.Input((32, 8)), *discriminator, layers.Flatten(), layers.Dense(1)]),
    )
    return networks, [64, 32, 8], settings


def attention(**settings):
    """A discriminator with an attention layer."""
    inputs = keras.Input((32, 8))
    hidden = layers.Dense(32)(inputs)
    hidden = layers.MultiHeadAttention(2, 16)(hidden, hidden)
    discriminator = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(hidden)))
    generator = keras.Sequential(
        [keras.Input((64,)), layers.Dense(32 * 8), layers.Reshape((32, 8)), layers.Dense(8)]
    )
    return (generator, discriminator), [64, 32, 8], settings


PROGRAMS = {
    "README's example": readme,
    "DCGAN 8x8, simultaneous": lambda: dcgan(8, 32, 64, scheme=tgs.Simultaneous()),
    "DCGAN 32x32": lambda: dcgan(32, 32, 64),
    "DCGAN 32x32, WGAN-GP": lambda: dcgan(
        32, 32, 64, loss="wasserstein", penalties=[tgs.GradientPenalty(10.0)]
    ),
    "DCGAN 32x32, RK4 and gradient norm": lambda: dcgan(
        32, 16, 32, scheme=tgs.RungeKutta("rk4"), penalties=[tgs.GeneratorGradientNorm(0.01)]
    ),
    "DCGAN 64x64": lambda: dcgan(64, 16, 32),
    "MLP 4x256": lambda: mlp(256, 256),
    "strided 5x5 convolutions": strided,
    "one-dimensional convolutions": sequences,
    "attention": attention,
}


def compiled(program, jit_compile):
    """Returns a GAN and its data."""
    keras.utils.set_random_seed(0)
    networks, shape, settings = program()
    gan = tgs.GAN(*networks, latents=64)
    adam = [keras.optimizers.Adam(1e-4, beta_1=0.5) for _ in range(2)]
    gan.compile(*adam, jit_compile=jit_compile, check_derivatives=False, **settings)
    return gan, tf.data.Dataset.from_tensors(tf.random.stateless_uniform(shape, [1, 1])).repeat()


def main(argv):
    del argv
    print("| program | auto | ms a step: auto | without XLA | with | auto / better | noise |")
    print("|---|---|---|---|---|---|---|")
    for name, program in PROGRAMS.items():
        if ONLY.value and name not in ONLY.value:
            continue
        gans = {each: compiled(program, each) for each in ("auto", False, True)}
        steps = {}
        for each, (gan, data) in gans.items():
            # So long a training is worth a trial; it is stopped after a few steps.
            stop = keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs, gan=gan: setattr(gan, "stop_training", True)
            )
            gan.fit(data, epochs=100_000, steps_per_epoch=8, verbose=0, callbacks=[stop])
            start = time.perf_counter()
            gan.fit(data, steps_per_epoch=4, verbose=0)
            steps[each] = (time.perf_counter() - start) / 4
        count = max(2, round(SECONDS.value / min(steps.values())))
        times = {each: [] for each in gans}
        for _ in range(TURNS.value):
            for each, (gan, data) in gans.items():
                start = time.perf_counter()
                gan.fit(data, steps_per_epoch=count, verbose=0)
                times[each].append((time.perf_counter() - start) / count * 1e3)
        auto, plain, with_xla = (statistics.median(times[each]) for each in ("auto", False, True))
        spread = max(max(each) / min(each) for each in times.values())
        chosen = gans["auto"][0].compilation
        print(
            f"| {name} | {chosen.scope}, {chosen.reason} | {auto:.1f} | {plain:.1f} "
            f"| {with_xla:.1f} | {auto / min(plain, with_xla):.2f} | {spread:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:  # Earlier outcomes do not count.
        os.environ["TFGAN_STAB_CACHE"] = folder
        app.run(main)
