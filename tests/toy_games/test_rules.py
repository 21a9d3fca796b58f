"""Rules of toy games against their formulas in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs


@pytest.mark.parametrize("correction", ["both", "mean", "none"])
@pytest.mark.parametrize("beta_1", [0.9, 0.0, -0.6])
def test_adam(naive_adam, beta_1, correction):
    rule = tgs.games.Adam(beta_1, 0.99, bias_correction=correction)
    naive = naive_adam(beta_1, 0.99, correction)
    player, expected = tf.constant([0.0], tf.float64), 0.0
    state = rule.init(player)
    for slope in np.random.RandomState(0).randn(20):
        player, state = rule.step(player, tf.constant([slope], tf.float64), 0.1, state)
        expected = naive.step(expected, slope, 0.1)
        np.testing.assert_allclose(player, [expected])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta_1": 1.0}, r"`beta_1` must be a number in \(-1, 1\). Received: 1.0. Use 0.9"),
        ({"beta_1": -1.0}, r"`beta_1` must be a number in \(-1, 1\). Received: -1.0"),
        ({"beta_2": -0.1}, r"`beta_2` must be a number in \[0, 1\). Received: -0.1. Use 0.999"),
        ({"epsilon": -1.0}, "`epsilon` must be a number >= 0. Received: -1.0. Use 1e-8"),
        ({"bias_correction": False}, "`bias_correction` must be one of 'both', 'mean', 'none'"),
    ],
)
def test_adam_settings_must_be_in_range(settings, message):
    with pytest.raises(ValueError, match=message):
        tgs.games.Adam(**settings)
