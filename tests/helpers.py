"""GANs and games small enough for tests; the fixture `tiny` is this module."""

import functools
import json
import pathlib

import keras
import numpy as np
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.evaluation.results import ScoreResult
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates.scheme import Game

layers = keras.layers


def image_networks(num_classes=None):
    """Batch statistics and a seed in the generator; spectral norm and a seed in the other one."""
    noise = keras.Input((3,))
    labels = None if num_classes is None else keras.Input((), dtype="int32")
    x = noise
    if labels is not None:
        x = layers.Multiply()([x, layers.Embedding(num_classes, 3)(labels)])
    x = layers.Dense(12)(x)
    x = layers.Dropout(0.2, seed=5)(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Reshape((8, 8, 1))(layers.Dense(64, activation="tanh")(x))
    generator = keras.Model(noise if labels is None else [noise, labels], x)
    images = keras.Input((8, 8, 1))
    own = None if num_classes is None else keras.Input((), dtype="int32")
    h = tgs.networks.SpectralNormalization(layers.Dense(6))(layers.Flatten()(images))
    h = layers.Dropout(0.3, seed=6)(layers.LeakyReLU()(h))
    if own is not None:
        h = layers.Add()([h, layers.Embedding(num_classes, 6)(own)])
    discriminator = keras.Model(images if own is None else [images, own], layers.Dense(1)(h))
    return generator, discriminator


def image_gan(averages=None, eager=False, num_classes=None, **settings):
    """A GAN on 8x8 grey pictures."""
    gan = tgs.GAN(*image_networks(num_classes), latents=3, num_classes=num_classes)
    compiled(gan, averages, run_eagerly=eager, **settings)
    return gan


def point_networks():
    """Batch statistics in the generator, a seed in the discriminator, for points of two numbers."""
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(5), layers.BatchNormalization(), layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(5),
            layers.LeakyReLU(),
            layers.Dropout(0.2, seed=2),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def point_gan(averages=None, eager=False, **settings):
    """A GAN on points."""
    gan = tgs.GAN(*point_networks(), latents=3)
    compiled(gan, averages, run_eagerly=eager, **settings)
    return gan


def perceptrons():
    """Two smooth networks without any state, for points of two numbers."""
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    return generator, discriminator


def compiled(gan, averages=None, **settings):
    """Compiles with a schedule for one player and a constant rate for the other."""
    schedule = keras.optimizers.schedules.ExponentialDecay(5e-3, 4, 0.7)
    gan.compile(
        keras.optimizers.Adam(schedule, beta_1=0.5),
        keras.optimizers.Adam(1e-2, beta_1=0.5),
        averages=averages or {"ema": tgs.ExponentialAverage(0.75)},
        jit_compile=False,
        **settings,
    )


@functools.cache
def images():
    """The digits, in small batches."""
    return tgs.data.digits(batch_size=8)


@functools.cache
def few_images():
    """Two batches of them, one pass."""
    return images().examples(limit=16).cache()


def points(rows, seed=0):
    """Normally distributed points of two numbers, float32."""
    return np.random.RandomState(seed).normal(size=[rows, 2]).astype("float32")


def train(gan, steps, *callbacks):
    """Trains on points of a mixture, one epoch; returns the history of the logs."""
    data = tgs.data.mixture(batch_size=8)
    return gan.fit(data, steps_per_epoch=steps, callbacks=list(callbacks), verbose=0).history


def variables(gan):
    """All that training changes, metrics aside."""
    found = [gan._counters.steps, gan._counters.images]
    found += [*gan.generator.variables, *gan.discriminator.variables]
    found += [v for average in gan._averages.values() for v in average.weights]
    return found + [v for optimizer in gan.optimizers for v in optimizer.variables]


def everything(gan):
    """The numbers in them."""
    return [v.numpy() for v in variables(gan)]


def put_back(gan, values):
    """Undoes all training since `everything`, as if the model were new."""
    gan.weights_in_use.switch("live")
    for variable, value in zip(variables(gan), values, strict=True):
        variable.assign(value)
    gan.clock.set(0.0)
    gan.listeners = []
    gan.stop_training = False
    gan.data_metadata = None


def disturb(gan, seed=1):
    """Makes every number wrong, to see which ones a resume restores."""
    random = np.random.RandomState(seed)
    for variable in variables(gan):
        noise = random.uniform(1, 9, variable.shape)
        variable.assign(variable.numpy() + noise.astype(variable.dtype))


def same(one, other):
    """Whether two lists of arrays agree to the last bit."""
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(one, other, strict=True)
    )


