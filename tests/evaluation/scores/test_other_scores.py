"""Each score is its function of what it keeps, says how it was measured, and has its floor."""

import re

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.evaluate import measure
from tfgan_stab.evaluation.extractors.base import FunctionExtractor, Outputs
from tfgan_stab.evaluation.metrics.inception_score import inception_score
from tfgan_stab.evaluation.metrics.kernel import kernel_distance
from tfgan_stab.evaluation.metrics.precision_recall import precision_recall


def noise(count, seed=0, shape=(2, 2, 1), width=1.0):
    return (np.random.default_rng(seed).uniform(-width, width, [count, *shape])).astype(np.float32)


def flat(images):
    return tf.reshape(images, [len(images), -1])


FLAT = FunctionExtractor(flat, content_hash="v1")


class Classifier:
    """Features are the pixels, logits three times the pixels."""

    name, content_hash = "classifier", "v1"

    def outputs(self, images):
        pixels = np.asarray(images).reshape(len(images), -1)
        return Outputs(pixels, 3 * pixels)

    def __call__(self, images):
        return self.outputs(images).features


def of_one_block(score, real, fake):
    return score([fake]).value, kernel_distance(*(x.reshape(len(x), -1) for x in (real, fake)))


def test_kid_of_one_block_is_the_distance_of_all_features():
    real, fake = noise(80), noise(60, seed=1, width=0.8)
    score = tgs.KID(FLAT, real, samples=60, real_samples=None)
    found, expected = of_one_block(score, real, fake)
    assert_allclose(found, expected, rtol=1e-6)
    result = score([fake])
    assert result.standard_error is None and result.name == "kid"
    assert "/features-4/block=1024/real=80 array@" in result.protocol


def test_kid_takes_as_many_real_images_as_generated_ones_unless_told():
    score = tgs.KID(FLAT, noise(80), samples=30)
    assert "/real=30 array@" in score.protocol() and "/fake=30/" in score.protocol()
    assert "/real=80 array@" in tgs.KID(FLAT, noise(80), samples=30, real_samples=None).protocol()


def test_kid_does_not_depend_on_the_order_of_classes():
    """Two far clusters one after the other: cut in order, blocks would hold one of them each."""
    real = np.concatenate([noise(100, 0, width=0.1) - 0.8, noise(100, 1, width=0.1) + 0.8])
    fake = np.concatenate([noise(100, 2, width=0.1) + 0.8, noise(100, 3, width=0.1) - 0.8])
    flats = [x.reshape(200, -1) for x in (real, fake)]
    assert kernel_distance(*flats, max_block_size=50) > 1.0
    result = tgs.KID(FLAT, real, samples=200, real_samples=None, max_block_size=50)([fake])
    # Each block holds as many of either cluster but for chance.
    assert abs(result.value) < 0.1


def test_kid_of_the_same_distribution_is_zero_within_its_error():
    values = []
    for seed in range(1, 25):
        score = tgs.KID(FLAT, noise(1000), samples=500, seed=seed, max_block_size=25)
        result = score([noise(500, seed=seed)])
        values.append(result.value / result.standard_error)
    assert np.mean(np.abs(values) < 2) > 0.7 and min(values) < 0 < max(values)


def test_precision_and_recall_are_those_of_the_features():
    real, fake = noise(80), noise(60, seed=1, width=0.5)
    results = tgs.PrecisionRecall(FLAT, real, samples=60, neighbors=4, real_samples=None)([fake])
    expected = precision_recall(real.reshape(80, -1), fake.reshape(60, -1), neighbors=4)
    assert {r.name: r.value for r in results} == expected._asdict()
    assert all(r.larger_is_better for r in results)
    assert results[1].protocol.startswith("recall/flat@v1/features-4/neighbors=4/real=80 array@")


def test_mode_collapse_shows_as_high_precision_and_low_recall():
    """Ten clusters, of which the generator knows one."""
    places = np.random.default_rng(5).uniform(-0.9, 0.9, [10, 4])
    cluster = np.arange(600) % 10
    real = (places[cluster] + 0.02 * np.random.default_rng(0).normal(size=[600, 4])).astype("f4")
    fake = (places[[3] * 200] + 0.02 * np.random.default_rng(1).normal(size=[200, 4])).astype("f4")
    images = [np.clip(x.reshape(-1, 2, 2, 1), -1, 1) for x in (real, fake)]
    precision, recall, density, coverage = tgs.PrecisionRecall(
        FLAT, images[0], samples=200, real_samples=None
    )([images[1]])
    assert precision.value > 0.9 and density.value > 0.5
    assert recall.value < 0.15 and coverage.value < 0.15


