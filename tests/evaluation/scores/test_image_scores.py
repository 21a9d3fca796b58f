"""Scores of pixels: the sliced Wasserstein distance and MS-SSIM."""

import numpy as np
import pytest

import tfgan_stab as tgs

REAL = np.zeros([8, 8, 8, 1], np.float32)


def test_sliced_wasserstein_sees_wrong_stripes(noise):
    def textured(count, seed):
        return noise(count, seed, shape=(32, 32, 1))

    real, fake = textured(60, 0), textured(30, 1)
    striped = textured(30, 1)[:, :1].repeat(32, axis=1)
    score = tgs.SlicedWasserstein(real, samples=30, patches_per_image=16)
    same, worse = score([fake]), score([striped])
    assert [r.name for r in same] == ["swd", "swd_32", "swd_16"]
    assert same[0].value < 0.1 and worse[1].value > 2 * same[1].value
    assert same[0].value == pytest.approx((same[1].value + same[2].value) / 2)
    assert "/pyramid-to-16/16x7px/projections=147/real=30 array@" in str(same[0].protocol)
    assert score([fake]) == same


def test_ms_ssim_of_collapsed_images_is_one(noise):
    images = noise(40, shape=(16, 16, 1))
    score = tgs.MSSSIM(images, samples=40)
    collapsed = score([np.repeat(images[:1], 40, axis=0)])
    assert collapsed.value == pytest.approx(1.0)
    assert score.baseline().value < 0.2
    assert not collapsed.larger_is_better and collapsed.standard_error == pytest.approx(0.0)
    assert str(collapsed.protocol).startswith("ms_ssim/1-levels/11px/fake=40/seed=0")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"patch_size": 4}, "`patch_size` must be odd, at least 3. Received: 4. Use 7"),
        ({"patch_size": 1}, "`patch_size` must be an integer >= 3. Received: 1"),
        ({"projections": 0}, "`projections` must be an integer >= 1. Received: 0"),
        ({"patches_per_image": 0}, "`patches_per_image` must be an integer >= 1. Received: 0"),
        ({"resolution_min": 0}, "`resolution_min` must be an integer >= 1. Received: 0"),
    ],
)
def test_patches_out_of_range_raise(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.SlicedWasserstein(REAL, samples=4, **settings)


@pytest.mark.parametrize("make", [tgs.SlicedWasserstein, tgs.MSSSIM])
def test_points_raise(make):
    points = np.zeros([8, 2], np.float32)
    with pytest.raises(ValueError, match=r"looks at pictures.*shape \[4, 2\].*ModeCoverage for"):
        make(REAL, samples=4)([points[:4]])
