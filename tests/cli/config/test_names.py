"""Dotted names are looked up, and arguments checked, with the nearest ones in the message."""

import math

import pytest

from tfgan_stab.cli.config.names import ConfigError, check_argument, look_up


def exact(size=1):
    """Takes one argument."""
    return size


class Base:
    def __init__(self, rate=0.1, **others):
        self.rate, self.others = rate, others


class Derived(Base):
    def __init__(self, size=1, **others):
        super().__init__(**others)
        self.size = size


def test_name_is_what_its_parts_lead_to():
    assert look_up({"math": math}, "math", "a.gin:1") is math
    assert look_up({"m": math}, "m.pi", "a.gin:1") == math.pi


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mth.pi", "^a.gin:3: `mth.pi` begins with `mth`, which nothing here imports. .*`math`"),
        ("math.sqr", "^a.gin:3: `math` has no `sqr`. Did you mean `sqrt`"),
        ("math.pi.size", "^a.gin:3: `math.pi` has no `size`"),
    ],
)
def test_names_that_lead_nowhere(name, message):
    with pytest.raises(ConfigError, match=message):
        look_up({"math": math}, name, "a.gin:3")


@pytest.mark.parametrize(
    ("found", "argument"),
    [(exact, "size"), (Derived, "size"), (Derived, "rate"), (Base, "something_else")],
)
def test_arguments_that_can_be_set(found, argument):
    check_argument(found, "name", argument, "a.gin:3")


@pytest.mark.parametrize(
    ("found", "argument", "message"),
    [
        (exact, "rate", "`name` has no argument `rate`. Known are: size"),
        (Derived, "ratee", "`name` has no argument `ratee`. Did you mean `rate`"),
        (math, "pi", "`name` is a module; only arguments of functions and classes"),
    ],
)
def test_arguments_that_cannot_be_set(found, argument, message):
    with pytest.raises(ConfigError, match=message):
        check_argument(found, "name", argument, "a.gin:3")
