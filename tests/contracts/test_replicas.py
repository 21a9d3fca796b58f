"""N replicas with a share of the batch each are one replica with the whole of it."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from cluster import run_workers
from paper_networks import PAIRS
from penalties import MIXED
from schemes import SCHEMES

FOLDER = pathlib.Path(__file__).parent
PROGRAM = "two_replicas.py"
OPTIMIZERS = ("sgd", "adam")
# Every scheme with every optimizer; both kinds of penalties, top-k of all replicas and an average.
GRID = [
    f"{name}:{optimizer}:{list(MIXED)[(number + place) % len(MIXED)]}"
    for number, name in enumerate(SCHEMES)
    for place, optimizer in enumerate(OPTIMIZERS)
]
COMPILED = ["simultaneous:adam:none:xla", "rk4_fresh:sgd:first_stage:xla"]
UNEVEN = [
    f"uneven:{name}:{optimizer}:r1_and_gradient_norm"
    for name in ("simultaneous", "rk4", "lookahead")
    for optimizer in OPTIMIZERS
]
# A process that starts TensorFlow for each case would take longer than the cases.
IN_TURN = [GRID[first::4] for first in range(4)]
ONE_OF_EACH = ["simultaneous:adam:r1_and_gradient_norm"]


def name_of(cases):
    return cases[0] if len(cases) == 1 else f"{cases[0]} and {len(cases) - 1} more"


def exhaustive(*groups):
    return [pytest.param(each, marks=pytest.mark.exhaustive) for each in groups]


# "one scheme": batch statistics, conditions, augmentation, labels of fakes, several steps per call.
GROUPS = [ONE_OF_EACH, *exhaustive(["one scheme"], *IN_TURN, COMPILED, UNEVEN)]


def run(program, *arguments):
    """Runs a program of this folder in a process of its own, with two replicas on this CPU."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / program), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def run_in_two(program, *arguments):
    """Runs it in two workers; returns what each has said."""
    return run_workers([str(FOLDER / program), *map(str, arguments)], timeout=550)


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """Where one replica's numbers are kept, to be traced once."""
    return tmp_path_factory.mktemp("references")


@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize("cases", [[*ONE_OF_EACH, "scores"], *GROUPS[1:]], ids=name_of)
def test_two_replicas_with_half_batches_train_as_one(cases, references):
    said = run(PROGRAM, references, *cases)
    for case in cases:
        assert f"{case} agrees" in said


@pytest.mark.slow
@pytest.mark.multi_device
@pytest.mark.parametrize("cases", GROUPS, ids=name_of)
def test_two_workers_with_half_batches_train_as_one_replica(cases, references):
    """Each replica is in a process of its own, and both have the same bits."""
    for said in run_in_two(PROGRAM, references, *cases):
        for case in cases:
            assert f"{case} agrees" in said


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
@pytest.mark.parametrize("workers", [False, True], ids=["replicas", "workers"])
@pytest.mark.parametrize(
    "cases", [["simultaneous:off"], ["alternating_3:off", "rk4:xla"]], ids=name_of
)
def test_fault_of_one_replica_is_named_and_undone_on_both(cases, workers):
    program = "two_guarded_replicas.py"
    for said in run_in_two(program, *cases) if workers else [run(program, *cases)]:
        for case in cases:
            assert f"{case} is guarded" in said


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
def test_top_k_on_each_replica_or_on_all_together():
    said = ["replica agrees", "global agrees", "all is plain", "uneven rows are fine"]
    assert run("two_replicas_top_k.py").splitlines() == said


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.multi_device
def test_runs_go_on_with_another_number_of_replicas():
    said = run("other_replicas.py").splitlines()
    assert said == ["2 to 1 agrees", "1 to 2 agrees", "2 to 2 agrees"]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.multi_device
def test_runs_go_on_with_another_number_of_workers(tmp_path):
    program = "other_replicas.py"

    def train(folder, workers, stop):
        arguments = [tmp_path / folder, workers, stop]
        return run_in_two(program, *arguments)[0] if workers == 2 else run(program, *arguments)

    train("whole", 2, 0)
    with np.load(tmp_path / "whole-2-0.npz") as archive:
        whole = dict(archive)
    for before, now in ((2, 1), (1, 2)):
        train(f"{before}", before, 6)
        said = train(f"{before}", now, 0)
        assert f"The run was on {before} replica" in said and f"goes on with {now}" in said
        with np.load(tmp_path / f"{before}-{now}-0.npz") as archive:
            assert set(archive) == set(whole)
            for name, values in whole.items():
                np.testing.assert_allclose(archive[name], values, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
def test_two_workers_see_the_same_scores_and_the_chief_alone_writes(tmp_path):
    first, second = (
        [line for line in said.splitlines() if line.startswith('{"watched"')]
        for said in run_in_two("two_watched_workers.py", tmp_path)
    )
    assert len(first) == 1 and json.loads(first[0]) == json.loads(second[0])


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
@pytest.mark.parametrize("kind", ["one device", "two replicas", "two workers"])
def test_a_run_that_ended_in_the_midst_of_all_periods_goes_on_exactly(kind, tmp_path):
    if kind == "two workers":
        found = run_in_two("resumed_replicas.py", tmp_path, 2)
    else:
        found = [run("resumed_replicas.py", tmp_path, 1 if kind == "one device" else 2)]
    for said in found:
        # A worker that ends later may be told last that the other is gone.
        assert "resumed exactly" in said.splitlines()


# Each takes seconds to trace; of the rarer ones a scheme of each kind is enough.
COUNTED = [
    *(("plain,gradient_norm,top_k", names) for names in (list(SCHEMES)[::2], list(SCHEMES)[1::2])),
    ("averages,r1,consensus,interpolated_and_consensus", ["alternating_3", "extragradient"]),
    ("r1_and_gradient_norm,watched,unknown_rows", ["alternating_3", "extragradient"]),
]


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
@pytest.mark.parametrize("added, names", COUNTED)
def test_a_step_communicates_no_more_than_the_docs_say(added, names):
    print(run("replica_collectives.py", added, *names))


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.multi_device
@pytest.mark.parametrize("names", [list(PAIRS)[n::5] for n in range(5)], ids="+".join)
def test_networks_of_the_papers_on_two_replicas_train_as_on_one(names):
    assert run("two_replicas_of_papers.py", *names).splitlines() == [f"{n} agrees" for n in names]
