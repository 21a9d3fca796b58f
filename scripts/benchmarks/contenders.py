"""What is timed: a training of ours, a plain Keras one, and one in PyTorch; each takes some steps.

A contender has `take(count)`, which takes so many steps and returns when they are done, and
`first_seconds`, what its first step took, which is traced and compiled.
"""

import contextlib
import math
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import keras
import tensorflow as tf
from programs import PROGRAMS

import tfgan_stab as tgs

LATENTS = 64


def adam():
    """Returns the optimizers that all contenders use."""
    return [keras.optimizers.Adam(1e-4, beta_1=0.5) for _ in range(2)]


def images_of(shape):
    """Returns one batch of noise in place of images."""
    return tf.random.stateless_uniform(shape, [1, 1], -1.0, 1.0)


def repeated(batch):
    """Returns a data set of the same batch again and again, that does not tune itself.

    Keras waits for the thread that tunes where a training ends; that is none of its steps.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensors(batch).repeat().with_options(options)


class Ours:
    """A GAN that trains through `fit`.

    Args:
        program: Returns the networks, the shape of a batch, and settings of `compile`.
        decide: Whether "auto" decides now, as in a long training.
        settings: More settings of `compile`.
    """

    def __init__(self, program, decide=True, **settings):
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        networks, shape, own = program()
        conditional = len(networks[0].inputs) > 1
        self.gan = tgs.GAN(*networks, latents=LATENTS, num_classes=10 if conditional else None)
        self.gan.compile(*adam(), check_derivatives=False, **{**own, **settings})
        images = images_of(shape)
        batch = (images, tf.range(shape[0]) % 10) if conditional else images
        self.data = repeated(batch)
        start = time.perf_counter()
        if decide:
            # So long a training is worth a trial; it is stopped after a few steps.
            stop = keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: setattr(self.gan, "stop_training", True)
            )
            epochs = {"epochs": 100_000, "callbacks": [stop]}
            self.gan.fit(self.data, steps_per_epoch=8, verbose=0, **epochs)
        else:
            self.take(1)
        self.first_seconds = time.perf_counter() - start
        self.take(4)

    def take(self, count):
        """Takes so many steps."""
        self.gan.fit(self.data, steps_per_epoch=count, verbose=0)


class _TwoTapes(keras.Model):
    """The usual Keras example: first the discriminator learns, on both kinds of images.

    Each has a tape and noise of its own; labels are 1 for fake images, as in that example.
    """

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.generator_loss = keras.metrics.Mean("generator_loss")
        self.discriminator_loss = keras.metrics.Mean("discriminator_loss")

    def compile(self, generator_optimizer, discriminator_optimizer):
        super().compile()
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    @property
    def metrics(self):
        return [self.generator_loss, self.discriminator_loss]

    def _learn(self, network, optimizer, tape, loss):
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def train_step(self, images):
        count = tf.shape(images)[0]
        fake = self.generator(tf.random.normal([count, LATENTS]), training=True)
        labels = tf.concat([tf.ones([count, 1]), tf.zeros([count, 1])], axis=0)
        with tf.GradientTape() as tape:
            logits = self.discriminator(tf.concat([fake, images], axis=0), training=True)
            discriminator_loss = self.loss_of(labels, logits)
        self._learn(self.discriminator, self.discriminator_optimizer, tape, discriminator_loss)
        with tf.GradientTape() as tape:
            made = self.generator(tf.random.normal([count, LATENTS]), training=True)
            logits = self.discriminator(made, training=True)
            generator_loss = self.loss_of(tf.zeros([count, 1]), logits)
        self._learn(self.generator, self.generator_optimizer, tape, generator_loss)
        self.generator_loss.update_state(generator_loss)
        self.discriminator_loss.update_state(discriminator_loss)
        return self.get_metrics_result()


class PlainKeras:
    """The same networks in the usual Keras example."""

    def __init__(self, program):
        keras.utils.set_random_seed(0)
        networks, shape, _ = program()
        self._model = _TwoTapes(*networks)
        self._model.compile(*adam())
        self.data = repeated(images_of(shape))
        start = time.perf_counter()
        self.take(1)
        self.first_seconds = time.perf_counter() - start

    def take(self, count):
        """Takes so many steps."""
        self._model.fit(self.data, steps_per_epoch=count, verbose=0)


class Apart:
    """A contender in a process of its own, as a user's training is, that waits between its turns.

    Beside two other GANs in one process, the plain graph of a DCGAN took a quarter more than alone,
    and that of XLA did not. Why was not found.

    Args:
        kind: Makes the contender of a program, such as `Ours`; importable.
        name: The program's, of `PROGRAMS`.
        settings: More arguments of `kind`.

    Attributes:
        scope: What XLA compiles there; `None` where that is none of ours.
    """

    def __init__(self, kind, name, **settings):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = theirs, kind, name, settings
        self._process = context.Process(target=_take_turns, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.scope = self._pipe.recv()

    def take(self, count):
        """Takes so many steps."""
        self._pipe.send(count)
        self._pipe.recv()

    def close(self):
        """Ends the process."""
        self._pipe.close()
        self._process.join()


def _take_turns(pipe, kind, name, settings):
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TFGAN_STAB_CACHE"] = folder  # What other trials chose does not count.
        contender = kind(PROGRAMS[name], **settings)
    gan = getattr(contender, "gan", None)
    pipe.send(gan and gan.compilation.scope)
    with contextlib.suppress(EOFError):
        while True:
            contender.take(pipe.recv())
            pipe.send("done")


class Several:
    """Contenders alike, each in a process of its own, which share every turn.

    Processes of one program have differed by a sixth in the medians of the same turns; several of
    each say less about one process and more about the program.

    Args:
        make: Returns one of them.
        processes: How many.
    """

    def __init__(self, make, processes=3):
        self._all = [make() for _ in range(processes)]

    @property
    def scopes(self):
        """What XLA compiles, in each process."""
        return [each.scope for each in self._all]

    def take(self, count):
        """Takes so many steps, or as many more as make equal shares."""
        for each in self._all:
            each.take(math.ceil(count / len(self._all)))

    def close(self):
        """Ends the processes."""
        for each in self._all:
            each.close()


class PyTorch:
    """The same in PyTorch, eager, in a process of its own that waits between its turns.

    Args:
        program: A name of `torch_peer.py`.
    """

    def __init__(self, program):
        command = [sys.executable, str(pathlib.Path(__file__).parent / "torch_peer.py"), program]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        start = time.perf_counter()
        self.take(1)
        self.first_seconds = time.perf_counter() - start

    def take(self, count):
        """Takes so many steps."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != "done":
            raise RuntimeError("The program in PyTorch has ended. Its message is above.")

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()
