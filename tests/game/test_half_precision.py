"""Derivatives in float16 are those of float32, small and large ones alike."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.game import half_precision
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.players import Players

layers = keras.layers


def through_half(factors):
    """Returns a function that rounds factor * x to float16, for some x, and notes the factors."""

    def derivatives_of(factor):
        factors.append(float(factor))
        return [tf.cast(tf.cast(factor * x, tf.float16), tf.float32) for x in (3e-9, 2.0)], None

    return derivatives_of


def test_small_derivatives_are_not_rounded_to_zero():
    factors = []
    (small, large), nothing = half_precision.scaled(through_half(factors))
    np.testing.assert_allclose([small, large], [3e-9, 2.0], rtol=1e-2)
    assert nothing is None
    # Two times 2^15 is more than float16 holds: a smaller factor was taken.
    assert factors == [2.0**15, 2.0**10]


@pytest.mark.parametrize(("x", "tried"), [(1.0, 1), (50.0, 2), (100.0, 3), (6e4, 4)])
def test_the_largest_factor_that_fits_is_taken(x, tried):
    factors = []

    def derivative(factor):
        factors.append(float(factor))
        return [tf.cast(tf.cast(factor * x, tf.float16), tf.float32)]

    (found,) = half_precision.scaled(derivative)
    assert float(found) == pytest.approx(x, rel=1e-3) and len(factors) == tried


def test_what_is_not_finite_without_a_factor_is_returned():
    factors = []

    def derivative(factor):
        factors.append(float(factor))
        return [factor * np.inf]

    (found,) = half_precision.scaled(derivative)
    assert np.isinf(found) and factors == [2.0**15, 2.0**10, 2.0**5, 1.0]


def test_one_factor_can_be_prescribed():
    factors = []
    half_precision.scaled(through_half(factors), 4.0)
    assert factors == [4.0]


def test_only_networks_with_float16_are_scaled():
    for policy, expected in (
        ("float32", False),
        ("mixed_bfloat16", False),
        ("mixed_float16", True),
    ):
        assert half_precision.is_used(Players(*networks(policy, 1.0))) is expected


def networks(policy, width):
    """Networks whose derivatives are as small, or as large, as `width` makes them."""

    def stack(inputs, *sizes):
        inner = [layers.Dense(size, "tanh", dtype=policy) for size in sizes[:-1]]
        return keras.Sequential(
            [keras.Input((inputs,)), *inner, layers.Dense(sizes[-1], dtype=policy)]
        )

    pair = stack(3, 8, 8, 2), stack(2, 8, 8, 1)
    random = np.random.RandomState(0)
    for network in pair:
        for v in network.trainable_variables:
            v.assign(random.normal(size=v.shape) * (0.3 if v.shape.rank == 2 else 0.1))
    pair[1].layers[-1].kernel.assign(pair[1].layers[-1].kernel * width)
    return pair


def evaluated(policy, width, penalties, jit_compile=None):
    """Returns the gradients, and their product with a vector."""
    pair = Players(*networks(policy, width))
    params = Players(*([tf.identity(v) for v in n.trainable_variables] for n in pair))
    state = Players([], [])
    random = np.random.RandomState(1)
    real, latents = (tf.constant(random.normal(size=[16, n]), tf.float32) for n in (2, 3))
    minibatch = Minibatch(real, None, latents, ((),) * len(penalties), (True,) * len(penalties))
    game = GameGradients(pair, tgs.game.losses.get("wasserstein"), penalties)
    cotangents = Players(*([tf.ones_like(w) for w in own] for own in params))
    gradients = tf.function(game, jit_compile=jit_compile)(params, state, minibatch).gradients
    vjp = tf.function(game.vjp, jit_compile=jit_compile)
    names = ("generator", "discriminator")
    products = vjp(params, state, minibatch.without_penalties(), cotangents, names)
    return [v.numpy() for v in tf.nest.flatten((gradients, products))]


def assert_close(exact, found):
    for one, other in zip(exact, found, strict=True):
        assert np.all(np.isfinite(other))
        assert np.linalg.norm(one - other) <= 0.03 * np.linalg.norm(one)


@pytest.mark.cases(full=3)
@pytest.mark.parametrize(
    ("penalties", "jit_compile"),
    [
        pytest.param((), None, id="plain", marks=pytest.mark.slow),
        pytest.param((tgs.R1(1.0),), None, id="R1", marks=pytest.mark.exhaustive),
        pytest.param((tgs.R1(1.0),), True, id="R1 with XLA", marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.parametrize("width", [1e-5, 1.0, 100.0], ids=["small", "usual", "large"])
def test_gradients_and_products_are_those_of_float32(width, penalties, jit_compile):
    exact = evaluated("float32", width, penalties)
    found = evaluated("mixed_float16", width, penalties, jit_compile)
    assert_close(exact, found)


@pytest.mark.slow
def test_without_factors_small_gradients_would_be_lost(monkeypatch):
    monkeypatch.setattr(half_precision, "LARGEST", 1.0)
    monkeypatch.setattr(half_precision, "FIXED", 1.0)
    exact, found = (evaluated(policy, 1e-5, ()) for policy in ("float32", "mixed_float16"))
    with pytest.raises(AssertionError, match="norm"):
        assert_close(exact, found)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "policy"),
    [
        (tgs.Alternating(2), "mixed_float16"),
        *(
            pytest.param(*each, marks=pytest.mark.exhaustive)
            for each in (
                (tgs.Alternating(2), "mixed_bfloat16"),
                (tgs.RungeKutta("rk4"), "mixed_float16"),
                (tgs.Lookahead(tgs.Extragradient(), 3), "mixed_float16"),
            )
        ),
    ],
    ids=str,
)
def test_training_is_that_of_float32_to_the_precision_of_a_half(scheme, policy):
    weights = {}
    for each in ("float32", policy):
        gan = tgs.GAN(*networks(each, 1.0), latents=3)
        gan.compile(
            keras.optimizers.SGD(0.05),
            keras.optimizers.SGD(0.1),
            scheme=scheme,
            penalties=[tgs.R1(1.0), tgs.GeneratorGradientNorm(0.1)],
            averages={"ema": tgs.ExponentialAverage(0.9)},
            check_derivatives=False,
        )
        start = [v.numpy() for n in gan.networks for v in n.trainable_variables]
        images = np.random.RandomState(0).normal(size=[8 * 16 * scheme.minibatches, 2])
        gan.fit(
            images.astype("float32"), batch_size=16 * scheme.minibatches, shuffle=False, verbose=0
        )
        ends = [v for n in gan.networks for v in n.trainable_variables]
        assert {v.dtype for v in ends} == {"float32"} and gan.steps == 8
        weights[each] = [v.numpy() - w for v, w in zip(ends, start, strict=True)]
    exact, found = (np.concatenate([np.ravel(v) for v in weights[k]]) for k in ("float32", policy))
    tolerance = 0.01 if policy == "mixed_float16" else 0.08
    assert np.linalg.norm(exact - found) < tolerance * np.linalg.norm(exact)
