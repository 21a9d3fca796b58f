"""What the benchmarks of schemes and methods share: GANs of one kind, timed step by step.

Everything is timed turn by turn in one process, and compared within a turn, so that a slow moment
of the machine counts for both sides.
"""

import time

import keras
import tensorflow as tf
from absl import flags

import tfgan_stab as tgs

SIZE = flags.DEFINE_integer("image_size", 32, "Height and width of the images.")
WIDTH = flags.DEFINE_integer("width", 32, "Channels of the layers next to the images.")
BATCH = flags.DEFINE_integer("batch_size", 64, "Images per minibatch.")
LATENTS = 64


def make(**settings):
    """Returns a DCGAN, the same each time, compiled with settings."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    gan = tgs.GAN(
        tgs.networks.dcgan_generator(SIZE.value, 3, latents=LATENTS, width=WIDTH.value),
        tgs.networks.dcgan_discriminator(SIZE.value, 3, width=WIDTH.value),
        latents=LATENTS,
    )
    gan.compile(
        keras.optimizers.Adam(1e-4, beta_1=0.5), keras.optimizers.Adam(1e-4, beta_1=0.5), **settings
    )
    return gan


def make_images():
    """Returns one minibatch of noise in place of images."""
    shape = [BATCH.value, SIZE.value, SIZE.value, 3]
    return tf.random.stateless_uniform(shape, [1, 1], -1.0, 1.0)


def steps_of(gan, images, count=1):
    """Returns a function that takes some steps, compiled as `fit` compiles them."""
    whole = gan.compilation.scope == "step"
    step = tf.function(gan.train_step, autograph=False, jit_compile=whole or None)

    def take():
        for _ in range(count):
            logs = step(images)
        return logs["generator_loss"].numpy()

    return take


def seconds(function):
    """Returns how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(functions, turns):
    """Returns how long each function's first call takes, and its later ones, one each turn."""
    first = {name: seconds(function) for name, function in functions.items()}
    later = {name: [] for name in functions}
    for _ in range(turns):
        for name, function in functions.items():
            later[name].append(seconds(function))
    return first, later


def ratios(times, others):
    """Returns the quotients within each turn, in increasing order."""
    return sorted(time / other for time, other in zip(times, others, strict=True))
