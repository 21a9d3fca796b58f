"""Different measurements have different protocols, and what a protocol says is so."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors.base import FunctionExtractor
from tfgan_stab.evaluation.metrics.frechet import FrechetDistance, frechet_distance
from tfgan_stab.evaluation.metrics.kernel import kernel_distance
from tfgan_stab.evaluation.results import ScoreResult
from tfgan_stab.evaluation.scores import fid
from tfgan_stab.evaluation.scores.fid_at_sizes import FIDAtSizes


def noise(count, seed=0, shape=(2, 2, 1), width=1.0):
    return np.random.default_rng(seed).uniform(-width, width, [count, *shape]).astype(np.float32)


def flat(images):
    return tf.reshape(images, [len(images), -1])


FLAT = FunctionExtractor(flat, content_hash="v1")


def test_mixtures_of_other_modes_have_other_protocols():
    first, second, third = (
        tgs.ModeCoverage(centers=centers, std=0.1, samples=10).protocol()[0]
        for centers in (np.eye(2), 2 * np.eye(2), [[1, 0], [0, 1]])
    )
    assert first != second and first == third


@pytest.mark.parametrize("count, samples, limit", [(80, 60, 60), (300, 150, 200), (90, 20, 89)])
def test_no_more_real_images_are_taken_than_asked_for(count, samples, limit):
    score = tgs.FID(FLAT, noise(count), samples=samples, real_samples=limit)
    assert f"/real={limit} array@" in score.protocol()
    assert score.reals.reference.count == limit
    held, rest = score.reals.rows
    assert min(len(held), len(rest)) >= min(samples, limit // 2)
    assert not np.intersect1d(held, rest).size


def test_which_real_images_count_does_not_depend_on_how_many_are_generated():
    few, many = (
        tgs.FID(FLAT, noise(300), samples=samples, real_samples=100) for samples in (40, 180)
    )
    np.testing.assert_array_equal(few.reals.rows[1], many.reals.rows[1])
    other = tgs.FID(FLAT, noise(300), samples=40, real_samples=100, seed=1)
    assert not np.array_equal(other.reals.rows[1], few.reals.rows[1])


def test_fid_at_a_size_is_that_of_its_protocol_also_with_fewer_real_images():
    fake = noise(80, seed=1, width=0.7)
    first, *_ = FIDAtSizes(FLAT, noise(300), sizes=[40, 80], real_samples=100)([fake])
    alone = tgs.FID(FLAT, noise(300), samples=40, real_samples=100)([fake])
    assert first.protocol == alone.protocol
    assert_allclose(first.value, alone.value, rtol=1e-9)


def test_equal_numbers_rank_equal_whatever_is_known_of_their_errors():
    one, other = (ScoreResult("kid", 1.0, "kid/a@1", False, error) for error in (0.1, 0.2))
    assert one <= other and other <= one and one >= other
    assert not one < other and not one > other
    larger = ScoreResult("kid", 2.0, "kid/a@1")
    assert larger > one and larger >= one and not larger <= one
    for compare in (lambda a, b: a <= b, lambda a, b: a > b, lambda a, b: a >= b):
        with pytest.raises(ValueError, match="Only scores of one protocol can be compared"):
            compare(one, ScoreResult("kid", 1.0, "kid/b@1"))
        with pytest.raises(TypeError, match="not supported between"):
            compare(one, 1.0)


def test_features_of_any_scale_have_their_distance():
    features = [np.random.default_rng(seed).normal(size=(50, 3)) for seed in (0, 1)]
    tiny = frechet_distance(*(1e-90 * each for each in features))
    assert_allclose(tiny, 1e-180 * frechet_distance(*features), rtol=1e-9)


def test_texts_of_bytes_are_texts():
    score = tgs.NgramJSD([b"abab", b"abba"] * 9, characters="ab", lengths=[1, 2], samples=2)
    results = score([np.array([[0, 1, 0, 1], [0, 1, 1, 0]])])
    assert [result.value for result in results] == [0.0, 0.0]


def test_texts_that_are_none_are_refused():
    score = tgs.NgramJSD(["abab"] * 9, characters="ab", lengths=[1, 2], samples=2)
    with pytest.raises(ValueError, match="must be numbers. Received: NaN in 2 of 2 texts"):
        score([np.full([2, 4, 2], np.nan)])
    with pytest.raises(ValueError, match="all of the generator's integers.*the integer -1"):
        score([np.full([2, 4], -1)])
    with pytest.raises(ValueError, match="`characters` must say what"):
        tgs.NgramJSD([b"abab"] * 9, lengths=[1], samples=2)
    forbidden = np.where(np.eye(2)[np.array([[0, 1, 0, 1]] * 2)] > 0, 0.0, -np.inf)
    assert [result.value for result in score([forbidden])] == [0.0, 0.0]


def test_the_floor_at_sizes_does_not_depend_on_the_order_of_classes():
    """Two far clusters one after the other: the first images would be of one of them."""
    real = np.concatenate([noise(200, 0, width=0.1) - 0.8, noise(200, 1, width=0.1) + 0.8])
    score = FIDAtSizes(FLAT, real, sizes=[50, 100, 999])
    floors = score.floor()
    assert [floor.name for floor in floors] == ["fid_50", "fid_100", "fid_infinity"]
    assert all(floor.value < 0.5 for floor in floors[:2])
    assert score.reals.held.whole.count == 200
    assert [at.count for at in score.reals.held.at.values()] == [50, 100]
    assert "/fake=50+100 real/held-out-seed=0" in floors[2].protocol
    rows, ranks = score.reals.rows[0], np.random.RandomState(0).permutation(200)
    expected = real[rows[ranks < 50]].reshape(50, -1).mean(axis=0)
    assert_allclose(score.reals.held.at[50].mean, expected, rtol=1e-6)
    other = FIDAtSizes(FLAT, real, sizes=[50, 100], seed=1).reals.held.at[50].mean
    assert not np.allclose(other, expected)


@pytest.mark.parametrize("seed", [1.5, "1", True, None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(TypeError, match="`seed` must be an integer. Received: "):
        tgs.FID(FLAT, noise(30), samples=10, seed=seed)


@pytest.mark.parametrize("seed", [0, 2**40, np.int64(5)])
def test_any_integer_is_a_seed(seed):
    result = tgs.FID(FLAT, noise(30), samples=10, seed=seed)([noise(10)])
    assert f"/seed={int(seed)}/" in result.protocol


@pytest.mark.parametrize("make", [tgs.FID, tgs.KID, tgs.PrecisionRecall, FIDAtSizes])
def test_scores_against_real_images_need_them(make):
    with pytest.raises(ValueError, match="against real ones. Received: real=None"):
        make(FLAT, None, samples=10)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"patch_size": 8}, "`patch_size` must be odd, at least 3. Received: 8"),
        ({"patch_size": 1}, "`patch_size` must be an integer >= 3. Received: 1"),
        ({"projections": 0}, "`projections` must be an integer >= 1"),
        ({"resolution_min": 0}, "`resolution_min` must be an integer >= 1"),
        ({"patches_per_image": 0}, "`patches_per_image` must be an integer >= 1"),
    ],
)
def test_settings_are_refused_before_images_are_drawn(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.SlicedWasserstein(noise(30), **settings)


def test_images_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"one size. Received: shapes \[2, 2, 1\] and \[3, 3, 1\]"):
        tgs.FID(FLAT, noise(30), samples=10)([noise(5), noise(5, shape=(3, 3, 1))])


def test_the_mean_over_classes_says_what_is_so_of_all():
    labels = np.array([0] * 12 + [1] * 30 + [2] * 9)
    score = tgs.PerClass(tgs.FID(FLAT, (noise(51), labels), samples=10))
    *classes, mean = score.floor()
    assert [("singular-covariance" in each.protocol) for each in classes] == [False, False, True]
    assert "/classes=0,1,2/real=31 array@" in mean.protocol
    # Six, ten and four of the classes were held out.
    assert mean.protocol.endswith("/fake=20 real/held-out-seed=0/singular-covariance")
    *_, asked = score.collected([[part([noise(10)])] for part in score.parts])
    assert asked.protocol.endswith("/fake=10/seed=0/bn=inference")


def test_one_class_may_be_named_alone_and_none_twice():
    score = tgs.FID(FLAT, (noise(30), np.arange(30) % 2), samples=10)
    assert tgs.PerClass(score, classes=1).names == ["fid_class_1", "fid_class_mean"]
    with pytest.raises(ValueError, match="name each class once. Received: .1, 1."):
        tgs.PerClass(score, classes=[1, 1])


def test_what_rounding_took_is_remarked(monkeypatch):
    monkeypatch.setattr(fid, "frechet_distance_from_moments", lambda *_: FrechetDistance(-2e-9))
    result = tgs.FID(FLAT, noise(30), samples=10)([noise(10)])
    assert result.value == 0.0 and result.remark == "round-off of -2.0e-09 was set to 0"
    monkeypatch.setattr(fid, "frechet_distance_from_moments", lambda *_: FrechetDistance(2e-9))
    result = tgs.FID(FLAT, noise(30), samples=10)([noise(10)])
    assert result.value == 2e-9 and result.remark == ""


def test_too_few_images_of_either_side_are_told():
    few, enough = noise(4), noise(30)
    told = [
        "singular-covariance" in tgs.FID(FLAT, real, samples=samples).protocol()
        for real, samples in [(enough, 5), (few, 5), (enough, 4), (noise(5), 30)]
    ]
    assert told == [False, True, True, False]


def test_an_image_shares_no_block_with_itself_but_by_chance():
    """As blocks of the same images would, whose distances are all below 0."""
    features = noise(400).reshape(400, -1)
    same = kernel_distance(features, features, max_block_size=10)
    [found] = tgs.KID(FLAT, noise(9), max_block_size=10).numbers(features, features)
    assert same < 0 and abs(found.value) < abs(same) / 3


def test_texts_may_lie_in_any_order_and_container():
    texts = [("ab" * 5)[: 3 + number % 7] for number in range(600)]
    order = np.random.RandomState(0).permutation(600)
    sources = [
        texts,
        [texts[number] for number in order],
        tuple(texts),
        np.array(texts),
        tf.data.Dataset.from_tensor_slices(texts).batch(7),
    ]
    fake = [np.array([[0, 1, 0, 1], [0, 1, 1, 0]])]
    scores = [tgs.NgramJSD(s, characters="ab", lengths=[1, 2], samples=2) for s in sources]
    results = [[(r.value, r.protocol.split("@")[1]) for r in score(fake)] for score in scores]
    assert results == [results[0]] * len(sources)
    pair = tgs.NgramJSD(("abab", "abba") * 2, characters="ab", lengths=[1], samples=2)
    assert pair(fake).value == 0.0


def test_modes_are_found_by_the_share_that_was_asked_for():
    points = np.array([[0.0, 0.0]] * 9 + [[5.0, 0.0]])
    centers = [[0.0, 0.0], [5.0, 0.0]]
    found = [
        tgs.ModeCoverage(centers=centers, std=0.1, samples=10, least_share=share)([points])[0]
        for share in (0.0, 0.2)
    ]
    assert [result.value for result in found] == [2.0, 1.0]
    assert found[0].protocol != found[1].protocol
