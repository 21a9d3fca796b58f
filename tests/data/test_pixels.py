"""Values of pictures are refused, or warned about, before anything is trained on them."""

import warnings

import numpy as np
import pytest

from tfgan_stab.data.pixels import check_range, to_bytes, warn_of_half_range

PICTURES = np.linspace(-1, 1, 6 * 4 * 4 * 1).reshape(6, 4, 4, 1)


def with_value(value, index=2):
    changed = PICTURES.copy()
    changed[index, 1, 3, 0] = value
    return changed


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [[6, 4, 4, 1], [6, 16], [96]])
def test_values_up_to_the_ends_of_the_range_pass(dtype, shape):
    assert check_range("pictures", PICTURES.reshape(shape).astype(dtype)) is None


def test_an_empty_array_has_no_bad_value():
    check_range("pictures", PICTURES[:0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_and_found(value):
    bad = with_value(value)
    bad[4] = value
    message = (
        r"^'x' must hold finite numbers. Received: NaN or infinity in 2 of 6 pictures, the first "
        r"at index 2. Leave those out.$"
    )
    with pytest.raises(ValueError, match=message):
        check_range("x", bad)
    with pytest.raises(ValueError, match=message):
        check_range("x", bad.reshape(6, 16))


@pytest.mark.parametrize("value, shown", [(1.001, "-1 to 1.001"), (-2, "-2 to 1")])
def test_values_outside_of_the_range_are_refused(value, shown):
    message = rf"'x' must hold floats in \[-1, 1\]. Received: values from {shown}. If black"
    with pytest.raises(ValueError, match=message):
        check_range("x", with_value(value))


def test_bytes_are_refused_with_the_remedy():
    pictures = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    with pytest.raises(ValueError, match="values from 0 to 255. .* use `images / 127.5 - 1`"):
        check_range("x", pictures)
    check_range("x", pictures / 127.5 - 1)


def test_pictures_without_a_negative_value_are_warned_about_in_the_callers_line():
    with pytest.warns(UserWarning, match="'x' has values from 0.25 to 1 only") as caught:
        warn_of_half_range("x", np.array([[0.25, 1.0]]))
    assert caught[0].filename == __file__


def test_pictures_that_use_both_halves_are_not_warned_about():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_half_range("x", np.array([[-1e-3, 1.0]]))


def test_bytes_that_were_scaled_come_back_as_they_were():
    every = np.arange(256, dtype=np.uint8)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(to_bytes(every.astype(kind) / kind(127.5) - 1), every)
    back = to_bytes(np.array([-9.0, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 1.0, 9.0]))
    assert back.dtype == np.uint8 and back.tolist() == [0, 0, 0, 1, 255, 255]
