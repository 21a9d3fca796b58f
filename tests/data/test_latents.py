import math

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.data.latents import NoNoise, Normal, Sphere, Uniform, as_sampler

SAMPLERS = [Normal(16), Uniform(16), Sphere(16)]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)


@each_sampler
def test_a_draw_is_a_pure_function_of_its_seed(sampler):
    seed = tf.constant([3, 4], tf.int32)
    np.testing.assert_array_equal(sampler(5, seed), sampler(5, seed))
    assert not np.array_equal(sampler(5, seed), sampler(5, [3, 5]))


@each_sampler
def test_a_draw_has_the_shape_that_is_announced(sampler):
    draw = sampler(5, [0, 0])
    assert draw.shape == (5, *sampler.shape)
    assert draw.dtype == tf.float32


@pytest.mark.cases(full=2)
@pytest.mark.slow
@each_sampler
def test_graph_and_xla_draw_what_eager_draws(sampler):
    eager = sampler(5, [0, 7])
    for jit_compile in (False, True):
        drawn = tf.function(lambda seed: sampler(5, seed), jit_compile=jit_compile)(
            tf.constant([0, 7])
        )
        # The same random bits; XLA steps logarithm, root and sine its own way.
        np.testing.assert_allclose(drawn, eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "sampler, variance", [(Normal(4), 1.0), (Uniform(4), 1 / 3), (Sphere(4), 1.0)]
)
def test_coordinates_have_mean_zero_and_the_known_variance(sampler, variance):
    draw = sampler(50_000, [1, 2]).numpy()
    # 200,000 coordinates: 5 sigmas of the mean, and of the variance (kurtosis at most 3).
    np.testing.assert_allclose(draw.mean(), 0, atol=5 * (variance / draw.size) ** 0.5)
    np.testing.assert_allclose(draw.var(), variance, rtol=5 * (2 / draw.size) ** 0.5)


def test_sphere_has_radius_root_size():
    norms = np.linalg.norm(Sphere(100)(50, [1, 2]), axis=1)
    np.testing.assert_allclose(norms, 10, rtol=1e-6)


def test_uniform_stays_within_its_range_and_nearly_fills_it():
    draw = Uniform(10)(10_000, [1, 2]).numpy()
    assert -1 <= draw.min() < -0.999
    assert 0.999 < draw.max() < 1


def test_normal_latents_have_normal_quantiles():
    draw = Normal(5)(40_000, [1, 2]).numpy().ravel()
    # Shares below -3, ..., 3 by the error function, within 5 sigmas of 200,000 draws.
    for point in range(-3, 4):
        share = 0.5 * (1 + math.erf(point / 2**0.5))
        sigma = (share * (1 - share) / draw.size) ** 0.5
        np.testing.assert_allclose((draw < point).mean(), share, atol=5 * sigma)


@pytest.mark.parametrize("size", [2, 4, 5])
def test_normal_latents_are_independent(size):
    draw = Normal(size)(40_000, [5, 6]).numpy()
    # Coordinates with each other and with the row before; and their squares, which would show a
    # radius or an angle used twice.
    for columns in (np.concatenate([draw, np.roll(draw, 1, axis=0)], axis=1), draw**2):
        correlations = np.corrcoef(columns, rowvar=False) - np.eye(columns.shape[1])
        assert np.abs(correlations).max() < 5 / 40_000**0.5


def test_as_sampler_accepts_sizes_and_samplers():
    assert as_sampler(7) == Normal(7)
    assert as_sampler(SAMPLERS[1]) is SAMPLERS[1]


@pytest.mark.parametrize("latents", [True, 1.5, "normal", None, lambda count, seed: 0])
def test_anything_else_is_no_sampler(latents):
    with pytest.raises(TypeError, match="`latents` must be a number of coordinates or a sampler"):
        as_sampler(latents)


@pytest.mark.parametrize("kind", [Normal, Uniform, Sphere])
def test_sizes_are_checked(kind):
    for size in (0, 1.5, True):
        message = f"`size` must be a number of latent coordinates, an integer >= 1. .*{size}"
        with pytest.raises(ValueError, match=message):
            kind(size)


def test_no_noise_has_no_coordinates():
    assert as_sampler(0) == NoNoise()
    draw = NoNoise()(5, [0, 0])
    assert draw.shape == (5, *NoNoise().shape) == (5, 0) and draw.dtype == tf.float32
