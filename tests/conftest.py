"""What every test starts from."""

import gin
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def known_state():
    """Fixes NumPy's seed, and forgets the configuration of the former test."""
    np.random.seed(0)
    gin.clear_config()
