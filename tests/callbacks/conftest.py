import pytest


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Waits for no disk, which takes seconds on a busy machine: no test here pulls the plug."""
    flushed = []
    monkeypatch.setattr("tfgan_stab.files.flush", flushed.append)
    monkeypatch.setattr("tfgan_stab.callbacks.checkpointing.flush", flushed.append)
    monkeypatch.setattr("tfgan_stab.callbacks.best.flush", flushed.append)
    return flushed
