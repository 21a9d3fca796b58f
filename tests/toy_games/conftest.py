"""What the tests of toy games share."""

import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))


@pytest.fixture(scope="session")
def predicted_factor():
    """The function of this name in predicted_factors.py."""
    from predicted_factors import predicted_factor

    return predicted_factor


class NaiveAdam:
    """Adam with NumPy, with a state of its own."""

    def __init__(self, beta_1=0.9, beta_2=0.999, correction="both"):
        self.beta_1, self.beta_2, self.correction = beta_1, beta_2, correction
        self.m = self.v = 0.0
        self.t = 0

    def step(self, point, slope, h):
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * slope
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * slope**2
        m = self.m if self.correction == "none" else self.m / (1 - self.beta_1**self.t)
        v = self.v / (1 - self.beta_2**self.t) if self.correction == "both" else self.v
        return point + h * m / (np.sqrt(v) + 1e-8)


@pytest.fixture
def naive_adam():
    return NaiveAdam
