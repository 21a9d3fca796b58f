"""N replicas with a share of the batch each are one replica with the whole of it."""

import itertools
import pathlib
import subprocess
import sys

import pytest
from cluster import run_workers
from paper_networks import PAIRS
from penalties import PENALTIES
from schemes import SCHEMES, USUAL

PROGRAM = pathlib.Path(__file__).with_name("two_replicas.py")
# Every scheme; with XLA and with the penalties that go with all of them in turn.
GENERAL = itertools.cycle([name for name in PENALTIES if name != "first_stage"])
COMPILED = itertools.cycle(["off", "off", "auto"])
CASES = {name: f"{name}:{next(COMPILED)}:{next(GENERAL)}" for name in SCHEMES}
OF_USUAL = [*(CASES[name] for name in CASES if name in USUAL), "rk4_fresh:auto:first_stage"]
OF_OTHERS = [CASES[name] for name in CASES if name not in USUAL]
# A process that starts TensorFlow for each case would take longer than the cases.
GROUPS = [
    OF_USUAL[:1],
    pytest.param(["one scheme"], marks=pytest.mark.exhaustive),
    *(pytest.param(OF_USUAL[first::6], marks=pytest.mark.exhaustive) for first in range(1, 7)),
    *(pytest.param(OF_OTHERS[first::2], marks=pytest.mark.exhaustive) for first in range(2)),
]


def run(program, *cases):
    """Runs a program of this folder in a process of its own, with two replicas on this CPU."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM.with_name(program)), *cases],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# "one scheme" among them: uneven batches, `evaluate`, conditions, augmentation.
OF_WORKERS = [
    OF_USUAL[:1],
    *(
        pytest.param(each, marks=pytest.mark.exhaustive)
        for each in (["one scheme"], OF_USUAL[1:4], OF_USUAL[4:])
    ),
]


@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize("cases", OF_WORKERS, ids="+".join)
def test_two_workers_with_half_batches_train_as_one_replica(cases):
    """Each replica is in a process of its own, and both have the same bits."""
    for said in run_workers([str(PROGRAM), *cases]):
        for case in cases:
            assert f"{case} agrees" in said


@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize("cases", GROUPS, ids="+".join)
def test_two_replicas_with_half_batches_train_as_one(cases):
    said = run(PROGRAM.name, *cases)
    for case in cases:
        assert f"{case} agrees" in said


@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(["simultaneous:off"], marks=pytest.mark.exhaustive),
        pytest.param(["alternating_3:off", "rk4:auto"], marks=pytest.mark.exhaustive),
    ],
    ids="+".join,
)
def test_fault_of_one_replica_is_named_and_undone_on_both(cases):
    said = run("two_guarded_replicas.py", *cases)
    for case in cases:
        assert f"{case} is guarded" in said


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.multi_device
def test_top_k_on_each_replica_or_on_all_together():
    said = ["replica agrees", "global agrees", "all is plain", "uneven rows are fine"]
    assert run("two_replicas_top_k.py").splitlines() == said


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize("names", [list(PAIRS)[first::5] for first in range(5)], ids="+".join)
def test_networks_of_the_papers_on_two_replicas_train_as_on_one(names):
    assert run("two_replicas_of_papers.py", *names).splitlines() == [f"{n} agrees" for n in names]
