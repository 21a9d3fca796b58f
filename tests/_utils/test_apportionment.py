"""Classes as often as their shares say."""

import numpy as np
import pytest

from tfgan_stab._utils.apportionment import in_shares, shares_of


@pytest.mark.parametrize("shares", [(3, 1), (70, 20, 10), (1, 0, 5), (997, 2, 1), (2, 2, 3, 5)])
def test_classes_come_as_often_as_their_shares_say(shares):
    total, exact = sum(shares), np.asarray(shares)
    for count in (1, 7, total, 5 * total, 5 * total + 3):
        labels = in_shares(shares, count)
        found = np.bincount(labels, minlength=len(shares))
        assert np.all(np.abs(found - count * exact / total) < 1)
        np.testing.assert_array_equal(labels[: count // 2], in_shares(shares, count // 2))
        if count % total == 0:
            np.testing.assert_array_equal(found, count // total * exact)


def test_equal_shares_make_turns():
    np.testing.assert_array_equal(in_shares((1,) * 7, 100), np.arange(100) % 7)
    assert shares_of([5, 5, 5]) == () and shares_of([4, 0, 6]) == (2, 0, 3)
