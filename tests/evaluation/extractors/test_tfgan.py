"""TF-GAN's modules load without its package, and leave the process as it was."""

import subprocess
import sys
import types

import pytest

from tfgan_stab.evaluation.extractors import tfgan


@pytest.fixture
def fresh_loader():
    """Nothing loaded before, nothing kept after."""
    tfgan._load.cache_clear()
    yield
    tfgan._load.cache_clear()


def in_new_process(code):
    """Runs code where nothing is imported yet and any warning is an error of ours."""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.exhaustive
@pytest.mark.slow
def test_modules_load_in_a_clean_process_and_leave_no_bare_packages():
    out = in_new_process(
        """
import sys
from tfgan_stab.evaluation.extractors import tfgan
assert "tensorflow" not in sys.modules, "the loader must cost nothing before it is used"
losses, evaluation = tfgan.losses(), tfgan.evaluation()
assert losses is tfgan.losses() and evaluation is tfgan.evaluation()
left = [name for name in sys.modules if name.startswith("tensorflow_gan")]
assert not left, left
print(losses.__name__, evaluation.__name__)
print(evaluation.frechet_classifier_distance_from_activations.__name__)
"""
    )
    assert out.split() == [
        "tensorflow_gan.python.losses.losses_impl",
        "tensorflow_gan.python.eval",
        "frechet_classifier_distance_from_activations",
    ]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_loading_modules_leaves_a_genuine_import_as_it_was():
    in_new_process(
        """
import sys
def outcome():
    try:
        import tensorflow_gan
        return hasattr(tensorflow_gan, "eval")
    except Exception as error:
        return type(error)
before = outcome()
from tfgan_stab.evaluation.extractors import tfgan
assert tfgan.evaluation().classifier_metrics
for name in [name for name in sys.modules if name.startswith("tensorflow_gan")]:
    if before is not True:
        del sys.modules[name]
assert outcome() is before, "a bare package was left behind or the genuine one lost"
"""
    )


def test_a_genuine_package_in_use_stays_the_one_in_use(fresh_loader, monkeypatch):
    folders = tfgan._folders()
    genuine, part = types.ModuleType("tensorflow_gan"), types.ModuleType("tensorflow_gan.python")
    genuine.__path__ = folders
    monkeypatch.setitem(sys.modules, "tensorflow_gan", genuine)
    monkeypatch.setitem(sys.modules, "tensorflow_gan.python", part)
    assert tfgan.losses().minimax_generator_loss
    present = {name for name in sys.modules if name.startswith("tensorflow_gan")}
    assert present == {"tensorflow_gan", "tensorflow_gan.python"}
    assert sys.modules["tensorflow_gan"] is genuine
    assert sys.modules["tensorflow_gan.python"] is part


def test_previous_modules_come_back_when_loading_fails(fresh_loader, monkeypatch):
    broken = types.ModuleType("tensorflow_gan")
    broken.__path__ = ["/nowhere"]
    monkeypatch.setitem(sys.modules, "tensorflow_gan", broken)
    with pytest.raises(ModuleNotFoundError, match="tensorflow_gan.python.eval"):
        tfgan.evaluation()
    assert [name for name in sys.modules if name.startswith("tensorflow_gan")] == ["tensorflow_gan"]
    assert sys.modules["tensorflow_gan"] is broken


def test_a_missing_package_is_named_with_the_command_that_installs_it(fresh_loader, monkeypatch):
    monkeypatch.setattr(tfgan.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install tensorflow-gan"):
        tfgan.evaluation()
