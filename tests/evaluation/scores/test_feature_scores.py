"""KID, precision and recall and the Inception score of all features or logits."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.evaluate import measure
from tfgan_stab.evaluation.extractors.base import Outputs
from tfgan_stab.evaluation.metrics.inception_score import inception_score
from tfgan_stab.evaluation.metrics.kernel import kernel_distance
from tfgan_stab.evaluation.metrics.precision_recall import precision_recall

# Most sets here are small, which one test is about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:kid from:UserWarning", "ignore:precision and recall from:UserWarning"
)


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


def test_kid_of_one_block(noise, pixels):
    real, fake = noise(80), noise(60, seed=1, width=0.8)
    score = tgs.KID(pixels, real, samples=60, real_samples=None)
    found, expected = of_one_block(score, real, fake)
    assert_allclose(found, expected, rtol=1e-6)
    result = score([fake])
    assert result.standard_error is None and result.name == "kid"
    assert "/features-4/block=1024/real=80 array@" in str(result.protocol)


@pytest.mark.parametrize("kind", [tgs.KID, tgs.PrecisionRecall])
def test_few_images_of_either_side_are_warned_of(noise, pixels, kind):
    name = {tgs.KID: "kid", tgs.PrecisionRecall: "precision and recall"}[kind]
    for count, side, fix in ((99, "real", "Give more real"), (200, "generated", "Raise `samples`")):
        samples = 300 - count if side == "real" else 99
        score = kind(pixels, noise(count), samples=samples)
        with pytest.warns(UserWarning, match=f"{name} from 99") as shown:
            score([noise(samples)])
        expected = f"{name} from 99 {side} images, fewer than 100: chance decides much of that. "
        # As many real ones are taken as generated ones.
        assert str(shown[0].message).startswith(f"{name} from 99 ")
        assert any(str(each.message).startswith(expected + fix) for each in shown)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind(pixels, noise(100), samples=100)([noise(100)])


def test_kid_takes_as_many_real_images_as_generated_ones(noise, pixels):
    score = tgs.KID(pixels, noise(80), samples=30)
    assert score.protocol().real_samples == 30 and score.protocol().samples == (30,)
    score = tgs.KID(pixels, noise(80), samples=30, real_samples=None)
    assert score.protocol().real_samples == 80


def test_kid_does_not_depend_on_the_order_of_classes(noise, pixels):
    """Two far clusters one after the other: cut in order, blocks would hold one of them each."""
    real = np.concatenate([noise(100, 0, width=0.1) - 0.8, noise(100, 1, width=0.1) + 0.8])
    fake = np.concatenate([noise(100, 2, width=0.1) + 0.8, noise(100, 3, width=0.1) - 0.8])
    flats = [x.reshape(200, -1) for x in (real, fake)]
    assert kernel_distance(*flats, max_block_size=50) > 1.0
    result = tgs.KID(pixels, real, samples=200, real_samples=None, max_block_size=50)([fake])
    # Each block holds as many of either cluster but for chance.
    assert abs(result.value) < 0.1


def test_kid_of_one_distribution_is_zero_within_its_error(noise, pixels):
    values = []
    for seed in range(1, 25):
        score = tgs.KID(pixels, noise(1000), samples=500, seed=seed, max_block_size=25)
        result = score([noise(500, seed=seed)])
        values.append(result.value / result.standard_error)
    assert np.mean(np.abs(values) < 2) > 0.7 and min(values) < 0 < max(values)


def test_precision_recall_is_that_of_the_features(noise, pixels):
    real, fake = noise(80), noise(60, seed=1, width=0.5)
    results = tgs.PrecisionRecall(pixels, real, samples=60, neighbors=4, real_samples=None)([fake])
    expected = precision_recall(real.reshape(80, -1), fake.reshape(60, -1), neighbors=4)
    assert {r.name: r.value for r in results} == expected._asdict()
    assert all(r.larger_is_better for r in results)
    assert str(results[1].protocol).startswith(
        "recall/flat@v1/features-4/neighbors=4/real=80 array@"
    )


def test_mode_collapse_has_high_precision_and_low_recall(pixels):
    """Ten clusters, of which the generator knows one."""
    places = np.random.default_rng(5).uniform(-0.9, 0.9, [10, 4])
    cluster = np.arange(600) % 10
    real = (places[cluster] + 0.02 * np.random.default_rng(0).normal(size=[600, 4])).astype("f4")
    fake = (places[[3] * 200] + 0.02 * np.random.default_rng(1).normal(size=[200, 4])).astype("f4")
    images = [np.clip(x.reshape(-1, 2, 2, 1), -1, 1) for x in (real, fake)]
    precision, recall, density, coverage = tgs.PrecisionRecall(
        pixels, images[0], samples=200, real_samples=None
    )([images[1]])
    assert precision.value > 0.9 and density.value > 0.5
    assert recall.value < 0.15 and coverage.value < 0.15


def test_inception_score_is_that_of_the_logits(noise):
    images = noise(200, seed=1)
    result = tgs.InceptionScore(Classifier(), samples=200, splits=1)([images])
    expected = inception_score(3 * images.reshape(200, -1), splits=1)
    assert_allclose(result.value, expected, rtol=1e-6)
    assert result.larger_is_better and result.standard_error is None
    assert (
        result.protocol
        == "inception_score/classifier@v1/logits/splits=1/fake=200/seed=0/bn=inference"
    )


def test_inception_score_does_not_depend_on_the_order_of_classes():
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


def test_inception_score_baseline(noise):
    real = noise(300)
    score = tgs.InceptionScore(Classifier(), real, samples=1000, splits=1)
    baseline = score.baseline()
    assert_allclose(baseline.value, inception_score(3 * real.reshape(300, -1), splits=1), rtol=1e-6)
    assert re.search("/fake=300 real array@[0-9a-f]{8}/held-out-seed=0$", str(baseline.protocol))


def test_inception_score_needs_logits(noise, pixels):
    with pytest.raises(
        TypeError, match="needs a classifier's logits. Received: the extractor 'flat'"
    ):
        tgs.InceptionScore(pixels, samples=20)([noise(20)])


@pytest.mark.slow
def test_digits_have_a_higher_inception_score_than_noise(classifier, images, noise):
    score = tgs.InceptionScore(classifier, images, samples=1000)
    assert score.baseline().value > 9.0
    assert score([noise(1000, shape=(8, 8, 1))]).value < 5.0


def test_scores_of_one_classifier_share_its_runs(noise):
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


def test_kid_shuffles_each_side_its_own_way(noise, pixels):
    """As blocks of the same images would, whose distances are all below 0."""
    features = noise(400).reshape(400, -1)
    same = kernel_distance(features, features, max_block_size=10)
    found = tgs.KID(pixels, noise(9), max_block_size=10).compute(features, features)
    assert same < 0 and abs(found) < abs(same) / 3
