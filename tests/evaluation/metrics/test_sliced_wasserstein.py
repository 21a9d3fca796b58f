"""The sliced Wasserstein distance against TF-GAN, closed forms and a naive rewrite."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.extractors import tfgan
from tfgan_stab.evaluation.metrics import sliced_wasserstein as module
from tfgan_stab.evaluation.metrics.sliced_wasserstein import (
    distance_along,
    sliced_wasserstein,
    sliced_wasserstein_of_images,
    unit_directions,
)


def gaussian(seed, samples=200, size=9):
    return np.random.default_rng(seed).normal(size=(samples, size))


def test_along_the_same_directions_it_is_tfgans(monkeypatch):
    real, fake = gaussian(0), 2.0 * gaussian(1) + 0.5
    directions = unit_directions(9, 40, seed=3)
    inner = tfgan.evaluation().sliced_wasserstein._sliced_wasserstein
    # Of any length: TF-GAN brings them to length 1 itself.
    monkeypatch.setattr(tf.random, "normal", lambda shape: tf.constant(7.0 * directions))
    expected = inner(tf.constant(real), tf.constant(fake), 1, 40)
    assert_allclose(distance_along(real, fake, directions), expected, rtol=1e-10)
    assert_allclose(sliced_wasserstein(real, fake, 40, seed=3), expected, rtol=1e-10)


@pytest.mark.parametrize("samples", [(6, 6), (6, 4), (3, 7), (1, 5)])
def test_it_is_the_area_between_quantile_functions(samples):
    real, fake = gaussian(0, samples[0], 2), gaussian(1, samples[1], 2)
    directions = unit_directions(2, 50, seed=0)
    # Each sample as often as there are on the other side: the same two distributions, equal sizes.
    areas = [
        np.abs(
            np.sort(np.repeat(real @ direction, samples[1]))
            - np.sort(np.repeat(fake @ direction, samples[0]))
        ).mean()
        for direction in directions.T
    ]
    assert_allclose(sliced_wasserstein(real, fake, 50), np.mean(areas), rtol=1e-10)


def test_one_feature_has_one_direction():
    assert_allclose(sliced_wasserstein([[0.0], [4.0]], [[1.0], [1.0]]), (1 + 3) / 2, rtol=1e-15)
    # Quantiles 0 0 4 4 against 1 1 1 9.
    distance = sliced_wasserstein([[0.0], [4.0]], [[9.0], [1.0], [1.0], [1.0]])
    assert_allclose(distance, (1 + 1 + 3 + 5) / 4, rtol=1e-15)


def test_a_shift_counts_by_its_length_along_each_direction():
    shift = np.arange(9.0)
    expected = np.abs(shift @ unit_directions(9, 128, seed=5)).mean()
    distance = sliced_wasserstein(gaussian(0), gaussian(0) + shift, seed=5)
    assert_allclose(distance, expected, rtol=1e-10)


def test_directions_are_even_over_the_sphere():
    directions = unit_directions(3, 20000, seed=0)
    assert_allclose((directions**2).sum(axis=0), 1.0, rtol=1e-12)
    assert_allclose(directions @ directions.T / 20000, np.eye(3) / 3, atol=0.01)
    assert_allclose(np.abs(directions).mean(axis=1), 0.5, atol=0.01)  # Archimedes' hat box.


def test_order_does_not_matter_and_a_set_is_at_no_distance_from_itself():
    real, fake = gaussian(0), gaussian(1, 170)
    shuffled = np.random.default_rng(0).permutation(real)
    assert_allclose(sliced_wasserstein(real, shuffled), 0.0, atol=1e-14)
    assert_allclose(sliced_wasserstein(shuffled, fake), sliced_wasserstein(real, fake), rtol=1e-12)
    assert_allclose(sliced_wasserstein(fake, real), sliced_wasserstein(real, fake), rtol=1e-12)


def test_the_seed_decides():
    real, fake = gaussian(0), gaussian(1)
    assert sliced_wasserstein(real, fake, seed=1) == sliced_wasserstein(real, fake, seed=1)
    assert sliced_wasserstein(real, fake, seed=1) != sliced_wasserstein(real, fake, seed=2)


def test_pieces_change_nothing(monkeypatch):
    real, fake = gaussian(0), gaussian(1, 170)
    expected = sliced_wasserstein(real, fake)
    monkeypatch.setattr(module, "_ROWS", 7)
    monkeypatch.setattr(module, "_DIRECTIONS", 5)
    assert_allclose(sliced_wasserstein(real, fake), expected, rtol=1e-12)


def test_single_precision_is_computed_in_double():
    real, fake = gaussian(0).astype(np.float32), gaussian(1).astype(np.float32)
    exact = sliced_wasserstein(real.astype(np.float64), fake.astype(np.float64))
    assert sliced_wasserstein(real, fake) == exact


def test_features_too_large_to_project_are_refused():
    with pytest.raises(OverflowError, match="too large for their projections"):
        sliced_wasserstein(np.full((3, 9), 1.7e308), -np.full((3, 9), 1.7e308))


def test_no_projections_are_refused():
    with pytest.raises(ValueError, match="`projections` must be an integer >= 1. Received: 0"):
        sliced_wasserstein(gaussian(0), gaussian(1), projections=0)


def test_features_of_different_extractors_are_refused():
    with pytest.raises(ValueError, match="same extractor. Received: 9 and 8"):
        sliced_wasserstein(gaussian(0), gaussian(1, size=8))


# -- Of images ------------------------------------------------------------------------------------


def images(seed, samples=12, height=32, width=None, channels=3):
    shape = (samples, height, width or height, channels)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def smooth(values):
    return (values + np.roll(values, 1, axis=1) + np.roll(values, 1, axis=2)) / 3


@pytest.mark.parametrize("height, width, channels", [(32, 32, 3), (16, 48, 1), (64, 64, 5)])
def test_the_pyramid_is_tfgans(height, width, channels):
    batch = images(0, 3, height, width, channels)
    expected = tfgan.evaluation().sliced_wasserstein.laplacian_pyramid(tf.constant(batch), 3)
    for number, level in enumerate(expected):
        own = module.pyramid_level(batch, number, last=number == 2)
        assert_allclose(own, level, atol=2e-6)


@pytest.mark.parametrize("height, width", [(32, 32), (17, 30), (9, 5)])
def test_the_pyramid_adds_up_to_the_image(height, width):
    batch = images(0, 2, height, width)
    low = module.pyramid_level(batch, 1, last=True)
    assert low.shape == (2, -(-height // 2), -(-width // 2), 3)
    details = module.pyramid_level(batch, 0, last=False)
    assert_allclose(details + module._doubled(low, batch.shape), batch, atol=1e-6)


def test_a_constant_image_has_no_details():
    batch = np.full((1, 33, 21, 2), 0.7)
    assert_allclose(module.pyramid_level(batch, 0, last=False), 0.0, atol=1e-14)
    assert_allclose(module.pyramid_level(batch, 2, last=True), 0.7, rtol=1e-14)


def test_patches_are_cut_where_they_were_drawn():
    batch = images(0, 2, 9, 11)
    rows, columns = np.array([[0, 4], [2, 6]]), np.array([[8, 1], [0, 3]])
    patches = module.patches_at(batch, rows, columns, 3)
    places = [(0, 0, 8), (0, 4, 1), (1, 2, 0), (1, 6, 3)]
    expected = [batch[i, y : y + 3, x : x + 3] for i, y, x in places]
    np.testing.assert_array_equal(patches, expected)


def test_normalized_patches_are_tfgans_and_constant_ones_zero():
    patches = images(0, 5, 7)
    expected = tfgan.evaluation().sliced_wasserstein._normalize_patches([tf.constant(patches)])
    assert_allclose(module.normalized(patches.astype(float)), expected, atol=1e-5)
    constant = 0.3 + 1e-9 * patches.astype(float)
    assert not module.normalized(constant).any()
    faint = 0.3 + 1e-4 * patches.astype(float)
    assert_allclose(module.normalized(faint), expected, atol=1e-5)


def recorded_corners(monkeypatch):
    """A list that every drawing of patches adds their corners to."""
    drawn, original = [], module._corners

    def recording(*arguments):
        drawn.append(original(*arguments))
        return drawn[-1]

    monkeypatch.setattr(module, "_corners", recording)
    return drawn


@pytest.mark.parametrize("size, levels", [(32, 2), (64, 3), (16, 1)])
def test_with_the_same_patches_and_directions_it_is_tfgans(size, levels, monkeypatch):
    real, fake = images(0, height=size), smooth(images(1, height=size))
    drawn = recorded_corners(monkeypatch)
    own = sliced_wasserstein_of_images(real, fake, patches_per_image=8, projections=30, seed=4)
    # TF-GAN draws the middles of patches: all real levels twice, then all fake ones.
    middles = [np.reshape(edges, (-1, 1, 1, 1)) + 3 for pair in drawn for edges in pair]
    queue = []
    for level in range(levels):
        queue += middles[4 * level : 4 * level + 2] * 2
    for level in range(levels):
        queue += middles[4 * level + 2 : 4 * level + 4]
    directions = unit_directions(7 * 7 * 3, 30, seed=4).astype(np.float32)
    monkeypatch.setattr(np.random, "randint", lambda *arguments, **keywords: queue.pop(0))
    monkeypatch.setattr(tf.random, "normal", lambda shape: tf.constant(directions))
    expected = tfgan.evaluation().sliced_wasserstein.sliced_wasserstein_distance(
        tf.constant(real), tf.constant(fake), patches_per_image=8, random_projection_dim=30
    )
    assert not queue and own.resolutions == (64, 32, 16)[-levels:]
    assert_allclose(own.distances, [distance for _, distance in expected], rtol=1e-5)
    assert_allclose(own.mean, np.mean(own.distances), rtol=1e-12)


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_number_of_channels_tells_coarse_from_fine(channels):
    real, fine = images(0, 40, channels=channels), images(1, 40, channels=channels)
    baseline = sliced_wasserstein_of_images(real, fine)
    coarse = fine[:, :4, :4].repeat(8, axis=1).repeat(8, axis=2)
    found = sliced_wasserstein_of_images(real, coarse)
    assert found.distances[0] > 1.5 * baseline.distances[0] > 0


@pytest.mark.parametrize("height, width", [(33, 47), (8, 8), (28, 28), (7, 100)])
def test_any_size_gives_finite_distances(height, width):
    real, fake = images(0, 4, height, width), images(1, 5, height, width)
    found = sliced_wasserstein_of_images(real, fake, patches_per_image=5)
    side = min(height, width)
    assert found.resolutions == ((33, 17) if side == 33 else (side,))
    assert len(found.distances) == len(found.resolutions)
    assert all(0 < distance < 2 for distance in found.distances)


def test_constant_images_give_numbers():
    flat = np.full((4, 32, 32, 3), 0.3, np.float32)
    assert sliced_wasserstein_of_images(flat, -flat).distances == (0.0, 0.0)
    assert min(sliced_wasserstein_of_images(images(0), flat).distances) > 0.5


@pytest.mark.slow
def test_seed_of_images():
    real, fake = images(0), images(1)
    first, again, other = (sliced_wasserstein_of_images(real, fake, seed=s) for s in (1, 1, 2))
    assert first == again != other


def test_patches_are_drawn_anew_for_each_seed_and_side(monkeypatch):
    drawn = recorded_corners(monkeypatch)
    for seed in (1, 2):
        sliced_wasserstein_of_images(images(0), images(0), patches_per_image=1, seed=seed)
    # Two seeds, each with two levels of two sides; levels differ in size, so one at a time.
    assert len(drawn) == 8
    for level in (drawn[0::4] + drawn[1::4], drawn[2::4] + drawn[3::4]):
        assert len({np.concatenate(edges).tobytes() for edges in level}) == 4


def test_pieces_of_images_change_nothing(monkeypatch):
    expected = sliced_wasserstein_of_images(images(0), images(1))
    monkeypatch.setattr(module, "_VALUES", 5 * 32 * 32 * 3)
    assert sliced_wasserstein_of_images(images(0), images(1)) == expected


@pytest.mark.parametrize("size, side", [(6, 32), (1, 32), (17, 32), (3, 1)])
def test_patches_that_cannot_be_are_refused(size, side):
    batch = images(0, height=side)
    with pytest.raises(ValueError, match=f"`patch_size` must be odd.* Received: {size}, where"):
        sliced_wasserstein_of_images(batch, batch, patch_size=size)


def test_images_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"one shape .* \[32, 32, 3\] and \[16, 16, 3\]"):
        sliced_wasserstein_of_images(images(0), images(1, height=16))
    with pytest.raises(ValueError, match=r"one shape .* \[2\] and \[2\]"):
        sliced_wasserstein_of_images(np.zeros((3, 2)), np.zeros((3, 2)))


def test_images_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"must lie in \[-1, 1\]"):
        sliced_wasserstein_of_images(images(0), 200 * images(1))
