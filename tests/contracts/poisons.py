"""GANs whose numbers stop being finite where a test says."""

import functools

import keras
import numpy as np
import tensorflow as tf
from schemes import SCHEMES

import tfgan_stab as tgs
from tfgan_stab.callbacks.base import TextEvent
from tfgan_stab.callbacks.checkpoint_files import owned_variables
from tfgan_stab.training.optimizers import set_rate_scale

layers = keras.layers


@keras.saving.register_keras_serializable("tests")
class Poisoned(layers.Dense):
    """A dense layer that counts its calls, and spoils one of them.

    `spoil(call, what, value)` makes `value` of the output ("output"), of the gradient of a weight
    ("kernel", "bias"), or of a batch statistic ("seen") in that call.
    """

    def build(self, shape):
        super().build(shape)
        self.seen = self.add_weight(shape=(2,), initializer="zeros", trainable=False, name="seen")
        self.calls = tf.Variable(0, trainable=False)
        self.plan = {
            w: tf.Variable(0, trainable=False) for w in ("output", "kernel", "bias", "seen")
        }
        self.value = tf.Variable(np.nan, trainable=False, dtype="float32")

    def spoil(self, call, what, value=np.nan):
        self.calls.assign(0)
        for name, variable in self.plan.items():
            variable.assign(call if name == what else 0)
        self.value.assign(value)

    def call(self, inputs, training=False):
        if not training:
            return super().call(inputs)
        number = self.calls.assign_add(1)

        def factor(what, like):
            value = tf.cast(self.value.read_value(), like.dtype)
            return tf.where(tf.equal(number, self.plan[what].read_value()), value, 1)

        def backwards(what, tensor):
            @tf.custom_gradient
            def same(x):
                return tf.identity(x), lambda upstream: upstream * factor(what, upstream)

            return same(tensor)

        self.seen.assign(self.seen + factor("seen", inputs))
        kernel = backwards("kernel", tf.convert_to_tensor(self.kernel))
        bias = backwards("bias", tf.convert_to_tensor(self.bias))
        outputs = tf.matmul(inputs, kernel) + bias
        return outputs * factor("output", outputs)


@keras.saving.register_keras_serializable("tests")
class PoisonedSGD(keras.optimizers.SGD):
    """Writes `value` to its variable number `place` in its update number `at`, from 1."""

    at, place, value = 0, 0, np.nan

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
        if self.at and self._get_variable_index(variable) == self.place:
            bad = keras.ops.equal(self.iterations, self.at - 1)
            self.assign(variable, keras.ops.where(bad, self.value, variable))


def make(name="alternating", optimizers=None, latents=3, **settings):
    """A GAN on points whose generator's first layer can be spoiled; and that layer."""
    poison = Poisoned(5, name="poisoned")
    generator = keras.Sequential(
        [keras.Input((latents,)), poison, layers.Activation("tanh"), layers.Dense(2, name="last")],
        name="maker",
    )
    discriminator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(5, "tanh", name="first"), layers.Dense(1)], name="judge"
    )
    gan = tgs.GAN(generator, discriminator, latents=latents)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.05, 100, 0.01)
    gan.compile(
        *(optimizers or (keras.optimizers.Adam(schedule), keras.optimizers.Adam(0.02))),
        scheme=SCHEMES[name][0],
        **{"jit_compile": False, **settings},
    )
    poison.calls.assign(0)
    return gan, poison


def train(gan, *callbacks, epochs=2, steps=5, **settings):
    """Trains on points, ten steps unless told otherwise; returns the events and the history."""
    events = []
    gan.listeners = [events.append]
    data = tgs.data.mixture(batch_size=8)
    settings = {"verbose": 0, **settings}
    history = gan.fit(
        data, epochs=epochs, steps_per_epoch=steps, callbacks=list(callbacks), **settings
    )
    return [each for each in events if isinstance(each, TextEvent)], history.history


def variables(gan):
    """Everything that a checkpoint would hold."""
    return [variable for owned in owned_variables(gan).values() for variable in owned]


def numbers(gan):
    """The numbers in it."""
    return [np.array(variable.numpy()) for variable in variables(gan)]


@functools.cache
def _known(name, averages, **settings):
    rules = {"ema": tgs.ExponentialAverage(0.5)} if averages else None
    gan, poison = make(name, averages=rules, **settings)
    return gan, poison, numbers(gan)


def renewed(name, call=0, what="output", value=np.nan, averages=False, **settings):
    """A GAN as it was when new: tracing another one takes seconds."""
    gan, poison, start = _known(name, averages, **settings)
    for variable, number in zip(variables(gan), start, strict=True):
        variable.assign(number)
    gan.start_over()
    for optimizer in gan.optimizers:
        set_rate_scale(optimizer, 1.0)
    gan.stop_training = False
    poison.spoil(call, what, value)
    return gan


def same(gan, expected):
    """Whether all of it is this, to the last bit."""
    return all(np.array_equal(a, b) for a, b in zip(numbers(gan), expected, strict=True))


def finite(gan):
    """Whether all of it is finite."""
    return all(np.isfinite(value).all() for value in numbers(gan))
