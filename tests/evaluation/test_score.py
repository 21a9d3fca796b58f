"""What all scores do, and what they refuse."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.evaluation.evaluate import measure
from tfgan_stab.evaluation.scores.fid import FID, FIDAtSizes

REAL = np.zeros([8, 8, 8, 1], np.float32)


def test_batch_sizes_do_not_matter(classifier, images):
    fid = FID(classifier, images, samples=500)
    fake = np.clip(images + 0.1, -1, 1)
    values = {
        fid([fake[start : start + size] for start in range(0, 1797, size)]).value
        for size in (1, 64, 100, 256, 500, 1797)
    }
    assert len(values) == 1


def test_only_the_first_samples_are_scored(noise, flat_fid):
    fake = noise(100, seed=1)
    fid = flat_fid(samples=60)
    assert fid([fake]).value == fid([fake[:60]]).value != fid([fake[40:]]).value


def test_quantized_images_score_as_their_files(noise, flat):
    real, fake = noise(50), noise(40, seed=1)
    files = [np.rint((images + 1) * 127.5).astype(np.uint8) for images in (real, fake)]
    read = [(pixels / 127.5 - 1).astype(np.float32) for pixels in files]
    result = FID(flat, real, samples=40, quantize=True)([fake])
    assert result.value == FID(flat, read[0], samples=40)([read[1]]).value
    assert result.value != FID(flat, real, samples=40)([fake]).value
    assert "/bn=inference/uint8" in str(result.protocol)


def test_too_few_images_raise(noise, flat_fid):
    with pytest.raises(ValueError, match="needs 30 images. Received: 20"):
        flat_fid(samples=30)([noise(20)])


def test_nan_images_raise(noise, flat_fid):
    fake = noise(30)
    fake[7] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 30 images"):
        flat_fid(samples=30)([fake])


def test_nan_features_raise(noise, flat):
    def broken(images):
        return tf.where(flat(images) > 0, flat(images), np.nan)

    with pytest.raises(ValueError, match="Features must be finite"):
        FID(broken, noise(50), samples=30)([noise(30)])


@pytest.mark.parametrize("settings", [{"samples": 1}, {"samples": 0}, {"real_samples": 0}], ids=str)
def test_sample_numbers_out_of_range_raise(settings, flat_fid):
    (name,) = settings
    with pytest.raises(
        ValueError, match=f"`{name}` must be an integer >= .*Received: {settings[name]}"
    ):
        flat_fid(**settings)


def test_samples_must_be_an_integer(flat_fid):
    with pytest.raises(ValueError, match="`samples` must be an integer >= 2. Received: 10.5"):
        flat_fid(samples=10.5)


def test_images_of_two_shapes_raise(flat_fid):
    with pytest.raises(ValueError, match="same extractor. Received: 4 and 9 features"):
        flat_fid(samples=20)([np.zeros([20, 3, 3, 1], np.float32)])


def test_public_names_load_on_first_use():
    code = "import sys, tfgan_stab.evaluation as e; e.__all__; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_scores_share_a_named_extractor(noise):
    first, second = tgs.FID("random", noise(50)), tgs.KID("random", noise(50))
    assert first.extractor is second.extractor


def test_baseline_needs_real_images():
    for score in (tgs.InceptionScore("digits"), tgs.MSSSIM()):
        with pytest.raises(ValueError, match="measured on real images. Received: real=None"):
            score.baseline()


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda pixels, noise: tgs.KID(pixels, noise(9), max_block_size=1),
            "`max_block_size` must be .* >= 2",
        ),
        (
            lambda pixels, noise: tgs.KID(pixels, noise(9), real_samples="half"),
            "`real_samples` must be a number",
        ),
        (
            lambda pixels, noise: tgs.PrecisionRecall(pixels, noise(9), neighbors=0),
            "`neighbors` must be .* >= 1",
        ),
        (
            lambda pixels, noise: tgs.PrecisionRecall(pixels, noise(9), samples=3),
            "`samples` must be .* >= 4",
        ),
        (lambda pixels, noise: tgs.InceptionScore(pixels, splits=0), "`splits` must be .* >= 1"),
        (lambda pixels, noise: tgs.InceptionScore(pixels, samples=9), "`samples` must be .* >= 10"),
        (lambda pixels, noise: tgs.NgramJSD([[1]], lengths=[]), "`lengths` must hold a number"),
        (lambda pixels, noise: tgs.NgramJSD([[1]], lengths=[0]), "`lengths` must be .* >= 1"),
    ],
)
def test_settings_out_of_range_raise(make, message, pixels, noise):
    with pytest.raises(ValueError, match=message):
        make(pixels, noise)


def test_network_for_other_images_raises_one_sentence():
    network = keras.Sequential([keras.Input([64]), keras.layers.Dense(3)], name="other")
    message = r"'other' must take images of shape \[8, 8, 1\]. It refuses them: .*shape.*Resize"
    with pytest.raises(ValueError, match=message) as raised:
        tgs.FID(network, REAL, samples=4)([REAL])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("seed", [1.5, "1", True, None, -1, 2**70])
def test_seed_must_be_an_integer(seed, noise, pixels):
    with pytest.raises(
        ValueError, match=r"`seed` must be an integer in \[0, 2\*\*62\). Received: "
    ):
        tgs.FID(pixels, noise(30), samples=10, seed=seed)


@pytest.mark.parametrize("seed", [0, 2**40, np.int64(5)])
def test_any_integer_is_a_seed(seed, noise, pixels):
    result = tgs.FID(pixels, noise(30), samples=10, seed=seed)([noise(10)])
    assert f"/seed={int(seed)}/" in str(result.protocol)


@pytest.mark.parametrize("make", [tgs.FID, tgs.KID, tgs.PrecisionRecall, FIDAtSizes])
def test_scores_that_compare_need_real_images(make, pixels):
    with pytest.raises(ValueError, match="with real ones. Received: real=None"):
        make(pixels, None, samples=10)


def test_images_of_different_sizes_raise(noise, pixels):
    with pytest.raises(ValueError, match=r"one size. Received: shapes \[2, 2, 1\] and \[3, 3, 1\]"):
        tgs.FID(pixels, noise(30), samples=10)([noise(5), noise(5, shape=(3, 3, 1))])


def test_points_are_not_quantized(noise, flat):
    points = 5 * noise(90).reshape(90, 4)
    plain, quantized = (FID(flat, points, samples=30, quantize=q) for q in (False, True))
    assert plain([points]).value == quantized([points]).value


def of_classes(labels, noise, seed=0):
    """Images whose brightness is their class."""
    levels = np.asarray(labels, np.float32)[:, None, None, None] - 0.5
    return levels + 0.3 * noise(len(labels), seed=seed)


def test_classes_are_drawn_as_often_as_the_real_images_have_them(noise, pixels):
    labels = np.repeat([0, 1], [90, 30])
    fid = FID(pixels, (of_classes(labels, noise), labels), samples=60)

    def draw(sample):
        drawn = np.arange(sample.count) % 2 if sample.labels is None else sample.labels
        yield of_classes(drawn, noise, seed=1)

    [in_turn] = fid.of_generator(draw)
    fid.match({0: "0", 1: "1"})
    [as_real] = fid.of_generator(draw)
    expected = fid([of_classes(np.resize([0, 0, 1, 0], 60), noise, seed=1)])
    assert as_real.value == expected.value < 0.02 < 0.2 < in_turn.value
    assert "/fake=60/seed=0/labels=as-real/bn=inference" in as_real.protocol
    assert "labels" not in in_turn.protocol and "labels" not in fid.baseline().protocol
    fid.match({0: "0", 1: "1"}, labels=[0, 1])
    [given] = fid.of_generator(draw)
    assert given.value == in_turn.value and "/labels=given@" in given.protocol


def test_scores_of_balanced_or_unlabelled_images_draw_classes_in_turn(noise, pixels):
    labels = np.arange(60) % 2
    for real in ((noise(60), labels), noise(60)):
        fid = FID(pixels, real, samples=30)
        fid.match({0: "0", 1: "1"})
        [result] = fid.of_generator(lambda sample: iter([noise(sample.count, seed=1)]))
        assert fid.sample.shares == () and "labels" not in result.protocol


def test_generated_images_between_0_and_1_are_warned_of(noise, flat_fid):
    fid, half = flat_fid(samples=30), (noise(30) + 1) / 2
    with pytest.warns(UserWarning, match="'Generated images' has values from .* `2 . images - 1`"):
        fid([half])
    with pytest.warns(UserWarning, match="'Generated images' has values from"):
        measure([fid], lambda sample: iter([half]))
    with pytest.raises(ValueError, match="in .-1, 1.*Received"):
        fid([half * 255])
