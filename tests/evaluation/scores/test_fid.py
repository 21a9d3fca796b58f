"""FID: the distance of features, its baseline, and what too few samples do."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tfgan_stab as tgs
from tfgan_stab.evaluation.metrics.estimate import Estimate
from tfgan_stab.evaluation.metrics.frechet import frechet_distance
from tfgan_stab.evaluation.scores import fid
from tfgan_stab.evaluation.scores.fid import FID


def test_fid_is_the_distance_of_the_features(noise, flat):
    real, fake = noise(50), noise(70, seed=1, width=0.5)
    score = FID(flat, real, samples=70)([fake[:9], fake[9:]])
    expected = frechet_distance(real.reshape(50, -1), fake.reshape(70, -1))
    assert score.name == "fid" and isinstance(score.value, float)
    assert_allclose(score.value, expected, rtol=1e-10)


def test_real_images_score_zero(classifier, images):
    score = FID(classifier, images, samples=1797)([images])
    assert 0.0 <= score.value < 1e-9


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
    with pytest.warns(UserWarning, match="4 samples of 4 features.*Raise `samples`"):
        score = fid([noise(4)])
    assert str(score.protocol).endswith("/bn=inference/singular-covariance")
    assert np.isfinite(score.value)
    assert not flat_fid(samples=5).protocol().flaws


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
