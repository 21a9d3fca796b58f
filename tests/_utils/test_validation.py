"""Arguments are checked in one form, and refused with what was expected, received, and the fix."""

import fractions

import numpy as np
import pytest

from tfgan_stab._utils import validation


@pytest.mark.parametrize("value", [1, 3, np.int64(3), np.uint8(1)])
def test_integers_come_back_as_plain_integers(value):
    found = validation.integer("count", value)
    assert type(found) is int and found == value


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, np.float32(3), float("nan"), [3]])
def test_what_is_no_integer_in_range_is_refused(value):
    message = r"`count` must be a number of steps, an integer >= 1\. Received: .*\. Use 5\."
    with pytest.raises(ValueError, match=message):
        validation.integer("count", value, unit="steps", fix="Use 5.")


def test_a_largest_integer_is_told():
    assert validation.integer("order", 4, most=4) == 4
    with pytest.raises(ValueError, match="`order` must be an integer from 1 to 4. Received: 5."):
        validation.integer("order", 5, most=4)


@pytest.mark.parametrize(
    ("bounds", "words", "right", "wrong"),
    [
        ({"least": 0}, r">= 0", [0, 1e9], [-1e-9]),
        ({"above": 0}, r"> 0", [1e-9], [0, -1]),
        ({"most": 1}, r"<= 1", [1, -5], [1.1]),
        ({"below": 1}, r"< 1", [0.9], [1]),
        ({"above": 0, "most": 1}, r"in \(0, 1\]", [1, 0.1], [0, 1.01]),
        ({"least": 0, "below": 1}, r"in \[0, 1\)", [0, 0.9], [1, -0.1]),
        ({}, "that is finite", [-1e300], []),
    ],
)
def test_numbers_and_their_ranges(bounds, words, right, wrong):
    for value in right:
        assert validation.number("rate", value, **bounds) == value
    for value in [*wrong, float("nan"), float("inf"), True, "1", None, 1j]:
        with pytest.raises(ValueError, match=rf"`rate` must be a number {words}\. Received: "):
            validation.number("rate", value, **bounds)


def test_numbers_of_numpy_become_pythons():
    assert type(validation.number("rate", np.float32(0.5))) is float
    assert type(validation.number("rate", fractions.Fraction(1, 2))) is float
    assert type(validation.number("rate", 1)) is int


def test_choices_are_told_and_true_is_not_one():
    assert validation.choice("scope", "global", ["replica", "global"]) == "global"
    assert validation.choice("jit_compile", True, [True, False, "auto"]) is True
    with pytest.raises(ValueError, match="must be one of 'replica', 'global'. Received: 'all'."):
        validation.choice("scope", "all", ["replica", "global"])
    with pytest.raises(ValueError, match="must be one of 1, 2. Received: True."):
        validation.choice("size", True, [1, 2])


@pytest.mark.parametrize("value", [-1, 2**62, 1.0, True, "0", None])
def test_seeds_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match=r"`seed` must be an integer in \[0, 2\*\*62\). Received"):
        validation.seed(value)
    assert validation.seed(np.int32(7)) == 7


def test_periods_are_epochs_or_steps():
    assert validation.period("every", "epoch") == "epoch"
    assert validation.period("every", np.int64(3)) == 3
    message = '`every` must be "epoch" or a number of steps, an integer >= 1. Received: 0.'
    with pytest.raises(ValueError, match=message):
        validation.period("every", 0)


class Oven:
    @validation.known_arguments("heat", {"celsius": "temperature=180"})
    def heat(self, temperature, minutes=30):
        """Heats."""
        return temperature, minutes


def test_unknown_arguments_are_answered_with_what_to_write():
    assert Oven().heat(180) == (180, 30)
    assert Oven().heat(minutes=10, temperature=200) == (200, 10)
    assert Oven.heat.__doc__ == "Heats."
    message = "`heat` takes temperature, minutes. Received: {}. {}"
    for given, shown, fix in (
        ({"celsius": 180}, "celsius=180", "Write temperature=180."),
        ({"minuets": 5}, "minuets=5", "Write minutes=..."),
        ({"colour": "red"}, "colour='red'", "Leave it out."),
    ):
        with pytest.raises(TypeError, match=message.format(shown, fix)):
            Oven().heat(180, **given)
