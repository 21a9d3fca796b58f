"""WGAN-GP's networks for text: parameters by hand, a naive program, refusals."""

import numpy as np
import pytest
from parameters import trained

from tfgan_stab.networks import text_discriminator, text_generator


def test_parameters_are_those_of_the_paper():
    block = 2 * (5 * 512 * 512 + 512)
    generator = 128 * 32 * 512 + 32 * 512 + 5 * block + 512 * 90 + 90
    assert trained(text_generator(90)) == generator == 15_272_026
    discriminator = 90 * 512 + 512 + 5 * block + 32 * 512 + 1
    assert trained(text_discriminator(90)) == discriminator == 13_175_297


def convolved(x, kernel, bias):
    """A loop over the places of a kernel of 1 or 5; zeros beyond both ends."""
    reach = len(kernel) // 2
    padded = np.pad(x, [(0, 0), (reach, reach), (0, 0)])
    shifted = [padded[:, i : i + x.shape[1]] @ kernel[i] for i in range(len(kernel))]
    return sum(shifted) + bias


def blocks_of(x, weights, count):
    for _ in range(count):
        y = x
        for _ in range(2):
            y = convolved(np.maximum(y, 0), next(weights), next(weights))
        x = x + 0.3 * y
    return x


def shaken(network):
    random = np.random.default_rng(3)
    network.set_weights([0.4 * random.normal(size=w.shape) for w in network.weights])
    return network, iter(network.get_weights())


def test_generator_computes_what_the_papers_code_does():
    network, weights = shaken(text_generator(7, length=6, latents=5, width=4, blocks=2))
    latents = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    x = (latents @ next(weights) + next(weights)).reshape(3, 6, 4)
    logits = convolved(blocks_of(x, weights, 2), next(weights), next(weights))
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(network(latents), expected, rtol=1e-4, atol=1e-6)


def test_discriminator_computes_what_the_papers_code_does():
    network, weights = shaken(text_discriminator(7, length=6, width=4, blocks=2))
    texts = np.eye(7, dtype="float32")[np.random.default_rng(0).integers(0, 7, (3, 6))]
    x = blocks_of(convolved(texts, next(weights), next(weights)), weights, 2)
    expected = x.reshape(3, -1) @ next(weights) + next(weights)
    np.testing.assert_allclose(network(texts), expected, rtol=1e-4, atol=1e-5)


def test_initial_weights_have_the_papers_deviation():
    kernels = [w for w in text_generator(50, width=64).weights if w.shape == (5, 64, 64)]
    stds = [np.std(kernel) for kernel in kernels]
    # 20,480 draws each: the estimate's own standard deviation is 0.5 %.
    np.testing.assert_allclose(stds, [(4 / (2 * 5 * 64)) ** 0.5] * 10, rtol=0.03)


REFUSED = {
    "vocabulary": (1, "number of characters, an integer >= 2. Received: 1. Count the characters"),
    "length": (0, "number of characters, an integer >= 1. Received: 0. Use 32"),
    "width": (0, "integer >= 1. Received: 0. Use 512"),
    "blocks": (0, "integer >= 1. Received: 0. Use 5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_numbers_must_be_in_range(name):
    value, message = REFUSED[name]
    for build in (text_generator, text_discriminator):
        with pytest.raises(ValueError, match=f"`{name}` must be .*{message}"):
            build(**{"vocabulary": 50, name: value})
