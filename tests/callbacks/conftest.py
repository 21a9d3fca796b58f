import pytest


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Waits for no disk, which takes seconds on a busy machine: no test here pulls the plug."""
    flushed = []
    for module in ("_utils.files", "callbacks.checkpoint_files", "callbacks.best_checkpoint"):
        monkeypatch.setattr(f"tfgan_stab.{module}.flush", flushed.append)
    return flushed
