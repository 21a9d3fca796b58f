import pytest


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Waits for no disk, which takes seconds on a busy machine: no test here pulls the plug."""
    flushed = []
    monkeypatch.setattr("tfgan_stab._utils.files.flush", flushed.append)
    monkeypatch.setattr("tfgan_stab.callbacks.checkpoint.flush", flushed.append)
    monkeypatch.setattr("tfgan_stab.callbacks.best_checkpoint.flush", flushed.append)
    return flushed
