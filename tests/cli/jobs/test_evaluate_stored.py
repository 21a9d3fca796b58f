"""The evaluation command on files alone: its defaults, and what it refuses."""

import json

import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.jobs import evaluate as job

# With few images of many features the covariance is singular, which is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:FID from:UserWarning")


@pytest.fixture
def samples(tmp_path):
    """Forty images, ten of them of class 1."""
    path = tmp_path / "samples.npz"
    images = np.random.RandomState(0).randint(0, 256, [40, 8, 8, 1], np.uint8)
    np.savez(path, arr_0=images, arr_1=np.arange(40) % 4 // 3)
    return path


def run(source, *arguments):
    given = [f"--source={source}", f"--real={source}", "--extractor=random", *arguments]
    return main.run("evaluate", ["evaluate.py", *given])


def test_per_class_takes_the_size_of_the_smallest_class(samples, tmp_path, capsys):
    assert run(samples, "--per_class", f"--output={tmp_path}/scores.json") == 0
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert [each["score"] for each in scores] == ["fid_class_0", "fid_class_1", "fid_class_mean"]
    assert all("/fake=10/" in each["protocol"] for each in scores)
    assert "10 images of each class of " in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--per_class"]])
def test_single_image_is_refused(tmp_path, capsys, arguments):
    path = tmp_path / "one.npz"
    images, labels = np.zeros([3, 8, 8, 1], np.uint8), np.array([0, 0, 1])
    kept = slice(None) if arguments else slice(1)
    np.savez(path, arr_0=images[kept], arr_1=labels[kept])
    assert run(path, *arguments) == 1
    shown = capsys.readouterr().err
    assert "A score takes 2 images" in shown and "one.npz with 1. Choose a larger" in shown


def test_extractor_must_be_a_network(samples, tmp_path, capsys):
    (tmp_path / "network.keras").write_bytes(b"hello")
    assert run(samples, f"--extractor={tmp_path}/network.keras") == 1
    shown = capsys.readouterr().err
    assert "network.keras to be a network that Keras can load. Received: a file that is no" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("too few"), 1), (KeyboardInterrupt(), 130)]
)
def test_finished_scores_are_printed_if_the_rest_fails(
    samples, tmp_path, capsys, monkeypatch, error, code
):
    def failing(scores, **settings):
        raise error

    monkeypatch.setattr(job, "baselines", failing)
    assert run(samples, "--baseline", f"--output={tmp_path}/scores.json") == code
    shown = capsys.readouterr().out
    assert f"40 images of {samples}" in shown and "\n  fid " in shown and "measured as" in shown
    assert not (tmp_path / "scores.json").exists()


@pytest.mark.slow
def test_named_data_set_gives_its_classes(tmp_path, capsys):
    digits = tgs.data.digits()
    images = np.concatenate([*digits.examples(limit=200).as_numpy_iterator()])
    np.savez(tmp_path / "digits.npz", arr_0=images, arr_1=np.arange(200) % 10)
    given = [f"--source={tmp_path}/digits.npz", "--real=digits", "--extractor=random"]
    assert main.run("evaluate", ["evaluate.py", *given, "--per_class"]) == 0
    assert "fid_class_9 " in capsys.readouterr().out
