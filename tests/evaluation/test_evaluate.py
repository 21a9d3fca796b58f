"""Several scores share images, features and passes over the reals; each gives its own number."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.evaluation.accumulators import Batch, Need, needs_of
from tfgan_stab.evaluation.evaluate import floors, measure
from tfgan_stab.evaluation.extractors.base import FunctionExtractor, Outputs
from tfgan_stab.evaluation.extractors.devices import spread
from tfgan_stab.evaluation.measures import Sample
from tfgan_stab.evaluation.results import all_of
from tfgan_stab.evaluation.scores.fid import FID
from tfgan_stab.evaluation.scores.fid_at_sizes import FIDAtSizes
from tfgan_stab.evaluation.scores.per_class import PerClass


def flat(images):
    return tf.reshape(images, [len(images), -1])


def noise(count, seed=0, width=1.0):
    images = np.random.default_rng(seed).uniform(-width, width, [count, 2, 2, 1])
    return images.astype(np.float32)


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
        images = noise(1000, seed=100 * sample.seed + (sample.label or 0) + 1, width=0.7)
        for start in range(0, sample.count, self._batch):
            yield images[start : min(start + self._batch, sample.count)]


def alone(score):
    """What a score gives by itself."""
    return score(Generator()(Sample(score.samples, score.seed)))


def test_scores_together_give_what_each_gives_alone():
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


def test_images_are_drawn_once_for_scores_of_one_seed():
    draw = Generator()
    real = noise(300)
    measure([FID(flat, real, samples=n, seed=s) for n, s in [(50, 1), (90, 1), (70, 2)]], draw)
    assert sorted(draw.asked) == [(70, 2, None), (90, 1, None)]


def test_features_are_extracted_once_for_all_scores_of_an_extractor():
    seen, real = Seen(), noise(300)
    scores = [FID(seen, real, samples=80), FID(seen, real, samples=60, real_samples=100)]
    measure([*scores, FIDAtSizes(seen, real, sizes=[40, 80])], Generator())
    assert seen.count == 300 + 80
    measure(scores, Generator())
    assert seen.count == 300 + 80 + 80


def test_only_the_real_images_that_are_asked_for_are_extracted():
    seen = Seen()
    measure([FID(seen, noise(300), samples=30, real_samples=50)], Generator())
    assert seen.count == 80 + 30  # Those held out for the floor, too.


def test_quantized_and_other_images_are_extracted_once_each():
    seen, real = Seen(), noise(300)
    scores = [FID(seen, real, samples=80, quantize=q) for q in (True, False, True)]
    results = [result for (result,) in measure(scores, Generator())]
    assert seen.count == 2 * (300 + 80)
    assert results[0] == results[2] and results[0].value != results[1].value


def test_a_score_per_class_is_that_of_each_class_alone():
    real, labels = noise(300), np.arange(300) % 3
    draw = Generator()
    [results] = measure([PerClass(FID(flat, (real, labels), samples=40))], draw)
    names = ["fid_class_0", "fid_class_1", "fid_class_2", "fid_class_mean"]
    assert [result.name for result in results] == names
    assert draw.asked == [(40, 0, 0), (40, 0, 1), (40, 0, 2)]
    for label in range(3):
        expected = FID(flat, real[labels == label], samples=40)(Generator()(Sample(40, 0, label)))
        np.testing.assert_allclose(results[label].value, expected.value, rtol=1e-9)
        assert f"/class={label}/real=100 array@" in results[label].protocol
    mean = np.mean([result.value for result in results[:3]])
    np.testing.assert_allclose(results[3].value, mean)
    assert results[3].protocol.startswith("fid_class_mean/flat@")
    assert "/classes=0,1,2/real=300 array@" in results[3].protocol


def test_the_real_images_of_all_classes_are_gone_through_once():
    seen = Seen()
    score = PerClass(FID(seen, (noise(300), np.arange(300) % 3), samples=40))
    floors = score.floor()
    assert seen.count == 300
    assert [floor.name for floor in floors][-1] == "fid_class_mean"
    measure([score], Generator())
    assert seen.count == 300 + 3 * 40


def test_chosen_classes_alone_are_scored():
    seen = Seen()
    score = PerClass(FID(seen, (noise(300), np.arange(300) % 3), samples=40), classes=[2])
    assert score.names == ["fid_class_2", "fid_class_mean"]
    measure([score], Generator())
    assert seen.count == 100 + 40


def test_labelled_sources_give_the_same_classes():
    real, labels = noise(60), (np.arange(60) * 7 % 3).astype(np.int32)
    data = tf.data.Dataset.from_tensor_slices((real, labels))
    sources = [(real, labels), data.batch(7), data.batch(60)]
    values = [[r.value for r in PerClass(FID(flat, s, samples=10)).floor()] for s in sources]
    np.testing.assert_allclose(values, [values[0]] * 3, rtol=1e-9)


def test_a_labelled_data_set_of_the_package_shows_each_digit_to_its_class(classifier):
    data = tgs.data.digits(batch_size=64, labels=True)
    score = PerClass(FID(classifier, data, samples=50), classes=[3, 8])
    columns = zip(*data.take(29).as_numpy_iterator(), strict=True)
    images, labels = (np.concatenate(column)[:1797] for column in columns)
    for part in score.parts:
        count = np.sum(labels == part.label)
        assert part.reals.count == count and 170 < count < 190
        moments = part.reals.reference
        expected = classifier(images[labels == part.label]).mean(axis=0)
        np.testing.assert_allclose(moments.mean, expected, rtol=1e-5, atol=1e-6)


def test_per_class_without_labels_is_refused():
    for real in (noise(30), tf.data.Dataset.from_tensor_slices(noise(30)).batch(5)):
        with pytest.raises(ValueError, match="needs real images with labels. Received: none"):
            PerClass(FID(flat, real, samples=10))
    with pytest.raises(TypeError, match="`score` must be a score with real images"):
        PerClass("fid")


def test_a_class_with_too_few_images_is_refused():
    labels = np.r_[np.zeros(57), np.ones(3)].astype(int)
    with pytest.raises(ValueError, match="at least 4 real images of class 1. Received: 3"):
        measure([PerClass(FID(flat, (noise(60), labels), samples=10))], Generator())


def test_too_few_images_are_an_error_for_the_largest_score():
    def short(sample):
        yield noise(50)

    with pytest.raises(ValueError, match="needs 60 images. Received: 50"):
        measure([FID(flat, noise(99), samples=s) for s in (40, 60)], short)


@pytest.mark.multi_device
def test_features_extracted_on_several_devices_are_the_same():
    real = noise(900)
    device = tf.config.list_logical_devices("CPU")[0].name

    def scores():
        extractor = FunctionExtractor(flat, content_hash="v1", batch_size=32)
        return [FID(extractor, real, samples=700), FID(extractor, real, samples=300)]

    alone = measure(scores(), Generator())
    assert measure(scores(), Generator(), devices=[device] * 3) == alone


def test_a_score_given_twice_is_refused():
    score = FID(flat, noise(30), samples=10)
    with pytest.raises(ValueError, match="Each score must be given once. Received: one twice"):
        measure([score, score], Generator())


def together_as_alone(scores):
    """Whether several scores give in one go what new ones like them give one by one."""
    together = [result for results in measure(scores(), Generator()) for result in results]
    return together == [result for score in scores() for result in all_of(alone(score))]


def test_scores_of_other_real_images_keep_to_their_own():
    reals = [noise(300, seed=2), noise(300, seed=3)]
    assert together_as_alone(lambda: [FID(Seen(), real, samples=60) for real in reals])


def test_scores_of_other_extractors_of_one_name_keep_to_their_own():
    class Half(Seen):
        def __call__(self, images):
            return super().__call__(images)[:, :2]

    real = noise(300)
    assert together_as_alone(lambda: [FID(Seen(), real, samples=60), FID(Half(), real, samples=60)])


def test_scores_of_one_endless_set_take_as_many_as_each_needs():
    data = tgs.data.mixture(modes=4)

    def points(sample):
        yield noise(500, seed=sample.seed).reshape(500, 4)[:, :2]

    def scores():
        return [FID(flat, data, samples=n, real_samples=r) for n, r in [(40, None), (90, 70)]]

    together = [result for (result,) in measure(scores(), points)]
    assert together == [score(points(score.sample)) for score in scores()]
    assert ["/real=80 " in together[0].protocol, "/real=70 " in together[1].protocol] == [True] * 2
    floors = [score.floor().protocol for score in scores()]
    assert "/real=40 " in floors[0] and "/fake=40 real/" in floors[0]
    assert "/real=70 " in floors[1] and "/fake=90 real/" in floors[1]


def test_a_classifiers_logits_go_with_their_images():
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


def test_what_is_asked_of_a_batch_is_each_extractor_with_either_kind_of_images():
    seen, other, real = Seen(), Seen(), noise(30)
    scores = [FID(e, real, quantize=q) for e in (seen, other) for q in (True, False, True)]
    needs = {(id(need.extractor), need.quantize) for need in needs_of(scores)}
    assert needs == {(id(e), q) for e in (seen, other) for q in (True, False)}
    assert len(needs_of(scores)) == 4


def test_points_have_no_levels_to_be_rounded_to():
    points = 5 * noise(90).reshape(90, 4)
    plain, quantized = (FID(flat, points, samples=30, quantize=q) for q in (False, True))
    assert plain([points]).value == quantized([points]).value


def test_floors_of_several_scores_go_through_the_real_images_once():
    seen, real = Seen(), noise(300)
    scores = [FID(seen, real, samples=80), tgs.KID(seen, real, samples=60, real_samples=None)]
    [[fid], [kid], none] = floors([*scores, tgs.MSSSIM()])
    assert seen.count == 300 and none == []
    assert fid == FID(Seen(), real, samples=80).floor()
    assert kid == tgs.KID(Seen(), real, samples=60, real_samples=None).floor()


@pytest.mark.multi_device
def test_no_more_batches_wait_than_devices_work_on():
    drawn = []

    def source():
        for number in range(20):
            drawn.append(number)
            yield Batch(noise(3, seed=number))

    device = tf.config.list_logical_devices("CPU")[0].name
    for number, batch in enumerate(spread(source(), [Need(Seen(), False)], [device] * 3)):
        assert np.array_equal(batch.images, noise(3, seed=number))
        assert len(drawn) <= number + 1 + 3
    assert len(drawn) == 20
