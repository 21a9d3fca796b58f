"""What both kinds of penalties have in common: their names in logs, and what is no penalty."""

import pytest

import tfgan_stab as tgs
from tfgan_stab.game.penalties.base import check_penalties, names_of


def test_name_that_begins_another_is_not_counted_with_it():
    kinds = [type(name, (tgs.R1,), {}) for name in ("FooBar", "Foo")]
    penalties = [kinds[0](1.0), kinds[1](1.0), kinds[1](1.0)]
    assert names_of(penalties) == ["foo_bar", "foo", "foo_2"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("MSEPenalty", "mse_penalty"), ("R1", "r1"), ("OutputDrift", "output_drift")],
)
def test_names_are_in_snake_case(kind, expected):
    assert names_of([type(kind, (tgs.R1,), {})(1.0)]) == [expected]


class NotDerived:
    """Looks like a penalty on losses, and is none."""

    players, interval, input_gradients_of = ("discriminator",), 1, ()

    def terms(self, context, noise):
        return tgs.Players(None, 0.0)

    def __repr__(self):
        return "NotDerived()"


@pytest.mark.parametrize(
    ("penalties", "received"),
    [
        (tgs.Consensus(0.1), r"Consensus\(weight=0.1\)"),
        ([tgs.Consensus], "<class.*Consensus"),
        ([tgs.R1], "<class.*R1"),
        (["consensus"], "'consensus'"),
        ([NotDerived()], r"NotDerived\(\)"),
    ],
)
def test_penalties_must_be_a_list_of_instances(penalties, received):
    message = rf"`penalties` must be a list such as \[tgs.R1\(10.0\)\], .*Received: .*{received}"
    with pytest.raises(TypeError, match=message):
        check_penalties(penalties, (2,))
