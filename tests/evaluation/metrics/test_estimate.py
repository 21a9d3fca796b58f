"""A float that remembers its parts."""

import copy
import json
import math
import pickle

import numpy as np
import pytest

from tfgan_stab.evaluation.metrics.estimate import Estimate

PARTS = [1.0, 2.0, 6.0]


def test_estimate_is_the_mean():
    estimate = Estimate.mean_of(PARTS)
    assert estimate == 3.0 and float(estimate) == 3.0 and isinstance(estimate, float)
    assert 2.9 < estimate < 3.1 and np.isclose(estimate, 3.0) and estimate + 1 == 4.0
    assert f"{estimate:.2f}" == "3.00" and json.dumps(estimate) == "3.0"


def test_standard_deviation_and_error():
    estimate = Estimate.mean_of(PARTS)  # Deviations -2, -1, 3: squares add up to 14.
    assert math.isclose(estimate.standard_deviation, math.sqrt(14 / 3))
    assert math.isclose(estimate.standard_error, math.sqrt(14 / 2 / 3))


def test_one_part_has_no_error():
    estimate = Estimate.mean_of([5.0])
    assert estimate == 5.0 and estimate.standard_deviation == 0.0
    assert math.isnan(estimate.standard_error)


def test_parts_are_copied_and_fixed():
    parts = np.array(PARTS)
    estimate = Estimate.mean_of(parts)
    parts[0] = 100.0
    np.testing.assert_array_equal(estimate.parts, PARTS)
    with pytest.raises(ValueError, match="read-only"):
        estimate.parts[0] = 7.0


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda estimate: pickle.loads(pickle.dumps(estimate))]
)
def test_copies_keep_the_parts(copied):
    again = copied(Estimate.mean_of(PARTS))
    assert type(again) is Estimate and again == 3.0
    np.testing.assert_array_equal(again.parts, PARTS)
    assert not again.parts.flags.writeable


@pytest.mark.parametrize("parts", [[], 3.0, [[1.0, 2.0]]])
def test_parts_of_other_shapes_raise(parts):
    with pytest.raises(ValueError, match=r"shape \[parts\], at least one. Received: shape"):
        Estimate.mean_of(parts)


def test_estimate_without_parts():
    estimate = Estimate(2.5, standard_error=0.5)
    assert (estimate, estimate.value, estimate.standard_error) == (2.5, 2.5, 0.5)
    assert not estimate.parts.size and math.isnan(estimate.standard_deviation)
    assert math.isnan(Estimate(2.5).standard_error) and Estimate(2.5).remark == ""
    again = pickle.loads(pickle.dumps(estimate))
    assert again.standard_error == 0.5 and again == 2.5
    with pytest.raises(ValueError, match=r"shape \[parts\]. Received: shape \[1, 2\]"):
        Estimate(1.0, parts=[[1.0, 1.0]])


def test_clipped_rounding_is_remembered():
    below, above = (Estimate.clipped_at_zero(value) for value in (-2e-9, 2e-9))
    assert (below, below.clipped, below.remark) == (0.0, 2e-9, "round-off of -2.0e-09 was set to 0")
    assert (above, above.clipped, above.remark) == (2e-9, 0.0, "")
