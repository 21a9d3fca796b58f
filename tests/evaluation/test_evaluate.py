"""Several scores share images, features and passes over the real images."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.evaluation.evaluate import baselines, measure, validate
from tfgan_stab.evaluation.extractors.base import Outputs
from tfgan_stab.evaluation.extractors.function import FunctionExtractor
from tfgan_stab.evaluation.score import Sample
from tfgan_stab.evaluation.scores.fid import FID, FIDAtSizes
from tfgan_stab.evaluation.scores.per_class import PerClass


class Seen:
    """An extractor that knows how many images it was shown."""

    name, content_hash = "seen", "1a2b3c4d"

    def __init__(self):
        self.images = []

    def __call__(self, images):
        self.images.append(np.asarray(images))
        return np.reshape(images, [len(images), -1])

    @property
    def count(self):
        return sum(map(len, self.images))


class Generator:
    """Images that depend on seed and label, and a note of what was asked."""

    def __init__(self, batch=64):
        self.asked, self._batch = [], batch

    def __call__(self, sample):
        self.asked.append((sample.count, sample.seed, sample.label))
        random = np.random.default_rng(100 * sample.seed + (sample.label or 0) + 1)
        images = random.uniform(-0.7, 0.7, [1000, 2, 2, 1]).astype(np.float32)
        for start in range(0, sample.count, self._batch):
            yield images[start : min(start + self._batch, sample.count)]


def alone(score):
    """What a score gives by itself."""
    return score(Generator()(Sample(score.samples, score.seed)))


def test_scores_together_give_what_each_gives_alone(noise, flat):
    real = noise(300)

    def scores(extractor):
        return [
            FID(extractor, real, samples=120),
            FID(extractor, real, samples=300, quantize=True),
            FID(extractor, real, samples=50, real_samples=100),
            FID(flat, real, samples=300),
        ]

    together = measure(scores(Seen()), Generator())
    together = [result for (result,) in together]
    assert together == [alone(score) for score in scores(Seen())]
    assert len({result.value for result in together}) == 4


def test_images_are_drawn_once_for_each_seed(noise, flat):
    draw = Generator()
    real = noise(300)
    measure([FID(flat, real, samples=n, seed=s) for n, s in [(50, 1), (90, 1), (70, 2)]], draw)
    assert sorted(draw.asked) == [(70, 2, None), (90, 1, None)]


def test_features_are_extracted_once_for_all_scores(noise):
    seen, real = Seen(), noise(300)
    scores = [FID(seen, real, samples=80), FID(seen, real, samples=60, real_samples=100)]
    measure([*scores, FIDAtSizes(seen, real, sizes=[40, 80])], Generator())
    assert seen.count == 300 + 80
    measure(scores, Generator())
    assert seen.count == 300 + 80 + 80


def test_only_needed_real_images_are_extracted(noise):
    seen = Seen()
    measure([FID(seen, noise(300), samples=30, real_samples=50)], Generator())
    assert seen.count == 80 + 30  # Those held out for the baseline, too.


def test_quantized_and_other_images_are_extracted_once_each(noise):
    seen, real = Seen(), noise(300)
    scores = [FID(seen, real, samples=80, quantize=q) for q in (True, False, True)]
    results = [result for (result,) in measure(scores, Generator())]
    assert seen.count == 2 * (300 + 80)
    assert results[0] == results[2] and results[0].value != results[1].value


def test_per_class_is_the_score_of_each_class(noise, flat):
    real, labels = noise(300), np.arange(300) % 3
    draw = Generator()
    [results] = measure([PerClass(FID(flat, (real, labels), samples=40))], draw)
    names = ["fid_class_0", "fid_class_1", "fid_class_2", "fid_class_mean"]
    assert [result.name for result in results] == names
    assert draw.asked == [(40, 0, 0), (40, 0, 1), (40, 0, 2)]
    for label in range(3):
        expected = FID(flat, real[labels == label], samples=40)(Generator()(Sample(40, 0, label)))
        np.testing.assert_allclose(results[label].value, expected.value, rtol=1e-9)
        assert f"/class={label}/real=100 array@" in str(results[label].protocol)
    mean = np.mean([result.value for result in results[:3]])
    np.testing.assert_allclose(results[3].value, mean)
    assert str(results[3].protocol).startswith("fid_class_mean/flat@")
    assert "/classes=0,1,2/real=300 array@" in str(results[3].protocol)


def test_all_classes_share_one_pass_over_the_real_images(noise):
    seen = Seen()
    score = PerClass(FID(seen, (noise(300), np.arange(300) % 3), samples=40))
    results = score.baseline()
    assert seen.count == 300
    assert [result.name for result in results][-1] == "fid_class_mean"
    measure([score], Generator())
    assert seen.count == 300 + 3 * 40


def test_chosen_classes(noise):
    seen = Seen()
    score = PerClass(FID(seen, (noise(300), np.arange(300) % 3), samples=40), classes=[2])
    assert score.names == ["fid_class_2", "fid_class_mean"]
    measure([score], Generator())
    assert seen.count == 100 + 40


def test_class_with_too_few_images_raises(noise, flat):
    labels = np.r_[np.zeros(57), np.ones(3)].astype(int)
    with pytest.raises(ValueError, match="at least 4 real images of class 1. Received: 3"):
        measure([PerClass(FID(flat, (noise(60), labels), samples=10))], Generator())


def test_too_few_images_for_the_largest_score_raise(noise, flat):
    def short(sample):
        yield noise(50)

    with pytest.raises(ValueError, match="needs 60 images. Received: 50"):
        measure([FID(flat, noise(99), samples=s) for s in (40, 60)], short)


@pytest.mark.multi_device
def test_several_devices_give_the_same_features(noise, flat):
    real = noise(900)
    device = tf.config.list_logical_devices("CPU")[0].name

    def scores():
        extractor = FunctionExtractor(flat, content_hash="v1", batch_size=32)
        return [FID(extractor, real, samples=700), FID(extractor, real, samples=300)]

    alone = measure(scores(), Generator())
    assert measure(scores(), Generator(), devices=[device] * 3) == alone


def test_score_given_twice_raises(noise, flat):
    score = FID(flat, noise(30), samples=10)
    with pytest.raises(ValueError, match="Each score must be given once. Received: one twice"):
        measure([score, score], Generator())


def together_as_alone(scores):
    """Whether several scores give in one go what new ones like them give one by one."""
    together = [result for results in measure(scores(), Generator()) for result in results]
    return together == [result for score in scores() for result in [alone(score)]]


def test_scores_of_different_real_images(noise):
    sources = [noise(300, seed=2), noise(300, seed=3)]
    assert together_as_alone(lambda: [FID(Seen(), real, samples=60) for real in sources])


def test_different_extractors_of_one_name(noise):
    class Half(Seen):
        def __call__(self, images):
            return super().__call__(images)[:, :2]

    real = noise(300)
    assert together_as_alone(lambda: [FID(Seen(), real, samples=60), FID(Half(), real, samples=60)])


@pytest.mark.slow
def test_endless_data(noise, flat):
    data = tgs.data.mixture(modes=4)

    def points(sample):
        yield noise(500, seed=sample.seed).reshape(500, 4)[:, :2]

    def scores():
        return [FID(flat, data, samples=n, real_samples=r) for n, r in [(40, None), (90, 70)]]

    together = [result for (result,) in measure(scores(), points)]
    assert together == [score(points(score.sample)) for score in scores()]
    assert [result.protocol.real_samples for result in together] == [80, 70]
    protocols = [score.baseline().protocol for score in scores()]
    assert [(each.real_samples, each.samples) for each in protocols] == [(40, (40,)), (70, (90,))]


def test_logits_belong_to_their_images():
    class Classifier(Seen):
        def outputs(self, images):
            return Outputs(self(images), 3 * self(images))

    classifier = Classifier()
    assert together_as_alone(
        lambda: [
            tgs.InceptionScore(classifier, samples=30, splits=2),
            tgs.InceptionScore(classifier, samples=100, splits=2),
        ]
    )


@pytest.mark.filterwarnings("ignore:kid from:UserWarning")
def test_baselines_share_one_pass_over_the_real_images(noise):
    seen, real = Seen(), noise(300)
    scores = [FID(seen, real, samples=80), tgs.KID(seen, real, samples=60, real_samples=None)]
    [[fid], [kid], none] = baselines([*scores, tgs.MSSSIM()])
    assert seen.count == 300 and none == []
    assert fid == FID(Seen(), real, samples=80).baseline()
    assert kid == tgs.KID(Seen(), real, samples=60, real_samples=None).baseline()


def test_real_images_of_another_size_are_warned_of(noise):
    score = tgs.KID("random", noise(40, shape=(4, 4, 1)), samples=30)
    with pytest.warns(UserWarning, match=r"shape \[2, 2, 1\] with real ones of shape \[4, 4, 1\]"):
        validate([score], lambda sample: iter([noise(sample.count)]))
