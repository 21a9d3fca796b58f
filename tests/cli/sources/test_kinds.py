"""What lies at a path is told, or refused with what to do."""

import inspect
import os

import pytest

from tfgan_stab.cli.sources.kinds import NAMED, Kind, SourceError, kind_of, workdir_of
from tfgan_stab.data.registry import KINDS, SETS


def make_run(folder):
    for name in ("checkpoints/step-0000000003", "best/fid_ema/step-0000000003"):
        (folder / name).mkdir(parents=True)
        (folder / name / "progress.json").touch()
    (folder / "config.gin").touch()
    return folder


def test_kind_of_a_path(tmp_path):
    run = make_run(tmp_path / "run")
    assert kind_of(run) is Kind.WORKDIR and workdir_of(run) == run
    for name in ("checkpoints/step-0000000003", "best/fid_ema/step-0000000003"):
        assert kind_of(run / name) is Kind.CHECKPOINT
        assert workdir_of(run / name) == run
    assert kind_of(tmp_path) is Kind.FOLDER
    for name, kind in (("g.keras", Kind.KERAS), ("a.npz", Kind.ARRAYS), ("a.npy", Kind.ARRAYS)):
        (tmp_path / name).touch()
        assert kind_of(str(tmp_path / name)) is kind


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("rum", "There is nothing at .*rum. Expected a workdir, .*Did you mean .*run[?]"),
        ("no/where", "There is nothing at .*where. Expected a workdir.*begin at"),
        ("run/checkpoints", "holds 1 checkpoints. Choose one, such as .*step-0000000003, or the"),
        ("run/best", "best checkpoint by each score. Choose one, such as .*step-0000000003"),
        ("run/config.gin", "a file ending in .gin. Give the folder that it lies in"),
        ("git", "There is nothing at .*git. Expected [^?]*begin at"),
        ("notes", "a file ending in nothing. Convert it"),
        ("moved", "holds checkpoints, but no config.gin"),
        ("moved/checkpoints/step-0000000003", "only with its run's settings.*gan.generator.save"),
        ("saved_model", "holds a SavedModel.*generator.save"),
    ],
)
def test_unusable_paths_are_refused(tmp_path, path, message):
    make_run(tmp_path / "run")
    os.remove(make_run(tmp_path / "moved") / "config.gin")
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").touch()
    (tmp_path / "notes").touch()
    (tmp_path / ".git").mkdir()
    with pytest.raises((FileNotFoundError, SourceError), match=message):
        kind_of(tmp_path / path)


def test_named_sets_take_what_their_functions_do():
    functions = {**SETS, **KINDS}
    assert set(NAMED) == set(functions)
    for name, function in functions.items():
        taken = {"size", "channels", "white", "labels"} & set(
            inspect.signature(function).parameters
        )
        # Those want to know which array has the labels.
        assert set(NAMED[name]) == (taken - {"labels"} if name == "arrays" else taken)
