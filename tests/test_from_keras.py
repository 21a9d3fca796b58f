"""The programs in docs/from_keras.md train as plain Keras loops from the same weights and noise."""

import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab._utils import random as noise

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "from_keras.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
TITLES = ["dcgan", "wgan_gp", "conditional_gan", "gan_ada", "cyclegan", "pix2pix"]
entropy = keras.losses.BinaryCrossentropy(from_logits=True)


class Program:
    """A program of the page that has not trained yet, and copies of its networks."""

    def __init__(self, title):
        code = BLOCKS[TITLES.index(title)]
        self.names = {"__name__": "documented"}
        before, self._fit, self._after = code.partition("history = gan.fit(")
        self._run(before)
        self.gan = self.names["gan"]
        self.generator, self.discriminator = map(copied, self.gan.networks)
        self._optimizers = [type(o).from_config(o.get_config()) for o in self.gan.optimizers]
        self.losses = []

    def _run(self, code):
        exec(compile(code, str(PAGE), "exec"), self.names)

    def train(self):
        """Runs the rest of the program; returns what it logged."""
        self._run(self._fit + self._after)
        return {name: values[0] for name, values in self.names["history"].history.items()}

    def batches(self, steps=4):
        return list(self.names["data"].take(steps))

    def latents(self, step, number, like):
        return self.gan.latents(len(like), noise.key(self.gan.seed, noise.TRAINING, step, number))

    def update(self, network, tape, loss):
        """Lets a network's optimizer take a step."""
        optimizer = self._optimizers[network is self.discriminator]
        weights = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    def mean_losses(self):
        return np.mean(self.losses, axis=0)


def copied(network):
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def adversarial(program, step, images, of_generator=lambda z: z, of_discriminator=lambda x: x):
    """A step as in keras.io: the discriminator on all images at once, then new noise."""
    generator, discriminator = program.generator, program.discriminator
    fake_images = generator(of_generator(program.latents(step, 0, images)), training=True)
    both = tf.concat([of_discriminator(fake_images), of_discriminator(images)], axis=0)
    targets = tf.concat([tf.zeros([len(images), 1]), tf.ones([len(images), 1])], axis=0)
    with tf.GradientTape() as tape:
        discriminator_loss = entropy(targets, discriminator(both, training=True))
    program.update(discriminator, tape, discriminator_loss)
    latents = of_generator(program.latents(step, 1, images))
    with tf.GradientTape() as tape:
        fake_images = of_discriminator(generator(latents, training=True))
        logits = discriminator(fake_images, training=True)
        generator_loss = entropy(tf.ones_like(logits), logits)
    program.update(generator, tape, generator_loss)
    program.losses.append([generator_loss, 2 * discriminator_loss])


def assert_losses(program, *names, tolerance=1e-4):
    """Compares what the program logs with the means over the plain loop's steps."""
    expected, logged = program.mean_losses(), program.train()
    np.testing.assert_allclose([logged[name] for name in names], expected, rtol=tolerance)


BOTH = ("generator_loss", "discriminator_loss")


def test_programs_are_short():
    assert len(BLOCKS) == len(TITLES)
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line.strip()]) <= 40
        assert max(map(len, block.splitlines())) <= 100


@pytest.mark.slow
def test_dcgan():
    program = Program("dcgan")
    for step, images in enumerate(program.batches()):
        adversarial(program, step, images)
    assert_losses(program, *BOTH)


@pytest.mark.slow
def test_conditional_gan():
    program = Program("conditional_gan")
    for step, (images, labels) in enumerate(program.batches()):
        one_hot = tf.one_hot(labels, 10)
        planes = tf.tile(one_hot[:, None, None, :], [1, 8, 8, 1])

        def with_labels(latents, one_hot=one_hot):
            return tf.concat([latents, one_hot], axis=1)

        def with_planes(images, planes=planes):
            return tf.concat([images, planes], axis=-1)

        adversarial(program, step, images, with_labels, with_planes)
    assert_losses(program, *BOTH)
    assert program.names["threes"].shape == (8, 8, 8, 1)


