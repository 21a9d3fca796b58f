"""Extragradient on a rotation, and its settings."""

import math

import numpy as np
import pytest

from tfgan_stab.updates.extragradient import Extragradient


@pytest.mark.parametrize("h", [0.1, 0.3, 0.9])
def test_factor_of_radius_has_closed_form(tiny, h):
    measured = tiny.factor_of_radius(Extragradient(), h)
    np.testing.assert_allclose(measured, math.sqrt(1 - h**2 + h**4), rtol=1e-12)


def test_fresh_batches_evaluate_trial_point_on_second_minibatch(tiny):
    # x' = x - h t (y + h s x), y' = y + h t (x - h s y) with the strengths s and t.
    h, (s, t) = 0.3, (2.0, 0.5)
    visited = tiny.play(Extragradient(batches="fresh"), tiny.Rotation(h, (s, t)), 1)
    z, end = (complex(*params) for params in visited)
    np.testing.assert_allclose(end, z * (1 + 1j * h * t * (1 + 1j * h * s)), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"state": "own"}, "`state` must be one of 'shared', 'separate'. Received: 'own'. Use"),
        ({"batches": "new"}, "`batches` must be one of 'shared', 'fresh'. Received: 'new'. Use"),
    ],
)
def test_unknown_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Extragradient(**arguments)