def test_the_inception_score_is_that_of_the_logits_in_any_order():
    images = noise(200, seed=1)
    result = tgs.InceptionScore(Classifier(), samples=200, splits=1)([images])
    expected = inception_score(3 * images.reshape(200, -1), splits=1)
    assert_allclose(result.value, expected, rtol=1e-6)
    assert result.larger_is_better and result.standard_error is None
    assert (
        result.protocol
        == "inception_score/classifier@v1/logits/splits=1/fake=200/seed=0/bn=inference"
    )


def test_the_inception_score_does_not_depend_on_the_order_of_classes():
    """Four certain classes one after the other: cut in order, each part would hold one or two."""
    images = np.repeat(2 * np.eye(4, dtype="f4") - 1, 50, axis=0).reshape(200, 2, 2, 1)

    class Certain(Classifier):
        def outputs(self, images):
            pixels = np.asarray(images).reshape(len(images), -1)
            return Outputs(pixels, 50 * pixels)

    logits = 50 * images.reshape(200, -1)
    assert inception_score(logits, splits=4) < 1.01
    result = tgs.InceptionScore(Certain(), samples=200, splits=4)([images])
    assert 3.7 < result.value <= 4.0 and result.standard_error > 0


def test_the_floor_of_the_inception_score_is_what_real_images_have():
    real = noise(300)
    score = tgs.InceptionScore(Classifier(), real, samples=1000, splits=1)
    floor = score.floor()
    assert_allclose(floor.value, inception_score(3 * real.reshape(300, -1), splits=1), rtol=1e-6)
    assert re.search("/fake=300 real array@[0-9a-f]{8}/held-out-seed=0$", floor.protocol)


def test_an_extractor_without_logits_is_refused():
    with pytest.raises(
        TypeError, match="needs a classifier's logits. Received: the extractor 'flat'"
    ):
        tgs.InceptionScore(FLAT, samples=20)([noise(20)])


def test_the_digits_classifier_tells_digits_from_noise(classifier, images):
    score = tgs.InceptionScore(classifier, images, samples=1000)
    assert score.floor().value > 9.0
    assert score([noise(1000, shape=(8, 8, 1))]).value < 5.0


def test_scores_of_one_classifier_share_its_runs():
    seen = []

    class Counted(Classifier):
        def outputs(self, images):
            seen.append(len(images))
            return super().outputs(images)

    counted, real = Counted(), noise(300)
    scores = [
        tgs.FID(counted, real, samples=100),
        tgs.KID(counted, real, samples=100, real_samples=None),
        tgs.PrecisionRecall(counted, real, samples=100, real_samples=None),
        tgs.InceptionScore(counted, real, samples=100),
    ]
    results = measure(scores, lambda sample: iter([noise(sample.count, seed=1)]))
    assert [len(each) for each in results] == [1, 1, 4, 1]
    assert sum(seen) == 300 + 100


def test_named_extractors_are_one_for_all_scores():
    first, second = tgs.FID("random", noise(50)), tgs.KID("random", noise(50))
    assert first.extractor is second.extractor


def test_sliced_wasserstein_sees_stripes_where_there_are_none():
    def textured(count, seed):
        return noise(count, seed, shape=(32, 32, 1))

    real, fake = textured(60, 0), textured(30, 1)
    striped = textured(30, 1)[:, :1].repeat(32, axis=1)
    score = tgs.SlicedWasserstein(real, samples=30, patches_per_image=16)
    same, worse = score([fake]), score([striped])
    assert [r.name for r in same] == ["swd", "swd_32", "swd_16"]
    assert same[0].value < 0.1 and worse[1].value > 2 * same[1].value
    assert same[0].value == pytest.approx((same[1].value + same[2].value) / 2)
    assert "/pyramid-to-16/16x7px/projections=147/real=30 array@" in same[0].protocol
    assert score([fake]) == same


def test_collapse_shows_as_likeness():
    images = noise(40, shape=(16, 16, 1))
    score = tgs.MSSSIM(images, samples=40)
    collapsed = score([np.repeat(images[:1], 40, axis=0)])
    assert collapsed.value == pytest.approx(1.0)
    assert score.floor().value < 0.2
    assert not collapsed.larger_is_better and collapsed.standard_error == pytest.approx(0.0)
    assert collapsed.protocol.startswith("ms_ssim/1-levels/11px/fake=40/seed=0")


