"""A GAN of two small perceptrons in plain NumPy, gradients by hand: the independent answer."""

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


class Sgd:
    """Plain gradient steps."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, weights, slopes):
        return [w + self.rate * s for w, s in zip(weights, slopes, strict=True)]


class Adam:
    """Kingma and Ba 2015, algorithm 1, with Keras' placing of epsilon."""

    def __init__(self, rate, beta_1=0.5, beta_2=0.999, epsilon=1e-7):
        self.rate, self.beta_1, self.beta_2, self.epsilon = rate, beta_1, beta_2, epsilon
        self.time, self.first, self.second = 0, None, None

    def __call__(self, weights, slopes):
        if self.first is None:
            self.first = [np.zeros_like(w) for w in weights]
            self.second = [np.zeros_like(w) for w in weights]
        self.time += 1
        moved = []
        for i, (w, s) in enumerate(zip(weights, slopes, strict=True)):
            self.first[i] = self.beta_1 * self.first[i] + (1 - self.beta_1) * s
            self.second[i] = self.beta_2 * self.second[i] + (1 - self.beta_2) * s * s
            rate = self.rate * np.sqrt(1 - self.beta_2**self.time) / (1 - self.beta_1**self.time)
            moved.append(w + rate * self.first[i] / (np.sqrt(self.second[i]) + self.epsilon))
        return moved


class NaiveGan:
    """Two perceptrons `x -> tanh(x A + a) B + b` that play the non-saturating game.

    Args:
        optimizers: The generator's and the discriminator's.
        extrapolation_optimizers: Those for trial steps; the same ones unless given.
    """

    def __init__(self, optimizers, extrapolation_optimizers=None):
        self.optimizers = optimizers
        self.optimizers_for_extrapolation = extrapolation_optimizers or optimizers

    def extrapolate(self, player, weights, slopes):
        return self.optimizers_for_extrapolation[player](weights, slopes)

    def update(self, player, weights, slopes):
        return self.optimizers[player](weights, slopes)

    def slope(self, player, params, minibatch):
        """Returns minus the gradient of a player's own loss, weight by weight."""
        real_images, latents = minibatch
        generator, discriminator = params
        fake_images, hidden = forward(generator, latents)
        fake_logits, fake_hidden = forward(discriminator, fake_images)
        rows = len(latents)
        if player == 0:
            # d/df softplus(-f) = -sigmoid(-f)
            upstream = -sigmoid(-fake_logits) / rows
            to_fake, _ = backward(discriminator, fake_images, fake_hidden, upstream)
            _, gradients = backward(generator, latents, hidden, to_fake)
            return [-g for g in gradients]
        real_logits, real_hidden = forward(discriminator, real_images)
        _, from_fake = backward(
            discriminator, fake_images, fake_hidden, sigmoid(fake_logits) / rows
        )
        _, from_real = backward(
            discriminator, real_images, real_hidden, -sigmoid(-real_logits) / rows
        )
        return [-(f + r) for f, r in zip(from_fake, from_real, strict=True)]


class NaiveTopK(NaiveGan):
    """The same game, in which the generator learns from `kept` fake images.

    Args:
        optimizers: The generator's and the discriminator's.
        extrapolation_optimizers: Those for trial steps.
        replicas: How many share the batch.
    """

    def __init__(self, optimizers, extrapolation_optimizers=None, replicas=1):
        super().__init__(optimizers, extrapolation_optimizers)
        self.kept = None
        self.chosen = []
        self.replicas = replicas

    def slope(self, player, params, minibatch):
        real_images, latents = minibatch
        fake_images, _ = forward(params[0], latents)
        logits, _ = forward(params[1], fake_images)
        rows = self.best(logits[:, 0])
        if player == 0:
            self.chosen.append(sorted(rows))
            minibatch = real_images, latents[rows]
        return super().slope(player, params, minibatch)

    def best(self, logits):
        """Returns the rows of the most real fake images; each replica chooses among its own."""
        replicas = np.split(np.arange(len(logits)), self.replicas)
        own = self.kept // self.replicas
        return np.concatenate([r[np.argsort(-logits[r], kind="stable")[:own]] for r in replicas])


def forward(weights, inputs):
    a, bias_a, b, bias_b = weights
    hidden = np.tanh(inputs @ a + bias_a)
    return hidden @ b + bias_b, hidden


def backward(weights, inputs, hidden, upstream):
    """Returns the gradients with respect to the inputs and to each weight."""
    a, _, b, _ = weights
    inner = (upstream @ b.T) * (1 - hidden**2)
    gradients = [inputs.T @ inner, inner.sum(axis=0), hidden.T @ upstream, upstream.sum(axis=0)]
    return inner @ a.T, gradients
