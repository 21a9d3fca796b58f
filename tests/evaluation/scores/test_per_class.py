"""A score of each class, and the mean."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.evaluate import measure
from tfgan_stab.evaluation.scores.fid import FID
from tfgan_stab.evaluation.scores.per_class import PerClass


def test_protocol_of_the_mean(noise, pixels):
    labels = np.array([0] * 12 + [1] * 30 + [2] * 9)
    score = tgs.PerClass(tgs.FID(pixels, (noise(51), labels), samples=10))
    with pytest.warns(UserWarning, match="FID from 4 held-out real images of class 2, for 4"):
        *classes, mean = score.baseline()
    assert [("singular-covariance" in str(each.protocol)) for each in classes] == [
        False,
        False,
        True,
    ]
    assert "/classes=0,1,2/real=31 array@" in str(mean.protocol)
    # Six, ten and four of the classes were held out.
    assert str(mean.protocol).endswith("/fake=20 real/held-out-seed=0/singular-covariance")
    *_, asked = score.collect([[part([noise(10)])] for part in score.components])
    assert str(asked.protocol).endswith("/fake=10/seed=0/bn=inference")


def named(*names):
    return dict(enumerate(names))


def test_classes_draw_what_they_are_matched_with(noise, pixels):
    asked = []

    def draw(sample):
        asked.append(sample.label)
        return iter([noise(sample.count, seed=sample.label)])

    data = tf.data.Dataset.from_tensor_slices((noise(60), np.arange(60) % 2)).batch(20)
    data.class_names = ["dog", "cat"]
    score = PerClass(FID(pixels, data, samples=10))
    score.match(named("cat", "dog"))
    [results] = measure([score], draw)
    assert asked == [1, 0]
    assert [result.name for result in results[:2]] == ["fid_class_0", "fid_class_1"]
    assert [result.remark for result in results] == ["class 'dog'", "class 'cat'", ""]
    expected = FID(pixels, noise(60)[::2], samples=10)([noise(10, seed=1)])
    assert_allclose(results[0].value, expected.value, rtol=1e-9)


def test_few_images_of_classes_are_warned_of_once(noise, pixels):
    labels = np.array([0] * 4 + [1] * 30 + [2] * 4)
    score = PerClass(FID(pixels, (noise(38), labels), samples=10))
    with pytest.warns(UserWarning, match="FID from 4 real images of class 0") as shown:
        measure([score], lambda sample: iter([noise(sample.count)]))
    [warning] = map(str, (each.message for each in shown))
    assert warning.startswith("FID from 4 real images of class 0, for 4 features: ")
    assert "So it is for 1 of the other classes. Give more real images." in warning


def test_classes_are_named_once(noise, pixels):
    score = tgs.FID(pixels, (noise(30), np.arange(30) % 2), samples=10)
    assert tgs.PerClass(score, classes=1).names == ["fid_class_1", "fid_class_mean"]
    with pytest.raises(ValueError, match="name each class once. Received: .1, 1."):
        tgs.PerClass(score, classes=[1, 1])


def test_labelled_sources_are_alike(noise, flat):
    real, labels = noise(60), (np.arange(60) * 7 % 3).astype(np.int32)
    data = tf.data.Dataset.from_tensor_slices((real, labels))
    sources = [(real, labels), data.batch(7), data.batch(60)]
    values = [[r.value for r in PerClass(FID(flat, s, samples=10)).baseline()] for s in sources]
    np.testing.assert_allclose(values, [values[0]] * 3, rtol=1e-9)


@pytest.mark.slow
def test_labelled_digits(classifier):
    data = tgs.data.digits(batch_size=64, labels=True)
    score = PerClass(FID(classifier, data, samples=50), classes=[3, 8])
    columns = zip(*data.take(29).as_numpy_iterator(), strict=True)
    images, labels = (np.concatenate(column)[:1797] for column in columns)
    for part in score.components:
        count = np.sum(labels == part.label)
        assert part.real_images.count == count and 170 < count < 190
        moments = part.statistics
        expected = classifier(images[labels == part.label]).mean(axis=0)
        np.testing.assert_allclose(moments.mean, expected, rtol=1e-5, atol=1e-6)


def test_labels_are_needed(noise, flat):
    for real in (noise(30), tf.data.Dataset.from_tensor_slices(noise(30)).batch(5)):
        with pytest.raises(ValueError, match="needs real images with labels. Received: none"):
            PerClass(FID(flat, real, samples=10))
    with pytest.raises(TypeError, match="`score` must be a score with real images"):
        PerClass("fid")


def test_baseline_of_fid_at_sizes(noise, pixels):
    """The third class has too few images for the larger size, so the mean is left out there."""
    labels = np.array([0] * 90 + [1] * 80 + [2] * 50)
    score = tgs.PerClass(tgs.FIDAtSizes(pixels, (noise(220), labels), sizes=[20, 40]))
    found = {result.name: result for result in score.baseline()}
    assert "fid_40_class_1" in found and "fid_40_class_2" not in found
    assert "fid_40_class_mean" not in found
    values = [found[f"fid_20_class_{label}"].value for label in range(3)]
    assert_allclose(found["fid_20_class_mean"].value, np.mean(values))
    protocol = found["fid_20_class_mean"].protocol
    assert str(protocol).endswith("/fake=60 real/held-out-seed=0")
    assert protocol.real_samples == (90 - 40) + (80 - 40) + (50 - 25)
