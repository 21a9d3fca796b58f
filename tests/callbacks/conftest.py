"""Lets the tests here import the small GANs of the contracts, and waits for no disk."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "contracts"))


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Waits for no disk, which takes seconds on a busy machine: no test here pulls the plug."""
    flushed = []
    callbacks = ("best_checkpoint", "checkpoint_files", "run_log")
    for module in ("_utils.files", *(f"callbacks.{name}" for name in callbacks)):
        monkeypatch.setattr(f"tfgan_stab.{module}.flush", flushed.append)
    return flushed
