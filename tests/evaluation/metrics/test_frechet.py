"""The Frechet distance against TF-GAN, closed forms and an independent route."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.evaluation.metrics.frechet import frechet_distance, frechet_distance_from_moments
from tfgan_stab.evaluation.metrics.moments import Moments


def gaussian(seed, samples=600, size=32, rank=None, scale=1.0):
    random = np.random.default_rng(seed)
    rank = rank or size
    return scale * (
        random.normal(size=(samples, rank)) @ random.normal(size=(rank, size))
        + random.normal(size=size)
    )


def heavy_tailed(seed, samples=600, size=32):
    random = np.random.default_rng(seed)
    return random.standard_t(3, size=(samples, size)) * np.geomspace(1e-3, 10, size)


def relu_like(seed, samples=600):
    """Half of the features are dead, as happens to classifiers."""
    values = np.maximum(gaussian(seed, samples), 0.0)
    values[:, ::2] = 0.0
    return values


def by_eigenvalues(real, fake):
    """The distance from the eigenvalues of C1 C2, a route that takes no root of a matrix."""
    first, second = np.atleast_2d(np.cov(real.T)), np.atleast_2d(np.cov(fake.T))
    products = np.linalg.eigvals(first @ second).real
    root = np.sqrt(np.maximum(products, 0.0)).sum()
    shift = ((real.mean(axis=0) - fake.mean(axis=0)) ** 2).sum()
    return shift + np.trace(first) + np.trace(second) - 2 * root


def by_singular_values(real, fake):
    """The distance from the features themselves: Tr (C1 C2)^1/2 is the nuclear norm of X1 X2^T.

    No covariance is formed, so that nothing is squared: right to rounding at any rank.
    """
    first, second = (features - features.mean(axis=0) for features in (real, fake))
    first, second = (x / np.sqrt(len(x) - 1) for x in (first, second))
    root = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    shift = ((real.mean(axis=0) - fake.mean(axis=0)) ** 2).sum()
    return shift + np.sum(first**2) + np.sum(second**2) - 2 * root


def by_sqrtm(real, fake):
    """The distance as pytorch-fid and the paper's code compute it: SciPy's root of C1 C2."""
    first, second = np.atleast_2d(np.cov(real.T)), np.atleast_2d(np.cov(fake.T))
    root = np.trace(np.atleast_2d(scipy.linalg.sqrtm(first @ second))).real
    shift = ((real.mean(axis=0) - fake.mean(axis=0)) ** 2).sum()
    return shift + np.trace(first) + np.trace(second) - 2 * root


CASES = {
    "random": (gaussian(0), gaussian(1)),
    "unequal sizes": (gaussian(0, samples=500), gaussian(1, samples=1500)),
    "one side rank-deficient": (gaussian(0), gaussian(1, rank=5)),
    "both rank-deficient": (gaussian(0, rank=9), gaussian(1, rank=5)),
    "fewer samples than features": (gaussian(0, samples=20), gaussian(1, samples=25)),
    "heavy-tailed": (heavy_tailed(0), heavy_tailed(1) * 1.5),
    "dead features": (relu_like(0), relu_like(1)),
    "one side constant": (gaussian(0), np.ones((10, 32))),
    "one feature": (gaussian(0, size=1), gaussian(1, size=1)),
}
by_case = pytest.mark.parametrize("real, fake", CASES.values(), ids=CASES)


@by_case
def test_the_distance_is_tfgans(real, fake):
    expected = tfgan.evaluation().frechet_classifier_distance_from_activations(
        tf.constant(real), tf.constant(fake)
    )
    assert_allclose(frechet_distance(real, fake), expected, rtol=1e-6)


@by_case
def test_the_distance_is_that_of_the_eigenvalues(real, fake):
    # Eigenvalues of an unsymmetric product know a zero only to 1e-16 of the largest, and the root
    # makes that 1e-8 for each of up to 32.
    assert_allclose(frechet_distance(real, fake), by_eigenvalues(real, fake), rtol=1e-6)


@pytest.mark.cases(fast=2)
@by_case
def test_the_distance_is_that_of_singular_values_to_eight_digits(real, fake):
    assert_allclose(frechet_distance(real, fake), by_singular_values(real, fake), rtol=1e-8)


@pytest.mark.parametrize("case", ["random", "unequal sizes", "heavy-tailed", "one feature"])
def test_the_distance_is_that_of_other_tools_where_no_covariance_is_singular(case):
    real, fake = CASES[case]
    assert_allclose(frechet_distance(real, fake), by_sqrtm(real, fake), rtol=1e-8)


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("size", [1, 5, 64, 300])
def test_many_features_agree_with_singular_values(size):
    for samples in (40, 700):
        real, fake = relu_like(0, samples), relu_like(1, samples)
        mixing = np.random.default_rng(size).normal(size=(32, size))
        distance = frechet_distance(real @ mixing, fake @ mixing)
        assert_allclose(distance, by_singular_values(real @ mixing, fake @ mixing), rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e6, 1e12])
def test_independent_features_have_a_closed_form_at_any_scale(scale):
    # Two samples on each of the axes: means and variances are known exactly.
    axes, random = np.eye(6), np.random.default_rng(0)
    real_widths, fake_widths = random.uniform(0.1, 3, 6), random.uniform(0.1, 3, 6)
    mean = random.normal(size=6)
    real = scale * np.concatenate([axes, -axes]) * real_widths
    fake = scale * (np.concatenate([axes, -axes]) * fake_widths + mean)
    variance = 2 / 11  # Of each axis at width 1: two of twelve samples at distance 1.
    expected = (mean**2).sum() + variance * ((real_widths - fake_widths) ** 2).sum()
    assert_allclose(frechet_distance(real, fake), expected * scale**2, rtol=1e-10)


@by_case
def test_a_set_is_at_no_distance_from_itself(real, fake):
    for features in (real, fake):
        distance = frechet_distance(features, features)
        # The root is of squares, known to 1e-16 of the largest: 1e-8 for each feature at most.
        assert 0.0 <= distance <= 1e-8 * features.shape[1] * features.var(axis=0).max()


@by_case
def test_the_distance_is_symmetric(real, fake):
    assert_allclose(frechet_distance(real, fake), frechet_distance(fake, real), rtol=1e-7)


def test_step_off_never_shows_as_a_negative_distance():
    for seed in range(20):
        features = gaussian(seed, samples=40, scale=1e3)
        shuffled = np.random.default_rng(seed).permutation(features)
        assert frechet_distance(features, shuffled) >= 0.0


def test_step_off_below_zero_is_cut_off_and_known():
    distances = []
    for seed in range(20):
        features = gaussian(seed, samples=40, scale=1e3)
        distances.append(
            frechet_distance(features, np.random.default_rng(seed).permutation(features))
        )
    clipped = [distance.clipped for distance in distances]
    assert all(distance == 0.0 for distance in distances if distance.clipped)
    assert 0 < max(clipped) < 1e-2 and min(clipped) == 0.0  # Of variances about 3e7.


def test_the_root_of_the_real_covariance_is_taken_once(monkeypatch):
    taken, eigh = [], np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: taken.append(1) or eigh(matrix))
    real = Moments.of(gaussian(0))
    first = [frechet_distance_from_moments(real, Moments.of(gaussian(seed))) for seed in (1, 2)]
    assert len(taken) == 1
    assert first == [frechet_distance(gaussian(0), gaussian(seed)) for seed in (1, 2)]


def test_nothing_of_scipy_is_in_the_way_to_a_distance():
    code = (
        "import sys, numpy as np; from tfgan_stab.evaluation import frechet_distance;"
        "frechet_distance(np.eye(4), 2 * np.eye(4)); assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_shift_adds_its_squared_length():
    real = gaussian(0)
    assert_allclose(frechet_distance(real, real + 2.0), 4.0 * 32, rtol=1e-9)


def test_two_constants_differ_by_their_means_alone():
    assert frechet_distance(np.zeros((5, 3)), np.full((7, 3), 2.0)) == 12.0


def test_merged_moments_give_the_distance_of_the_whole():
    real, fake = CASES["random"]
    merged = Moments.of(real[:17]) + Moments.of(real[17:])
    distance = frechet_distance_from_moments(merged, Moments.of(fake))
    assert_allclose(distance, frechet_distance(real, fake), rtol=1e-10)


def test_features_of_different_extractors_are_refused():
    with pytest.raises(ValueError, match="same extractor. Received: 32 and 31 features"):
        frechet_distance(gaussian(0), gaussian(1, size=31))


def test_a_single_sample_is_refused():
    with pytest.raises(ValueError, match="at least 2 samples. Received: 1"):
        frechet_distance(gaussian(0), gaussian(1, samples=1))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_features_too_large_for_a_covariance_are_refused():
    with pytest.raises(OverflowError, match="too large for a covariance"):
        frechet_distance(gaussian(0, scale=1e200), gaussian(1))


def test_nan_features_are_refused():
    features = gaussian(0)
    features[3] = np.nan
    with pytest.raises(ValueError, match="1 of 600 samples, the first at index 3"):
        frechet_distance(gaussian(0), features)


def test_tiny_features_have_their_distance():
    features = [np.random.default_rng(seed).normal(size=(50, 3)) for seed in (0, 1)]
    tiny = frechet_distance(*(1e-90 * each for each in features))
    assert_allclose(tiny, 1e-180 * frechet_distance(*features), rtol=1e-9)
