"""MS-SSIM over pairs against a naive rewrite and known answers."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.metrics import ms_ssim as module
from tfgan_stab.evaluation.metrics.ms_ssim import ms_ssim, similarity_scales


def images(seed, samples=2, height=16, width=None, channels=1):
    """Noise on a picture that all share, so that pairs are neither alike nor strangers."""
    shape = (samples, height, width or height, channels)
    shared = np.random.default_rng(99).uniform(-0.5, 0.5, shape[1:])
    return (shared + np.random.default_rng(seed).uniform(-0.5, 0.5, shape)).astype(np.float32)


def naive_parts(x, y, size):
    """Means over places of SSIM and of its contrast-structure part, of one channel in [0, 1]."""
    steps = range(size)
    middle = (size - 1) / 2
    window = np.array(
        [[math.exp(-((i - middle) ** 2 + (j - middle) ** 2) / 4.5) for j in steps] for i in steps]
    )
    window /= window.sum()
    found = []
    for top, left in itertools.product(*(range(side - size + 1) for side in x.shape)):
        place = (slice(top, top + size), slice(left, left + size))
        a, b = x[place], y[place]
        mean_a, mean_b = (window * a).sum(), (window * b).sum()
        luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
        covariance = (window * (a - mean_a) * (b - mean_b)).sum()
        variances = (window * ((a - mean_a) ** 2 + (b - mean_b) ** 2)).sum()
        structure = (2 * covariance + 9e-4) / (variances + 9e-4)
        found.append((luminance * structure, structure))
    return np.mean(found, axis=0)


def halved(x):
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


@pytest.mark.parametrize("height, width, size", [(16, 13, 11), (8, 8, 7), (3, 5, 3)])
def test_one_level_is_the_structural_similarity(height, width, size):
    pair = images(0, 2, height, width, channels=2)
    first, second = (pair.astype(float) + 1) / 2
    expected = np.mean(
        [max(naive_parts(first[..., c], second[..., c], size)[0], 0) for c in range(2)]
    )
    value, scales = ms_ssim(pair)
    assert scales == (1, size) and scales.weights == (1.0,)
    assert 0.05 < expected < 0.95
    assert_allclose(value, expected, rtol=1e-4)


def test_two_levels_multiply_with_weights_that_add_up_to_1():
    pair = images(1, 2, 24)
    first, second = (pair[..., 0].astype(float) + 1) / 2
    fine, coarse = 0.0448 / (0.0448 + 0.2856), 0.2856 / (0.0448 + 0.2856)
    structure = naive_parts(first, second, 11)[1]
    similarity = naive_parts(halved(first), halved(second), 11)[0]
    value, scales = ms_ssim(pair)
    assert scales == (2, 11)
    assert_allclose(value, structure**fine * similarity**coarse, rtol=1e-4)


def test_two_constant_images_differ_by_their_luminance():
    # 0.25 and 0.75 of the range.
    pair = np.stack([np.full((32, 32, 3), -0.5), np.full((32, 32, 3), 0.5)])
    luminance = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    value, scales = ms_ssim(pair)
    assert_allclose(value, luminance ** scales.weights[-1], rtol=5e-4)


@pytest.mark.parametrize("side", [3, 8, 30, 64])
def test_the_same_image_twice_scores_1(side):
    assert_allclose(ms_ssim(np.repeat(images(0, 1, side), 5, axis=0)).value, 1.0, rtol=1e-6)
    assert ms_ssim(np.full((4, side, side, 3), -1.0)).value == 1.0


def test_images_that_are_less_alike_score_lower():
    noise = np.random.default_rng(0).uniform(-1, 1, (20, 32, 32, 3))
    values = [ms_ssim(share * noise + (1 - share) * noise[0]).value for share in (0.1, 0.5, 1.0)]
    assert 1 > values[0] > values[1] > values[2] >= 0


def test_pairs_are_disjoint_and_drawn_by_the_seed():
    # Of 8 alike and 8 other images a pair is either all alike or not at all: count by kinds.
    batch = np.concatenate([images(0, 8), -images(1, 8)])
    parts = {seed: ms_ssim(batch, seed=seed).value.parts for seed in (0, 0, 1, 2)}
    np.testing.assert_array_equal(parts[0], ms_ssim(batch, seed=0).value.parts)
    assert any(np.any(parts[0] != parts[seed]) for seed in (1, 2))
    assert parts[0].shape == (8,)
    # Exactly two images are white: no more than two pairs hold one.
    white = np.zeros((10, 16, 16, 1))
    white[:2] = 1.0
    for seed in range(5):
        assert (ms_ssim(white, seed=seed).value.parts < 0.999).sum() in (0, 2)


def test_fewer_pairs_are_the_first_of_all():
    batch = images(0, 20)
    few = ms_ssim(batch, pairs=3).value
    assert_allclose(few.parts, ms_ssim(batch).value.parts[:3], rtol=1e-6)


def test_pieces_change_nothing(monkeypatch):
    batch = images(0, 20)
    expected = ms_ssim(batch).value.parts
    monkeypatch.setattr(module, "_VALUES", 3 * 16 * 16)
    assert_allclose(ms_ssim(batch).value.parts, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "side, levels", [(11, 1), (21, 1), (22, 2), (43, 2), (44, 3), (87, 3), (88, 4), (175, 4)]
)
def test_scales_are_as_many_as_the_size_allows(side, levels):
    assert similarity_scales(side, 500) == similarity_scales(500, side) == (levels, 11)
    assert math.isclose(sum(similarity_scales(side, side).weights), 1.0)


def test_large_images_have_all_five_scales():
    assert similarity_scales(176, 176) == similarity_scales(1000, 1000) == (5, 11)
    assert_allclose(similarity_scales(176, 176).weights, module._WEIGHTS, rtol=2e-4)
    assert 0 < ms_ssim(images(0, 2, 177, 181)).value < 1


@pytest.mark.parametrize("height, width", [(1, 1), (2, 9), (9, 2)])
def test_images_without_structure_are_refused(height, width):
    with pytest.raises(ValueError, match=f"at least 3 pixels .* Received: {height} x {width}"):
        ms_ssim(images(0, 2, height, width))


def test_a_single_image_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 images .* shape \[1, 16, 16, 1\]"):
        ms_ssim(images(0, 1))
    with pytest.raises(ValueError, match=r"at least 2 images .* shape \[9, 2\]"):
        ms_ssim(np.zeros((9, 2)))


def test_more_pairs_than_images_have_are_refused():
    with pytest.raises(ValueError, match="4 pairs .* need 8 images. Received: 7"):
        ms_ssim(images(0, 7), pairs=4)
    with pytest.raises(ValueError, match="`pairs` must be an integer >= 1. Received: 0"):
        ms_ssim(images(0, 7), pairs=0)


def test_images_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="Images must be finite"):
        ms_ssim(images(0) * np.nan)
