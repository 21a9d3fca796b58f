"""Coefficients that contradict each other, or the order they claim, are refused."""

import pytest

from tfgan_stab.updates.runge_kutta import RungeKutta
from tfgan_stab.updates.tableaus import RK4, TABLEAUS, Tableau


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"a": ((), (0.5, 0.5)), "b": (0.5, 0.5)}, "row i with i numbers"),
        ({"a": ((),), "b": ()}, "one row per weight"),
        ({"a": ((), (1.0,)), "b": (0.5, 0.6)}, r"`b` must sum to 1.*sum to 1.1"),
        ({"a": ((), (float("nan"),)), "b": (0.5, 0.5)}, "finite numbers"),
        ({"a": ((), (0.5,)), "b": (0.5, 0.5), "order": 2}, r"order 2. Received: \[0.25\]"),
        ({"a": ((), (0.5,)), "b": (0.0, 1.0), "order": 3}, "order 3.*claim order=2"),
        ({"a": ((), ("half",)), "b": (0.5, 0.5)}, "must be rows of numbers.*half"),
        ({"a": RK4.a, "b": RK4.b, "order": 7}, "`order` must be an integer from 1 to 4.*7"),
        ({"a": ((),), "b": (1.0,), "order": 0}, "`order` must be an integer from 1 to 4"),
    ],
)
def test_inconsistent_tableaus_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Tableau("mine", **{"order": 1, **settings})


@pytest.mark.parametrize("name", TABLEAUS)
def test_tableau_goes_by_its_name(name):
    assert RungeKutta(name) == RungeKutta(TABLEAUS[name])


def test_tableau_must_be_tableau_or_name():
    with pytest.raises(TypeError, match="must be a Tableau such as tgs.HEUN.*Received: 4"):
        RungeKutta(4)


def test_unknown_name_is_refused_with_known_ones():
    with pytest.raises(ValueError, match=r"one of \['euler', .*'rk4'\].*Received: 'rk5'"):
        RungeKutta("rk5")
