"""Precision, recall, density and coverage on cases with known answers and by their definition."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from tfgan_stab.evaluation.metrics import precision_recall as module
from tfgan_stab.evaluation.metrics.precision_recall import SampleQuality, precision_recall


def gaussian(seed, samples=60, size=5):
    return np.random.default_rng(seed).normal(size=(samples, size))


def naive(real, fake, k):
    """All four by their definition, one pair at a time, in the numbers given."""

    def distance(x, y):
        return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))

    def radius(points, index):
        others = [distance(points[index], y) for j, y in enumerate(points) if j != index]
        return sorted(others)[k - 1]

    real_radii = [radius(real, index) for index in range(len(real))]
    fake_radii = [radius(fake, index) for index in range(len(fake))]
    in_real = [
        [distance(x, y) <= limit for x, limit in zip(real, real_radii, strict=True)] for y in fake
    ]
    in_fake = [
        [distance(x, y) <= limit for y, limit in zip(fake, fake_radii, strict=True)] for x in real
    ]
    return SampleQuality(
        sum(map(any, in_real)) / len(fake),
        sum(map(any, in_fake)) / len(real),
        sum(map(sum, in_real)) / (k * len(fake)),
        sum(map(any, zip(*in_real, strict=True))) / len(real),
    )


CASES = {
    "alike": (gaussian(0), gaussian(1)),
    "narrower": (gaussian(0), 0.3 * gaussian(1)),
    "wider": (gaussian(0), 2.0 * gaussian(1)),
    "shifted": (gaussian(0), gaussian(1) + 1.0),
    "fewer fake": (gaussian(0), gaussian(1, 17)),
    "fewer real": (gaussian(0, 23), gaussian(1)),
    "heavy-tailed": (gaussian(0) ** 5, gaussian(1) ** 5),
    "far from the origin": (gaussian(0) + 1e6, gaussian(1) + 1e6),
    "one feature": (gaussian(0, size=1), gaussian(1, size=1)),
}


@pytest.mark.parametrize("k", [1, 3, 16])
@pytest.mark.parametrize("real, fake", CASES.values(), ids=CASES)
def test_they_are_what_their_definitions_say(real, fake, k):
    assert precision_recall(real, fake, k) == naive(real.tolist(), fake.tolist(), k)


@pytest.mark.parametrize("offset, unit", [(0, 1), (10**6, 1), (0, Fraction(1, 3)), (-7, 2**-300)])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_points_on_the_edge_of_a_ball_are_inside(k, offset, unit):
    # Few whole numbers: most distances are equal to some radius, and many points are the same.
    random = np.random.default_rng(k)
    real, fake = (random.integers(0, 4, size=(samples, 3)) for samples in (50, 40))
    expected = naive(real.tolist(), fake.tolist(), k)
    assert 0 < expected.coverage < 1 or expected.density > 1
    scaled = [(points + offset) * float(unit) for points in (real, fake)]
    assert precision_recall(*scaled, k, chunk=7) == expected


def test_a_copy_of_the_real_samples_is_perfect():
    features = gaussian(0, 40)
    # Each ball holds its own center and its k nearest.
    assert precision_recall(features, features, 3) == (1.0, 1.0, 4 / 3, 1.0)


def test_collapse_to_one_mode_is_precise_and_recalls_nothing():
    # Four real points at each corner of a large square; the fakes crowd at one of them.
    corner = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float)
    real = np.concatenate([corner + shift for shift in ([0, 0], [100, 0], [0, 100], [100, 100])])
    fake = 0.5 + 0.1 * corner
    found = precision_recall(real, fake, 3)
    assert found == (1.0, 0.0, 4 / 3, 0.25)


def test_collapse_to_one_real_image_is_precise_and_recalls_it_alone():
    real = gaussian(0, 20)
    fake = np.tile(real[:1], (30, 1))
    found = precision_recall(real, fake, 3)
    assert (found.precision, found.recall) == (1.0, 1 / 20)


def test_fake_images_far_away_have_nothing():
    assert precision_recall(gaussian(0), gaussian(1) + 1000.0) == (0.0, 0.0, 0.0, 0.0)


def test_fake_images_that_cover_more_than_the_real_recall_without_precision():
    real = 0.01 * gaussian(0, 30)
    fake = 10.0 * gaussian(1, 30)
    found = precision_recall(real, fake, 3)
    assert found.recall == 1.0 and found.precision < 0.1


def test_an_outlier_among_the_real_gives_precision_but_no_density():
    real = np.concatenate([gaussian(0, 30), [[100.0] * 5]])
    fake = 10.0 + gaussian(1, 30)
    found = precision_recall(real, fake, 3)
    assert (found.precision, found.coverage) == (1.0, 1 / 31)
    assert found.density == pytest.approx(1 / 3)


def test_constant_features_are_all_the_same():
    assert precision_recall(np.ones((9, 4)), np.ones((5, 4)), 3) == (1.0, 1.0, 3.0, 1.0)
    assert precision_recall(np.zeros((9, 4)), np.ones((5, 4)), 3) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_scale_changes_nothing(scale):
    real, fake = CASES["alike"]
    assert precision_recall(real * scale, fake * scale) == precision_recall(real, fake)


@pytest.mark.parametrize("rows, chunk", [(1024, 1), (7, 1000), (13, 17)])
def test_chunks_change_nothing(rows, chunk, monkeypatch):
    real, fake = CASES["alike"]
    expected = precision_recall(real, fake)
    monkeypatch.setattr(module, "_ROWS", rows)
    assert precision_recall(real, fake, chunk=chunk) == expected


def test_no_matrix_of_all_distances_is_held():
    real, fake = gaussian(0, 3000, 8), gaussian(1, 3000, 8)
    tracemalloc.start()
    precision_recall(real, fake, chunk=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 8 / 30  # A thirtieth of that matrix; a chunk is a 900th.


def test_no_more_samples_than_neighbors_are_refused():
    with pytest.raises(ValueError, match="at least 4 samples. Received: 3 real and 60 fake"):
        precision_recall(gaussian(0, 3), gaussian(1))
    with pytest.raises(ValueError, match="at least 61 samples. Received: 61 real and 60 fake"):
        precision_recall(gaussian(0, 61), gaussian(1), neighbors=60)


def test_settings_below_one_are_refused():
    with pytest.raises(ValueError, match="`neighbors` must be an integer >= 1. Received: 0"):
        precision_recall(gaussian(0), gaussian(1), neighbors=0)
    with pytest.raises(ValueError, match="`chunk` must be an integer >= 1. Received: 0"):
        precision_recall(gaussian(0), gaussian(1), chunk=0)


def test_nan_features_are_refused():
    with pytest.raises(ValueError, match="Fake features must be finite"):
        precision_recall(gaussian(0), gaussian(1) * np.nan)
