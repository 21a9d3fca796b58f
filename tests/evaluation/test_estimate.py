"""A float that remembers its parts."""

import copy
import json
import math
import pickle

import numpy as np
import pytest

from tfgan_stab.evaluation.estimate import Estimate

PARTS = [1.0, 2.0, 6.0]


def test_it_is_its_mean():
    estimate = Estimate(PARTS)
    assert estimate == 3.0 and float(estimate) == 3.0 and isinstance(estimate, float)
    assert 2.9 < estimate < 3.1 and np.isclose(estimate, 3.0) and estimate + 1 == 4.0
    assert f"{estimate:.2f}" == "3.00" and json.dumps(estimate) == "3.0"


def test_its_spread_is_that_of_the_parts():
    estimate = Estimate(PARTS)  # Deviations -2, -1, 3: squares add up to 14.
    assert math.isclose(estimate.standard_deviation, math.sqrt(14 / 3))
    assert math.isclose(estimate.standard_error, math.sqrt(14 / 2 / 3))


def test_one_part_has_a_value_and_no_error():
    estimate = Estimate([5.0])
    assert estimate == 5.0 and estimate.standard_deviation == 0.0
    assert math.isnan(estimate.standard_error)


def test_its_parts_are_its_own_and_fixed():
    parts = np.array(PARTS)
    estimate = Estimate(parts)
    parts[0] = 100.0
    np.testing.assert_array_equal(estimate.parts, PARTS)
    with pytest.raises(ValueError, match="read-only"):
        estimate.parts[0] = 7.0


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda estimate: pickle.loads(pickle.dumps(estimate))]
)
def test_copies_keep_the_parts(copied):
    again = copied(Estimate(PARTS))
    assert type(again) is Estimate and again == 3.0
    np.testing.assert_array_equal(again.parts, PARTS)
    assert not again.parts.flags.writeable


@pytest.mark.parametrize("parts", [[], 3.0, [[1.0, 2.0]]])
def test_what_is_no_row_of_parts_is_refused(parts):
    with pytest.raises(ValueError, match=r"shape \[parts\], at least one. Received: shape"):
        Estimate(parts)