def test_mode_coverage_counts_what_points_show():
    data = tgs.data.mixture(modes=16)
    score = tgs.ModeCoverage(data, samples=400)
    modes, quality, unevenness = score([np.repeat(data.modes[:4], 100, axis=0)])
    assert (modes.value, quality.value) == (4.0, 1.0)
    assert unevenness.value == pytest.approx(np.log(4))
    expected = "modes/16-modes@[0-9a-f]{8}/std=0.02/reach=4/fake=400/seed=0/bn=inference"
    assert re.fullmatch(expected, modes.protocol)
    floor = score.floor()
    assert floor[0].value == 16 and floor[1].value > 0.99 and floor[2].value < 0.1
    assert "/fake=400 real " in floor[0].protocol and "/real=" not in floor[0].protocol


def test_mode_coverage_without_modes_is_refused():
    with pytest.raises(ValueError, match="needs to know where the modes are. Received: neither"):
        tgs.ModeCoverage(samples=10)
    with pytest.raises(ValueError, match=r"Points must have shape \[samples, size\]"):
        tgs.ModeCoverage(centers=[1.0], std=0.1)


def test_the_divergence_of_texts_reads_the_most_probable_characters():
    real = ["abca", "bcab", "cabc"] * 10
    random = np.random.default_rng(0)
    codes = random.integers(3, size=[20, 4])
    fake = 0.1 * random.uniform(size=[20, 4, 3]) + np.eye(3)[codes]
    texts = ["".join("abc"[c] for c in row) for row in codes]
    score = tgs.NgramJSD(real, characters="abc", lengths=[1, 2, 3, 4], samples=20)
    results = score([fake[:7], fake[7:]])
    assert [r.name for r in results] == ["jsd_1", "jsd_2", "jsd_3", "jsd_4"]
    for n, result in enumerate(results, start=1):
        assert result.value == pytest.approx(tgs.evaluation.ngram_jsd(real, texts, n=n))


def test_integer_texts_and_their_floor():
    real = np.random.default_rng(0).integers(3, size=[400, 8])
    score = tgs.NgramJSD(real, samples=100, lengths=[1, 3])
    same = score([np.random.default_rng(1).integers(3, size=[100, 8])])
    floor = score.floor()
    for other in (same, floor):
        assert 0 < other[0].value < 0.01 and 0 < other[1].value < 0.05
    assert score([np.zeros([100, 8], int)])[1].value > 0.8


def test_texts_without_characters_are_refused():
    with pytest.raises(ValueError, match="`characters` must say what the generator's integers"):
        tgs.NgramJSD(["ab"])
    with pytest.raises(ValueError, match="must name all of the generator's integers"):
        tgs.NgramJSD(["abab"] * 9, characters="ab", lengths=[1], samples=2)([np.full([2, 4], 2)])
    with pytest.raises(ValueError, match="must be integers .texts, length."):
        tgs.NgramJSD(["abab"] * 9, characters="ab", lengths=[1], samples=2)([np.zeros([2, 4])])


def test_a_network_that_is_trained_on_after_the_reals_is_refused():
    import keras

    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    score = tgs.FID(model, noise(50), samples=20)
    score([noise(20)])
    model.layers[-1].kernel.assign_add(np.ones([4, 2]))
    with pytest.raises(RuntimeError, match="other weights than those that the real images"):
        score([noise(20)])


def test_scores_without_real_images_have_no_floor():
    for score in (tgs.InceptionScore(Classifier()), tgs.MSSSIM()):
        with pytest.raises(ValueError, match="measured on real images. Received: real=None"):
            score.floor()


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: tgs.KID(FLAT, noise(9), max_block_size=1),
            "`max_block_size` must be .* >= 2",
        ),
        (lambda: tgs.KID(FLAT, noise(9), real_samples="half"), "`real_samples` must be a number"),
        (
            lambda: tgs.PrecisionRecall(FLAT, noise(9), neighbors=0),
            "`neighbors` must be .* >= 1",
        ),
        (
            lambda: tgs.PrecisionRecall(FLAT, noise(9), samples=3),
            "`samples` must be .* >= 4",
        ),
        (lambda: tgs.InceptionScore(FLAT, splits=0), "`splits` must be .* >= 1"),
        (lambda: tgs.InceptionScore(FLAT, samples=9), "`samples` must be .* >= 10"),
        (lambda: tgs.NgramJSD([[1]], lengths=[]), "`lengths` must hold a number"),
        (lambda: tgs.NgramJSD([[1]], lengths=[0]), "`lengths` must be .* >= 1"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
