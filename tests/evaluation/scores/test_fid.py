"""FID: the distance of features, its baseline, and what too few samples do."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.extractors.function import FunctionExtractor
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.frechet import frechet_distance
from tfgan_stab.evaluation.scores import fid
from tfgan_stab.evaluation.scores.fid import FID, FIDAtSizes


def test_fid_is_the_distance_of_the_features(noise, flat):
    real, fake = noise(50), noise(70, seed=1, width=0.5)
    score = FID(flat, real, samples=70)([fake[:9], fake[9:]])
    expected = frechet_distance(real.reshape(50, -1), fake.reshape(70, -1))
    assert score.name == "fid" and isinstance(score.value, float)
    assert_allclose(score.value, expected, rtol=1e-10)


def test_real_images_score_zero(classifier, images):
    score = FID(classifier, images, samples=1797)([images])
    assert 0.0 <= score.value < 1e-9


@pytest.mark.cases(full=3)
@pytest.mark.slow
@pytest.mark.parametrize("disturbance", ["noise", "blur", "shift", "black patches", "few modes"])
def test_fid_grows_with_each_disturbance(classifier, images, disturbance):
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


@pytest.mark.slow
def test_baseline_is_far_below_noise(classifier, images):
    half = FID(classifier, images, seed=0).baseline()
    assert half.value == FID(classifier, images, seed=0, samples=898).baseline().value
    assert half.value != FID(classifier, images, seed=1).baseline().value
    random = np.random.default_rng(0).uniform(-1, 1, images.shape)
    assert 0.5 < half.value < FID(classifier, images, samples=1797)([random]).value / 50
    # FID falls with the number of samples: so does what is perfect.
    assert FID(classifier, images, samples=200).baseline().value > 2 * half.value


@pytest.mark.parametrize("count, samples", [(50, 20), (51, 25), (51, 1000), (600, 1000)])
def test_baseline_is_the_distance_of_held_out_images(count, samples, noise, flat):
    real_images = noise(count)
    flats = real_images.reshape(count, -1)
    fid = FID(flat, real_images, samples=samples, seed=3)
    held_out, reference = fid.real_images.rows
    assert len(held_out) == min(samples, count // 2)
    assert sorted([*held_out, *reference]) == list(range(count)) and list(held_out) != list(
        range(len(held_out))
    )
    expected = frechet_distance(flats[reference], flats[held_out])
    assert_allclose(fid.baseline().value, expected, rtol=1e-9)


def test_too_few_samples_warn(noise, flat_fid):
    fid = flat_fid(samples=4)
    with pytest.warns(UserWarning, match="FID from 4 generated .* 4 features.*Raise `samples`"):
        score = fid([noise(4)])
    assert str(score.protocol).endswith("/bn=inference/singular-covariance")
    assert np.isfinite(score.value)
    assert not flat_fid(samples=5).protocol().flaws


@pytest.mark.parametrize("make", [FID, lambda *given, samples: FIDAtSizes(*given, [4, samples])])
def test_few_real_images_warn(noise, pixels, make):
    few, enough = (make(pixels, noise(count), samples=5) for count in (4, 5))
    with pytest.warns(UserWarning, match="FID from 4") as shown:
        few([noise(5)])
    expected = (
        "FID from 4 real images, for 4 features: the covariance is singular and the score far"
    )
    assert [str(each.message)[: len(expected)] for each in shown][-1:] == [expected]
    assert "Give more real images." in str(shown[-1].message)
    if make is FID:
        assert len(shown) == 1
        enough([noise(5)])
    with pytest.warns(UserWarning, match="FID from 4 held-out real images, for 4 features.*Give"):
        make(pixels, noise(9), samples=5).baseline()


def naive_distance(first, second):
    """By the eigenvalues of the product of both covariances."""
    (mean_1, cov_1), (mean_2, cov_2) = (
        (features.mean(axis=0), np.cov(features, rowvar=False)) for features in (first, second)
    )
    roots = np.sqrt(np.maximum(np.linalg.eigvals(cov_1 @ cov_2).real, 0.0))
    return np.sum((mean_1 - mean_2) ** 2) + np.trace(cov_1 + cov_2) - 2 * roots.sum()


def test_statistics_in_a_file_stand_for_real_images(noise, pixels, tmp_path):
    real, fake = noise(50).reshape(50, -1), noise(40, seed=1, width=0.7)
    path = tmp_path / "of real=[1].npz"
    np.savez(path, mu=real.mean(axis=0), sigma=np.cov(real, rowvar=False))
    fid = FID(pixels, path, samples=40)
    result = fid([fake])
    assert_allclose(result.value, naive_distance(real, fake.reshape(40, -1)), rtol=1e-6)
    line = r"fid/flat@v1/features-4/real=statistics of-real=\[1\]@[0-9a-f]{8}/fake=40/seed=0/"
    assert re.match(line, str(result.protocol))
    assert result.protocol != FID(pixels, noise(50), samples=40).protocol()
    at_sizes = FIDAtSizes(pixels, str(path), sizes=[20, 40])([fake])
    assert_allclose(at_sizes[1].value, result.value, rtol=1e-9)
    assert at_sizes[1].protocol == result.protocol
    with pytest.raises(ValueError, match="on real images. Received: statistics of-real.*Pass the"):
        fid.baseline()


def test_saved_statistics_give_the_same_score(noise, pixels, tmp_path):
    fake, whole = noise(40, seed=1), FID(pixels, noise(50), samples=40)
    whole.save_statistics(tmp_path / "real.npz")
    with np.load(tmp_path / "real.npz") as saved:
        assert_allclose(saved["mu"], noise(50).reshape(50, -1).mean(axis=0), rtol=1e-6)
        assert_allclose(saved["sigma"], np.cov(noise(50).reshape(50, -1), rowvar=False), rtol=1e-6)
    again = FID(pixels, tmp_path / "real.npz", samples=40)
    result = again([fake])
    assert_allclose(result.value, whole([fake]).value, rtol=1e-12)
    assert "/real=50 statistics real@" in str(result.protocol)
    again.save_statistics(tmp_path / "copy.npz")
    assert FID(pixels, tmp_path / "copy.npz", samples=40)([fake]).value == result.value
    other = FunctionExtractor(pixels._function, name="flat", content_hash="v2")
    with pytest.raises(ValueError, match="were taken with, flat@v1. Received: flat@v2. Use that"):
        FID(other, tmp_path / "real.npz", samples=40)([fake])
    with pytest.raises(ValueError, match="files that end in .npz. Received: .*real.npy"):
        whole.save_statistics(tmp_path / "real.npy")


def test_statistics_of_few_images_warn(noise, pixels, tmp_path):
    FID(pixels, noise(4), samples=5).save_statistics(tmp_path / "few.npz")
    with pytest.warns(UserWarning, match="FID from 4 real images, for 4 features"):
        FID(pixels, tmp_path / "few.npz", samples=5)([noise(5)])


def test_statistics_are_for_fid_alone_and_of_its_features(noise, pixels, tmp_path):
    path = tmp_path / "three.npz"
    np.savez(path, mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(ValueError, match="an extractor of 3 features, .*three.npz.*one of 4. Use"):
        FID(pixels, path, samples=5)([noise(5)])
    with pytest.raises(ValueError, match="real_samples=9 and the statistics in .*three.npz. Leave"):
        FID(pixels, path, samples=5, real_samples=9)
    with pytest.raises(TypeError, match="Real images must be .*, are for the FID."):
        tgs.KID(pixels, path, samples=5)
    with pytest.raises(TypeError, match="`score` must be a score with real images"):
        tgs.PerClass(FID(pixels, path, samples=5))


@pytest.mark.filterwarnings("ignore:FID from:UserWarning")
def test_constant_images_score_a_finite_number(classifier, images):
    score = FID(classifier, images, samples=2)([np.zeros([2, 8, 8, 1], np.float32)])
    assert np.isfinite(score.value) and score.value > 100.0


def test_clipped_rounding_is_remarked(monkeypatch, noise, pixels):
    monkeypatch.setattr(
        fid, "frechet_distance_from_moments", lambda *_: Estimate.clipped_at_zero(-2e-9)
    )
    result = tgs.FID(pixels, noise(30), samples=10)([noise(10)])
    assert result.value == 0.0 and result.remark == "round-off of -2.0e-09 was set to 0"
    monkeypatch.setattr(
        fid, "frechet_distance_from_moments", lambda *_: Estimate.clipped_at_zero(2e-9)
    )
    result = tgs.FID(pixels, noise(30), samples=10)([noise(10)])
    assert result.value == 2e-9 and result.remark == ""


def test_singular_covariance_of_either_side(noise, pixels):
    few, enough = noise(4), noise(30)
    told = [
        "singular-covariance" in tgs.FID(pixels, real, samples=samples).protocol().flaws
        for real, samples in [(enough, 5), (few, 5), (enough, 4), (noise(5), 30)]
    ]
    assert told == [False, True, True, False]
