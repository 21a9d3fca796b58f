"""Runs that are killed or harmed end as if nothing had been, or stop and say what to do."""

import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "chaos"))

from faults import FAULTS, NotPossible, half_done, try_fault  # noqa: E402
from kills import kill_often  # noqa: E402
from small_run import undisturbed  # noqa: E402
from soak import soak  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

KILLS = 6  # scripts/chaos/run.py --rounds=20 takes more.


def test_a_run_killed_in_any_phase_ends_as_the_undisturbed_one(tmp_path):
    tally = kill_often(tmp_path, KILLS, seed=time.time_ns() % 10**6)
    print("\n".join(tally.lines()))
    assert not tally.differences
    assert tally.harmless == KILLS


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The workdirs of an undisturbed run and of one that was killed in the midst."""
    folder = tmp_path_factory.mktemp("runs")
    undisturbed(folder / "whole")
    return folder / "whole", half_done(folder / "half")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_as_the_undisturbed_run_or_stops_with_a_message(runs, tmp_path, name):
    try:
        assert try_fault(name, *runs, tmp_path) == []
    except NotPossible as error:
        pytest.skip(str(error))


def test_memory_does_not_grow_and_nothing_is_traced_again(tmp_path):
    figures = soak(tmp_path)
    print(figures)
    assert figures.steps == 20_000
    assert figures.growth < 0.01
    assert figures.traces_after == figures.traces_before
