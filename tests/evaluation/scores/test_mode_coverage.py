"""Modes that generated points show."""

import re

import numpy as np
import pytest

import tfgan_stab as tgs


def test_found_modes_are_counted():
    data = tgs.data.mixture(modes=16)
    score = tgs.ModeCoverage(data, samples=400)
    modes, quality, unevenness = score([np.repeat(data.modes[:4], 100, axis=0)])
    assert (modes.value, quality.value) == (4.0, 1.0)
    assert unevenness.value == pytest.approx(np.log(4))
    expected = "modes/16-modes@[0-9a-f]{8}/std=0.02/reach=4/fake=400/seed=0/bn=inference"
    assert re.fullmatch(expected, str(modes.protocol))
    baseline = score.baseline()
    assert baseline[0].value == 16 and baseline[1].value > 0.99 and baseline[2].value < 0.1
    assert "/fake=400 real " in str(baseline[0].protocol) and "/real=" not in str(
        baseline[0].protocol
    )


def test_modes_must_be_known():
    with pytest.raises(ValueError, match="needs to know where the modes are. Received: neither"):
        tgs.ModeCoverage(samples=10)
    with pytest.raises(ValueError, match=r"Points must have shape \[samples, size\]"):
        tgs.ModeCoverage(centers=[1.0], std=0.1)


def test_protocol_tells_mixtures_apart():
    first, second, third = (
        tgs.ModeCoverage(centers=centers, std=0.1, samples=10).protocol()[0]
        for centers in (np.eye(2), 2 * np.eye(2), [[1, 0], [0, 1]])
    )
    assert first != second and first == third


def test_least_share():
    points = np.array([[0.0, 0.0]] * 9 + [[5.0, 0.0]])
    centers = [[0.0, 0.0], [5.0, 0.0]]
    found = [
        tgs.ModeCoverage(centers=centers, std=0.1, samples=10, least_share=share)([points])[0]
        for share in (0.0, 0.2)
    ]
    assert [result.value for result in found] == [2.0, 1.0]
    assert found[0].protocol != found[1].protocol