@pytest.mark.slow
def test_wgan_gp():
    program = Program("wgan_gp")
    generator, critic = program.generator, program.discriminator
    for step, images in enumerate(program.batches()):
        first = None
        for number in range(3):
            key = noise.key(program.gan.seed, noise.PENALTIES, step, number, 0)
            shares = tgs.GradientPenalty().noise(len(images), [8, 8, 1], [16], key)
            with tf.GradientTape() as tape:
                fake_images = generator(program.latents(step, number, images), training=True)
                distance = tf.reduce_mean(critic(fake_images)) - tf.reduce_mean(critic(images))
                points = images + shares[:, None, None, None] * (fake_images - images)
                with tf.GradientTape() as inner:
                    inner.watch(points)
                    logits = critic(points)
                squares = tf.reduce_sum(inner.gradient(logits, points) ** 2, axis=[1, 2, 3])
                penalty = 10.0 * tf.reduce_mean((tf.sqrt(squares) - 1.0) ** 2)
                loss = distance + penalty
            program.update(critic, tape, loss)
            first = first or [distance, penalty]
        with tf.GradientTape() as tape:
            fake_images = generator(program.latents(step, 3, images), training=True)
            generator_loss = -tf.reduce_mean(critic(fake_images))
        program.update(generator, tape, generator_loss)
        program.losses.append([generator_loss, *first])
    assert_losses(program, *BOTH, "gradient_penalty", tolerance=1e-3)
    assert program.gan.images_seen == 4 * 32


@pytest.mark.exhaustive
@pytest.mark.slow
def test_gan_ada_begins_without_augmentation_and_adapts_it():
    program = Program("gan_ada")
    images = program.batches(1)[0]
    fake_images = program.generator(program.latents(0, 0, images), training=True)
    real, fake = (program.discriminator(each, training=True) for each in (images, fake_images))
    misled = entropy(tf.ones_like(fake), fake)
    expected = [misled, entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)]
    fit = program.gan.fit  # An epoch of each step, so that logs show it.
    program.gan.fit = lambda data, **_: fit(data, epochs=4, steps_per_epoch=1, verbose=0)
    program.train()
    logs = program.names["history"].history
    np.testing.assert_allclose([logs[name][0] for name in BOTH], expected, rtol=1e-4)
    probability = 0.0
    for step in range(4):
        np.testing.assert_allclose(logs["augmentation_probability"][step], probability, atol=1e-7)
        error = 2 * logs["accuracy_on_real"][step] - 1 - 0.7
        probability = min(max(probability + np.sign(error) / 1000, 0.0), 1.0)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_cyclegan():
    program = Program("cyclegan")
    generator, discriminator = program.generator, program.discriminator
    f, g = (layer for layer in generator.layers if isinstance(layer, keras.Sequential))
    d_x, d_y = (layer for layer in discriminator.layers if isinstance(layer, keras.Sequential))
    squared, absolute = keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()
    pairs = program.names["pairs"]
    for first in range(0, 64, 16):
        x, y = tf.split(tf.constant(pairs[first : first + 16]), 2, axis=-1)
        with tf.GradientTape(persistent=True) as tape:
            fake_x, fake_y = f(y), g(x)
            adversarial_loss = squared(tf.ones_like(d_x(fake_x)), d_x(fake_x)) + squared(
                tf.ones_like(d_y(fake_y)), d_y(fake_y)
            )
            cycle = 10.0 * (absolute(x, f(fake_y)) + absolute(y, g(fake_x)))
            identity = 5.0 * (absolute(x, f(x)) + absolute(y, g(y)))
            of_generator = (adversarial_loss + cycle + identity) / 4
            of_discriminator = 0.0
            for network, real, fake in ((d_x, x, fake_x), (d_y, y, fake_y)):
                judged = squared(tf.ones_like(network(real)), network(real))
                judged += squared(tf.zeros_like(network(fake)), network(fake))
                of_discriminator += 0.5 * judged
            of_discriminator /= 2
        program.update(generator, tape, of_generator)
        program.update(discriminator, tape, of_discriminator)
        losses = [adversarial_loss / 4, of_discriminator, (cycle + identity) / 4]
        program.losses.append(losses)
    assert_losses(program, *BOTH, "cycle_and_identity")
    assert program.names["translated"].shape == (64, 8, 8, 1)


@pytest.mark.slow
def test_pix2pix():
    program = Program("pix2pix")
    logged = program.train()
    assert logged["reconstruction"] > 0 and program.gan.steps == 4
    assert program.names["translated"].shape == (64, 8, 8, 1)
