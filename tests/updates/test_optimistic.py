"""The optimistic gradient on a rotation."""

import numpy as np
import pytest

from tfgan_stab.updates.optimistic import OptimisticGradient


@pytest.mark.parametrize("h", [0.1, 0.3])
def test_recurrence_and_contraction(tiny, h):
    visited = tiny.orbit(OptimisticGradient(), h, 60)
    turned = 1j * h * visited  # h v(w) on the rotation
    expected = visited[1:-1] + 2 * turned[1:-1] - turned[:-2]
    np.testing.assert_allclose(visited[2:], expected, rtol=1e-10)
    np.testing.assert_allclose(visited[1], visited[0] + turned[0], rtol=1e-12)
    assert abs(visited[-1]) < abs(visited[0])
