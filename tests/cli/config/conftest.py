"""Something to configure, and lets the tests here import what they share."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))


STAND_IN = """
class Part:
    def __init__(self, size=1, **others):
        self.size = size
        self.others = others


def run(epochs, part=None, rate=0.1, workdir=None):
    return epochs, part, rate, workdir
"""


RUN = """
from __gin__ import dynamic_registration
import stand_in

epochs = 3
stand_in.run.epochs = %epochs
stand_in.run.part = @generator/stand_in.Part()
generator/stand_in.Part.size = 5
"""


@pytest.fixture(scope="session", autouse=True)
def stand_in(tmp_path_factory):
    """Something to configure; imported once, because gin keeps what it has once registered."""
    path = tmp_path_factory.mktemp("modules")
    (path / "stand_in.py").write_text(STAND_IN)
    (path / "fails.py").write_text("def fail(x):\n    raise ValueError(f'x is {x}.')\n")
    sys.path.insert(0, str(path))
    yield
    sys.path.remove(str(path))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a file that configures it."""
    (tmp_path / "run.gin").write_text(RUN)
    monkeypatch.chdir(tmp_path)
    return tmp_path
