"""The clock counts while it runs, and goes on from what an earlier run had counted."""

import numpy as np
import pytest

from tfgan_stab._utils import progress


@pytest.fixture
def now(monkeypatch):
    """A time that passes only when told."""
    moment = [50.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: moment[0])

    def passes(seconds):
        moment[0] += seconds

    return passes


def test_only_time_inside_counts(now):
    watch = progress.Clock()
    now(5)
    assert watch.seconds == 0
    with watch.running():
        now(2)
        assert watch.seconds == 2
        now(1)
    now(10)
    assert watch.seconds == 3
    with watch.running():
        now(4)
    assert watch.seconds == 7


def test_a_run_that_is_resumed_counts_on(now):
    watch = progress.Clock()
    with watch.running():
        now(3)
        watch.set(100.0)
        assert watch.seconds == 100
        now(2)
        assert watch.seconds == 102
    now(9)
    assert watch.seconds == 102
    watch.set(1.0)
    assert watch.seconds == 1


def test_an_exception_stops_it(now):
    watch = progress.Clock()
    with pytest.raises(KeyboardInterrupt), watch.running():
        now(2)
        raise KeyboardInterrupt
    now(6)
    assert watch.seconds == 2


def test_progress_is_shown_only_of_long_work(monkeypatch, capsys):
    batches = [np.zeros([3]), np.zeros([2])]
    assert len(list(progress.with_progress(batches, 5, "sampling"))) == 2
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PATIENCE", 1e-9)
    list(progress.with_progress(batches, 5, "sampling"))
    shown = capsys.readouterr()
    assert "sampling: 100%" in shown.err and "5/5" in shown.err and shown.out == ""