def network(gan):
    """The generator's numbers as they stand."""
    return [v.numpy() for v in gan.generator.variables]


def weights(gan):
    """Both networks' numbers as they stand."""
    return network(gan) + [v.numpy() for v in gan.discriminator.variables]


def average(gan, name="ema"):
    """An average's numbers."""
    return [v.numpy() for v in gan._averages[name].averages]


class Rotation(Game):
    """min over x, max over y of s x y, one strength s per minibatch, with plain gradient steps.

    Args:
        step_sizes: One for both players, or `Players` of them.
        strengths: s of each minibatch.

    Attributes:
        asked: The minibatch and the players of each evaluation.
    """

    step_sizes = None  # In the place of the abstract property.

    def __init__(self, step_sizes, strengths=(1.0,)):
        both = isinstance(step_sizes, Players)
        self.step_sizes = step_sizes if both else Players(step_sizes, step_sizes)
        self.strengths = strengths
        self.asked = []

    def field(self, params, minibatch=0, players=BOTH):
        self.asked.append((minibatch, tuple(players)))
        s = self.strengths[minibatch]
        slopes = Players(-s * params.discriminator, s * params.generator)
        return Players(
            *(v if name in players else None for name, v in zip(BOTH, slopes, strict=True))
        )

    def update(self, params, slopes):
        moved = zip(params, slopes, self.step_sizes, strict=True)
        return Players(*(p if v is None else p + h * v for p, v, h in moved))


def play(scheme, game, steps, params=None):
    """The players' float64 weights after each step, the start first."""
    if params is None:
        params = Players(tf.constant(0.6, tf.float64), tf.constant(-0.8, tf.float64))
    visited, state = [params], scheme.init(params)
    for _ in range(steps):
        params, state = scheme.step(game, params, state)
        visited.append(params)
    return visited


def orbit(scheme, step_size, steps):
    """The complex numbers x + i y after each step on a rotation, the start first."""
    return np.array([complex(*params) for params in play(scheme, Rotation(step_size), steps)])


def factor_of_radius(scheme, step_size, cycle=1, cycles=10):
    """What one cycle of steps on a rotation multiplies the radius by."""
    radii = np.abs(orbit(scheme, step_size, cycle * cycles))
    return (radii[-1] / radii[0]) ** (1 / cycles)


class MeanScore:
    """Scores examples by a weighted mean: quick, and different for any two generators."""

    def __init__(self, name="mean", samples=10, seed=3):
        self.name, self.samples, self.seed = name, samples, seed

    def of(self, examples):
        """The number itself."""
        flat = np.asarray(examples, np.float64).reshape(self.samples, -1)
        return float(flat.mean(axis=0) @ np.arange(1.0, flat.shape[1] + 1))

    def __call__(self, examples):
        value = self.of(np.concatenate([np.asarray(batch) for batch in examples]))
        return ScoreResult(self.name, value, f"{self.name}/fake={self.samples}/seed={self.seed}")


class Trace(keras.callbacks.Callback):
    """Calls a function at chosen hooks."""

    def __init__(self, function, *hooks):
        super().__init__()
        for hook in hooks:
            setattr(self, hook, lambda *args, hook=hook, **kwargs: function(hook))


class Stop(Exception):
    """What `kill` raises."""


def kill(gan, step_number, error=Stop):
    """A callback that ends training by an exception once so many steps are done."""

    def check(hook):
        if gan.steps == step_number:
            raise error(f"after step {step_number}")

    return Trace(check, "on_train_batch_begin", "on_epoch_begin")


def lines(path):
    """The lines of a metrics file."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def events(directory):
    """What TensorBoard will show: {(tag, step): number or pixels}."""
    found = {}
    for path in sorted(pathlib.Path(directory).glob("events.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                array = tf.make_ndarray(value.tensor)
                if value.metadata.plugin_data.plugin_name == "images":
                    array = tf.io.decode_png(array[2]).numpy()
                found[value.tag, event.step] = array
    return found


def resume(checkpoint, gan):
    """Puts a model back to where a checkpoint callback finds it; returns how far that was."""
    checkpoint.set_model(gan)
    return checkpoint.resume()


class Pickled:
    """What writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def pickled(path):
    """An array of a Python object that writes a file where it is unpickled."""
    return np.array([Pickled(path)], dtype=object)
