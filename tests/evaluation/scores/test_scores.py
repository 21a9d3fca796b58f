"""FID as a score: the right number, its protocol, and what may be compared."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from tfgan_stab.evaluation.extractors.base import FunctionExtractor
from tfgan_stab.evaluation.metrics.frechet import frechet_distance
from tfgan_stab.evaluation.results import ScoreResult, same_protocol
from tfgan_stab.evaluation.scores.fid import FID


def flat(images):
    return tf.reshape(images, [len(images), -1])


def noise(count, seed=0, width=1.0):
    images = np.random.default_rng(seed).uniform(-width, width, [count, 2, 2, 1])
    return images.astype(np.float32)


def flat_fid(count=50, **settings):
    return FID(FunctionExtractor(flat, content_hash="v1"), noise(count), **settings)


def test_the_score_is_the_distance_of_the_features():
    real, fake = noise(50), noise(70, seed=1, width=0.5)
    score = FID(flat, real, samples=70)([fake[:9], fake[9:]])
    expected = frechet_distance(real.reshape(50, -1), fake.reshape(70, -1))
    assert score.name == "fid" and isinstance(score.value, float)
    assert_allclose(score.value, expected, rtol=1e-10)


def test_a_score_is_the_same_bits_however_the_images_are_cut(classifier, images):
    fid = FID(classifier, images, samples=500)
    fake = np.clip(images + 0.1, -1, 1)
    values = {
        fid([fake[start : start + size] for start in range(0, 1797, size)]).value
        for size in (1, 64, 100, 256, 500, 1797)
    }
    assert len(values) == 1


def test_only_the_first_samples_are_scored():
    fake = noise(100, seed=1)
    fid = flat_fid(samples=60)
    assert fid([fake]).value == fid([fake[:60]]).value != fid([fake[40:]]).value


def test_the_real_images_themselves_score_zero(classifier, images):
    score = FID(classifier, images, samples=1797)([images])
    assert 0.0 <= score.value < 1e-9


@pytest.mark.parametrize("disturbance", ["noise", "blur", "shift", "black patches", "few modes"])
def test_fid_grows_with_the_level_of_a_disturbance(classifier, images, disturbance):
    random = np.random.default_rng(0)
    noise_image = random.normal(size=images.shape)
    shifted = np.roll(images, 3, axis=2)
    blurred = sum(np.roll(images, step, axis) for axis in (1, 2) for step in (-1, 1)) / 4
    order = np.argsort(random.uniform(size=[1797, 64]), axis=1).reshape(images.shape)

    def disturbed(level):  # From 0, the images as they are, to 1.
        return {
            "noise": lambda: np.clip(images + level * noise_image, -1, 1),
            "blur": lambda: (1 - level) * images + level * blurred,
            "shift": lambda: (1 - level) * images + level * shifted,
            "black patches": lambda: np.where(order < 64 * level, -1.0, images),
            "few modes": lambda: np.resize(images[: int(1797 ** (1 - level)) + 3], images.shape),
        }[disturbance]()

    fid = FID(classifier, images, samples=1797)
    values = [fid([disturbed(level)]).value for level in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert values == sorted(values) and values[1] > 0.1 and values[-1] > 10.0


def test_the_floor_is_far_below_noise_and_of_the_scores_own_size(classifier, images):
    half = FID(classifier, images, seed=0).floor()
    assert half.value == FID(classifier, images, seed=0, samples=898).floor().value
    assert half.value != FID(classifier, images, seed=1).floor().value
    random = np.random.default_rng(0).uniform(-1, 1, images.shape)
    assert 0.5 < half.value < FID(classifier, images, samples=1797)([random]).value / 50
    # FID falls with the number of samples: so does what is perfect.
    assert FID(classifier, images, samples=200).floor().value > 2 * half.value


@pytest.mark.parametrize("count, samples", [(50, 20), (51, 25), (51, 1000), (600, 1000)])
def test_the_floor_is_the_distance_of_real_images_held_out_from_the_others(count, samples):
    reals = noise(count)
    flats = reals.reshape(count, -1)
    fid = FID(flat, reals, samples=samples, seed=3)
    held, rest = fid.reals.rows
    assert len(held) == min(samples, count // 2)
    assert sorted([*held, *rest]) == list(range(count)) and list(held) != list(range(len(held)))
    expected = frechet_distance(flats[rest], flats[held])
    assert_allclose(fid.floor().value, expected, rtol=1e-9)


def test_data_in_the_order_of_their_classes_hold_out_as_much_of_each():
    fid = FID(flat, noise(600), samples=90, real_samples=300)
    held, rest = fid.reals.rows
    assert [len(held[(held >= i) & (held < i + 100)]) for i in range(0, 600, 100)] == [15] * 6
    assert len(np.unique(held)) == 90 and len(np.unique(rest)) == 300
    assert not np.isin(rest, held).any()


def test_only_so_many_real_images_are_taken_as_asked_for():
    fid = FID(flat, noise(50), samples=20, real_samples=15)
    taken = noise(50).reshape(50, -1)[fid.reals.rows[1]]
    expected = frechet_distance(taken, noise(20, seed=1).reshape(20, -1))
    result = fid([noise(20, seed=1)])
    assert_allclose(result.value, expected, rtol=1e-9)
    assert "/real=15 array@" in result.protocol
    assert "/real=15 array@" in fid.floor().protocol and "/fake=20 real/" in fid.floor().protocol
    # Twenty are not left to hold out beside these: nineteen are.
    assert "/real=31 array@" in FID(flat, noise(50), samples=20, real_samples=31).protocol()


def test_quantized_images_score_as_their_files_do():
    real, fake = noise(50), noise(40, seed=1)
    files = [np.rint((images + 1) * 127.5).astype(np.uint8) for images in (real, fake)]
    read = [(pixels / 127.5 - 1).astype(np.float32) for pixels in files]
    result = FID(flat, real, samples=40, quantize=True)([fake])
    assert result.value == FID(flat, read[0], samples=40)([read[1]]).value
    assert result.value != FID(flat, real, samples=40)([fake]).value
    assert "/bn=inference/uint8" in result.protocol


def test_real_features_are_extracted_once_and_only_when_needed():
    seen = []

    def counted(images):
        seen.append(len(images))
        return flat(images)

    fid = FID(FunctionExtractor(counted, content_hash="v1", batch_size=10), noise(50), samples=20)
    assert not seen
    for _ in range(3):
        fid([noise(20)])
        fid.floor()
    assert sum(seen) == 50 + 3 * 20


def test_real_images_come_from_arrays_data_sets_and_pairs_alike():
    real, fake = noise(50), [noise(20, seed=1)]
    labels = np.zeros(50, np.int32)
    data = tf.data.Dataset.from_tensor_slices
    sources = {
        "array": real,
        "list": list(real),
        "pair": (real, labels),
        "batches": data(real).batch(7),
        "labelled batches": data((real, labels)).batch(50),
        "unknown length": data(real).filter(lambda image: True).batch(8),
        "in another order": data(real[::-1]).batch(9),
    }
    fid = {name: FID(flat, source, samples=20) for name, source in sources.items()}
    results = {name: score(fake) for name, score in fid.items()}
    values = [result.value for result in results.values()]
    assert_allclose(values, values[0], rtol=1e-10)
    hashes = {result.protocol.split("@")[2].split("/")[0] for result in results.values()}
    assert len(hashes) == 1
    assert FID(flat, real[:49], samples=20)(fake).protocol.split("@")[2][:8] not in hashes
    assert (
        FID(flat, np.roll(real, 1, axis=1), samples=20)(fake).protocol[-40:]
        != results["array"].protocol[-40:]
    )


def test_the_protocol_says_how_the_score_was_measured(classifier, images):
    fid = FID(classifier, images, samples=500, seed=3)
    extraction = f"fid/digits-classifier@{classifier.content_hash}/features-64"
    reals = f"array@{fid.reals.source.content_hash}" if fid.protocol() else ""
    expected = f"{extraction}/real=1797 {reals}/fake=500/seed=3"
    assert fid.protocol() == f"{expected}/bn=inference"
    assert fid([images]).protocol == fid.protocol()
    assert fid([images], note="bn=recalibrated").protocol == f"{expected}/bn=recalibrated"
    assert fid.floor().protocol == (f"{extraction}/real=1297 {reals}/fake=500 real/held-out-seed=3")


def test_a_protocol_can_be_had_before_any_score():
    assert FID(flat, noise(50), samples=20).protocol().startswith("fid/flat@")


def test_too_few_samples_are_warned_of_and_part_of_the_protocol():
    fid = flat_fid(samples=4)
    with pytest.warns(UserWarning, match="4 samples of 4 features.*Raise `samples`"):
        score = fid([noise(4)])
    assert score.protocol.endswith("/bn=inference/singular-covariance")
    assert np.isfinite(score.value)
    assert "singular" not in flat_fid(samples=5).protocol()


@pytest.mark.filterwarnings("ignore:FID from:UserWarning")
def test_constant_images_score_a_finite_number(classifier, images):
    score = FID(classifier, images, samples=2)([np.zeros([2, 8, 8, 1], np.float32)])
    assert np.isfinite(score.value) and score.value > 100.0


def test_results_of_one_protocol_are_ranked_by_value():
    low, high = ScoreResult("fid", 1.0, "p"), ScoreResult("fid", 2.0, "p")
    assert low < high and high > low and low <= high and not high <= low
    assert min(high, low) is low and sorted([high, low]) == [low, high]
    assert same_protocol(low, high) == "p"


def test_results_of_two_protocols_refuse_to_be_ranked():
    first = flat_fid(samples=20)([noise(20)])
    second = flat_fid(samples=21)([noise(21)])
    comparisons = [
        lambda: first < second,
        lambda: first > second,
        lambda: first <= second,
        lambda: first >= second,
        lambda: min(first, second),
        lambda: same_protocol(first, second),
    ]
    for compare in comparisons:
        with pytest.raises(ValueError, match="one protocol can be compared.*fake=20.*fake=21"):
            compare()
    with pytest.raises(TypeError, match="not supported between"):
        _ = first < 3.0
    with pytest.raises(ValueError, match="Received: no score"):
        same_protocol()


def test_fewer_images_than_samples_are_an_error():
    with pytest.raises(ValueError, match="needs 30 images. Received: 20"):
        flat_fid(samples=30)([noise(20)])


def test_nan_images_are_an_error_that_says_so():
    fake = noise(30)
    fake[7] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 30 images"):
        flat_fid(samples=30)([fake])


def test_nan_features_are_an_error_that_says_so():
    def broken(images):
        return tf.where(flat(images) > 0, flat(images), np.nan)

    with pytest.raises(ValueError, match="Features must be finite"):
        FID(broken, noise(50), samples=30)([noise(30)])


@pytest.mark.parametrize("settings", [{"samples": 1}, {"samples": 0}, {"real_samples": 0}], ids=str)
def test_settings_out_of_range_are_refused(settings):
    (name,) = settings
    with pytest.raises(
        ValueError, match=f"`{name}` must be an integer >= .*Received: {settings[name]}"
    ):
        flat_fid(**settings)


def test_a_number_of_samples_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match="`samples` must be an integer >= 2. Received: 10.5"):
        flat_fid(samples=10.5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_real_images_are_refused(count):
    with pytest.raises(ValueError, match=f"at least 4 real images. Received: {count}"):
        flat_fid(count)([noise(20)])


def test_a_data_set_without_images_is_refused():
    empty = tf.data.Dataset.from_tensor_slices(noise(4)).take(0).batch(2)
    with pytest.raises(ValueError, match="at least 4 real images. Received: 0"):
        FID(flat, empty).floor()


def test_real_and_fake_images_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="same extractor. Received: 4 and 9 features"):
        flat_fid(samples=20)([np.zeros([20, 3, 3, 1], np.float32)])


def test_the_public_names_load_nothing_before_use():
    code = "import sys, tfgan_stab.evaluation as e; e.__all__; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
