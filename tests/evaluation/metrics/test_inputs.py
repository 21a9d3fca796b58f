"""What features must be, in one place for every metric."""

import ml_dtypes
import numpy as np
import pytest

from tfgan_stab.evaluation.metrics.inputs import (
    blocks,
    checked_count,
    checked_features,
    checked_pair,
)

GOOD = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.uint8, np.int64])
def test_real_numbers_of_any_type_become_float64(dtype):
    features = checked_features(GOOD.astype(dtype))
    assert features.dtype == np.float64
    np.testing.assert_array_equal(features, GOOD)


def test_a_pair_keeps_its_precision():
    real, fake = checked_pair(GOOD.astype(np.float32), GOOD.astype(np.float16))
    assert (real.dtype, fake.dtype) == (np.float32, np.float16)


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 0), (3, 2, 1), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \[samples, features\].*Received: shape \["):
        checked_features(np.zeros(shape))


@pytest.mark.parametrize("values", [[[1j]], [["a"]], [[True]], [[None]]])
def test_other_types_are_refused(values):
    with pytest.raises(TypeError, match="must be real numbers. Received: dtype"):
        checked_features(values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_found_wherever_they_are(bad):
    features = np.zeros((9000, 2), np.float32)
    features[[5000, 8999], 1] = bad
    with pytest.raises(ValueError, match="2 of 9000 samples, the first at index 5000"):
        checked_features(features)


@pytest.mark.skipif(
    np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="no wider type here"
)
def test_what_float64_cannot_hold_is_not_finite():
    with pytest.raises(ValueError, match="1 of 1 samples, the first at index 0"):
        checked_features(np.array([[1.0]], np.longdouble) * np.finfo(np.longdouble).max)


def test_a_pair_of_different_extractors_is_refused():
    with pytest.raises(ValueError, match="same extractor. Received: 2 and 1 features"):
        checked_pair(GOOD, GOOD[:, :1])


def test_messages_say_which_of_a_pair_is_wrong():
    with pytest.raises(ValueError, match="Fake features must be finite"):
        checked_pair(GOOD, GOOD * np.nan)
    with pytest.raises(ValueError, match="Real features must have shape"):
        checked_pair(GOOD[0], GOOD)


def test_blocks_cover_every_row_once():
    for samples in (1, 3, 4, 10):
        rows = [np.arange(part.start, part.stop) for part in blocks(samples, 4)]
        np.testing.assert_array_equal(np.concatenate(rows), np.arange(samples))


@pytest.mark.parametrize("number", [1.0, "3", True, None])
def test_counts_that_are_no_integers_are_refused(number):
    with pytest.raises(TypeError, match="`blocks` must be an integer >= 1. Received:"):
        checked_count("blocks", number)


def test_counts_that_are_too_small_are_refused():
    assert checked_count("blocks", np.int64(2), least=2) == 2
    with pytest.raises(ValueError, match="`blocks` must be an integer >= 2. Received: 1"):
        checked_count("blocks", 1, least=2)
