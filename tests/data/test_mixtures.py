import numpy as np
import pytest

import tfgan_stab as tgs


def points_and_modes(num_batches=1, **settings):
    batches = tgs.data.mixture(labels=True, **settings)
    drawn = list(batches.take(num_batches).as_numpy_iterator())
    points, modes = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
    return batches, points, modes


def test_the_default_grid_is_the_notebooks():
    ticks = [-1.5, -0.5, 0.5, 1.5]
    expected = {(x, y) for x in ticks for y in ticks}
    batches = tgs.data.mixture()
    assert {tuple(center) for center in batches.modes.tolist()} == expected
    assert batches.modes.shape == (16, 2)
    assert batches.std == 0.02
    assert batches.batch_size == 512


def test_a_ring_has_its_radius_and_even_spacing():
    centers = tgs.data.mixture(layout="ring", modes=8, radius=3.0).modes
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 3.0, rtol=1e-6)
    gaps = np.linalg.norm(centers - np.roll(centers, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-6)


@pytest.mark.parametrize("layout, modes", [("ring", 2), ("ring", 5), ("grid", 9)])
def test_spacing_is_the_distance_of_neighbors(layout, modes):
    centers = tgs.data.mixture(layout=layout, modes=modes, spacing=0.7).modes
    distances = np.linalg.norm(centers[:, np.newaxis] - centers, axis=-1) + 9 * np.eye(modes)
    np.testing.assert_allclose(distances.min(axis=1), 0.7, rtol=1e-6)
    np.testing.assert_allclose(centers.mean(axis=0), 0, atol=1e-6)


def test_points_scatter_around_their_labels_center():
    batches, points, modes = points_and_modes(100, batch_size=400, std=0.05)
    offsets = (points - batches.modes[modes]) / 0.05
    # 80,000 coordinates: means, variances and the correlation within 5 sigmas.
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=5 / 40_000**0.5)
    np.testing.assert_allclose(np.cov(offsets.T), np.eye(2), atol=5 * (2 / 40_000) ** 0.5)
    assert 3.5 < np.abs(offsets).max() < 6
    for mode in range(16):
        # About 2,500 points each: where a point lies says nothing of its mode.
        own = offsets[modes == mode]
        np.testing.assert_allclose(own.mean(axis=0), 0, atol=5 / len(own) ** 0.5)
        np.testing.assert_allclose(np.cov(own.T), np.eye(2), atol=5 * (2 / len(own)) ** 0.5)


def test_modes_are_equally_likely():
    _, _, modes = points_and_modes(100, batch_size=400)
    shares = np.bincount(modes, minlength=16) / 40_000
    np.testing.assert_allclose(shares, 1 / 16, atol=5 * (1 / 16 / 40_000) ** 0.5)


def test_unstratified_batches_do_not_hold_equal_shares():
    _, _, modes = points_and_modes(batch_size=160)
    assert np.ptp(np.bincount(modes, minlength=16)) > 0


def test_stratified_batches_hold_every_mode_equally_often():
    batches = tgs.data.mixture(batch_size=32, stratified=True, labels=True)
    for points, modes in batches.starting_at(7).take(3).as_numpy_iterator():
        assert np.bincount(modes).tolist() == [2] * 16
        nearest = np.linalg.norm(points[:, np.newaxis] - batches.modes, axis=-1).argmin(axis=1)
        np.testing.assert_array_equal(nearest, modes)


def test_a_point_depends_on_its_number_not_on_the_batch_it_comes_in():
    small = tgs.data.mixture(batch_size=7, seed=5).take(6).as_numpy_iterator()
    large = next(tgs.data.mixture(batch_size=42, seed=5).as_numpy_iterator())
    np.testing.assert_array_equal(np.concatenate(list(small)), large)


def test_no_two_points_are_the_same():
    _, points, _ = points_and_modes(50, batch_size=400)
    assert len(np.unique(points, axis=0)) == len(points)


def test_the_examples_for_scores_are_new_points_of_the_same_mixture():
    batches = tgs.data.mixture(batch_size=500, std=0.05)
    trained = np.concatenate(list(batches.take(10).as_numpy_iterator()))
    real = np.concatenate(list(batches.examples(limit=5_000).as_numpy_iterator()))
    assert not set(map(tuple, trained.tolist())) & set(map(tuple, real.tolist()))
    distances = np.linalg.norm(real[:, np.newaxis] - batches.modes, axis=-1)
    assert set(distances.argmin(axis=1)) == set(range(16))
    assert distances.min(axis=1).max() < 6 * 0.05


def test_the_examples_for_scores_follow_the_seed():
    one, other = (
        next(tgs.data.mixture(batch_size=8, seed=seed).examples(8).as_numpy_iterator())
        for seed in (0, 1)
    )
    assert not np.array_equal(one, other)


def test_examples_without_limit_would_never_end():
    with pytest.raises(ValueError, match=r"'mixture/grid-16' would never end.*limit=10_000"):
        tgs.data.mixture().examples()


def test_repositioned_batches_still_know_their_modes():
    batches = tgs.data.mixture(layout="ring", modes=3)
    np.testing.assert_array_equal(batches.starting_at(4).modes, batches.modes)
    assert batches.num_examples is None


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"layout": "star"}, "`layout` must be one of 'grid', 'ring'. Received: 'star'"),
        ({"modes": 15}, "square number of `modes`.*modes=15"),
        ({"modes": -4}, "`modes` must be an integer >= 1. Received: -4"),
        ({"layout": "ring", "modes": 1}, "at least 2 `modes`"),
        ({"std": 0.0}, "`std` must be a number > 0. Received: 0.0"),
        ({"std": float("nan")}, "`std` must be a number > 0. Received: nan"),
        ({"spacing": -1.0}, "`spacing` must be a number > 0. Received: -1.0"),
        ({"radius": 2.0}, "`radius` is for `layout='ring'`"),
        ({"layout": "ring", "radius": 2.0, "spacing": 1.0}, "`spacing` or `radius`, not both"),
        (
            {"stratified": True, "batch_size": 500},
            "`modes` must divide `batch_size`.*modes=16, batch_size=500. Use e.g. batch_size=496",
        ),
    ],
)
def test_bad_mixtures_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.data.mixture(**settings)
