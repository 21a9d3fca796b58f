"""Modes, quality and evenness of points, on cases with known answers and by their definitions."""

import math

import numpy as np
import pytest

from tfgan_stab.data import mixture
from tfgan_stab.evaluation.metrics import mixtures
from tfgan_stab.evaluation.metrics.mixtures import MixtureCounts, mixture_quality

GRID = np.array([[x, y] for x in range(5) for y in range(5)], float)


def points(seed, samples=500):
    random = np.random.default_rng(seed)
    return GRID[random.integers(0, 20, samples)] + 0.15 * random.normal(size=(samples, 2))


def naive(samples, centers, radius):
    near, nearest = [0] * len(centers), [0] * len(centers)
    for sample in samples:
        distances = [math.dist(sample, center) for center in centers]
        mode = distances.index(min(distances))
        nearest[mode] += 1
        near[mode] += distances[mode] <= radius
    shares = [count / len(samples) for count in nearest]
    divergence = sum(p * math.log(p / (1 / len(centers))) for p in shares if p)
    return sum(count > 0 for count in near), sum(near) / len(samples), divergence


def test_they_are_what_their_definitions_say():
    samples = points(0)
    modes, high_quality, divergence = naive(samples.tolist(), GRID.tolist(), 0.2)
    assert 0.2 < high_quality < 0.8
    found = mixture_quality(samples, GRID, std=0.05)
    assert found[:2] == (modes, high_quality)
    assert found.reverse_kl == pytest.approx(divergence, rel=1e-12)


def test_a_case_by_hand():
    # One near mode 0, two near mode 1, one nearest to mode 3 but far: shares 1/4, 1/2, 0, 1/4.
    samples = [[0.19, 0.0], [1.0, 0.1], [1.2, 0.0], [3.0, 0.5]]
    centers = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]
    found = mixture_quality(samples, centers, std=0.05, reach=4.1)
    assert found[:2] == (2, 0.75)
    assert found.reverse_kl == pytest.approx(0.5 * math.log(2))


def test_the_edge_of_a_mode_is_near():
    for coordinate, expected in ((0.5, 1.0), (0.5 + 1e-12, 0.0)):
        assert mixture_quality([[coordinate]], [[0.0]], std=0.125).high_quality == expected


def test_the_data_themselves_are_of_high_quality():
    data = mixture(batch_size=2000, seed=0, modes=25, std=0.05)
    samples = next(iter(data)).numpy()
    found = mixture_quality(samples, data.modes, std=0.05)
    # In the plane exp(-8) lies outside of four standard deviations.
    assert found.modes == 25 and found.high_quality > 0.99
    assert found.reverse_kl < 0.03


def test_collapse_is_ln_of_the_modes_and_evenness_0():
    collapsed = mixture_quality(np.tile(GRID[7], (10, 1)), GRID, std=0.05)
    assert collapsed == (1, 1.0, pytest.approx(math.log(25)))
    assert mixture_quality(GRID, GRID, std=0.05) == (25, 1.0, pytest.approx(0.0, abs=1e-12))


def test_a_mode_may_need_a_share_of_the_points():
    samples = np.repeat([[0.0], [1.0]], [95, 5], axis=0)
    shares = {share: mixture_quality(samples, [[0.0], [1.0]], 0.1, 4.0, share).modes
              for share in (0.0, 0.05, 0.06, 1.0)}  # fmt: skip
    assert shares == {0.0: 2, 0.05: 2, 0.06: 1, 1.0: 0}


def test_modes_without_a_near_point_are_not_recovered():
    assert mixture_quality([[0.5]], [[0.0], [1.0]], std=0.01).modes == 0


def test_points_that_are_no_numbers_are_far_from_every_mode():
    samples = np.array([[0.0], [np.nan], [np.inf], [1e300], [9.0]])
    assert mixture_quality(samples, [[0.0], [1.0]], std=0.1)[:2] == (1, 0.2)
    # Of the two that have distances each is nearest to one mode.
    assert mixture_quality(samples, [[0.0], [1.0]], std=0.1).reverse_kl == pytest.approx(0.0)
    diverged = mixture_quality(np.full((3, 2), np.nan), GRID, std=0.05)
    assert diverged == (0, 0.0, math.inf)


def test_counts_merge_to_those_of_the_whole(monkeypatch):
    samples = points(1)
    whole = mixture_quality(samples, GRID, std=0.05)
    pieces = [MixtureCounts.of(part, GRID, std=0.05) for part in np.split(samples, [1, 100, 333])]
    assert (pieces[3] + pieces[0] + (pieces[2] + pieces[1])).quality() == whole
    monkeypatch.setattr(mixtures, "_ROWS", 7)
    assert mixture_quality(samples, GRID, std=0.05) == whole


def test_counts_of_different_mixtures_do_not_merge():
    with pytest.raises(ValueError, match="same mixture. Received: 25 and 24 modes"):
        MixtureCounts.of(GRID, GRID, 0.05) + MixtureCounts.of(GRID, GRID[1:], 0.05)


def test_points_and_centers_of_different_spaces_are_refused():
    with pytest.raises(ValueError, match="one space. Received: 2 and 1 coordinates"):
        mixture_quality(GRID, GRID[:, :1], std=0.05)


@pytest.mark.parametrize("name", ["std", "reach"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_lengths_that_are_none_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a number > 0. Received:"):
        mixture_quality(GRID, GRID, **{"std": 0.05, name: value})


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_shares_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match=r"`least_share` must be a number in \[0, 1\]. Received:"):
        mixture_quality(GRID, GRID, 0.05, least_share=value)


def test_what_is_no_row_of_points_is_refused():
    with pytest.raises(ValueError, match=r"shape \[samples, size\].*Received: shape \[2\]"):
        mixture_quality([0.0, 1.0], GRID, 0.05)
    with pytest.raises(TypeError, match="real numbers. Received: dtype complex128"):
        mixture_quality(GRID * 1j, GRID, 0.05)
    with pytest.raises(ValueError, match="Centers must be finite"):
        mixture_quality(GRID, GRID * np.nan, 0.05)
