"""Runs by class from gin files: scored by class, and sampled by class, on two kinds of data."""

import json

import numpy as np
import pytest

from tfgan_stab.cli import main

BY_CLASS = """
from __gin__ import dynamic_registration
import tfgan_stab as tgs

include "gin_configs/updates/ttur.gin"
include "gin_configs/updates/alternating.gin"

image_size = 16
channels = 3
labels = True
batch_size = 8
seed = 0
classes = 10

tgs.train.seed = %seed
tgs.train.epochs = 1
tgs.train.steps_per_epoch = 2
tgs.train.latents = 3
tgs.train.generator = @tgs.networks.sndcgan_generator
tgs.train.discriminator = @tgs.networks.sndcgan_discriminator
tgs.networks.sndcgan_generator.image_size = %image_size
tgs.networks.sndcgan_generator.channels = %channels
tgs.networks.sndcgan_generator.latents = 3
tgs.networks.sndcgan_generator.width = 2
tgs.networks.sndcgan_generator.num_classes = %classes
tgs.networks.sndcgan_discriminator.image_size = %image_size
tgs.networks.sndcgan_discriminator.channels = %channels
tgs.networks.sndcgan_discriminator.width = 2
tgs.networks.sndcgan_discriminator.num_classes = %classes
tgs.train.jit_compile = False
tgs.train.sample_rows = 1
tgs.train.sample_columns = 2
tgs.train.scores = [@tgs.PerClass]
tgs.PerClass.score = @tgs.KID
tgs.KID.extractor = "random"
tgs.KID.samples = 40
"""
# A data file, how many classes it has, and settings that keep the run short.
DATA = {"photo_patches": (2, ["photo_split = 'test'"]), "resized_digits": (10, [])}
# The folders of samples, by class; digits have numbers.
FOLDERS = {"photo_patches": ["temple", "flower"], "resized_digits": [*map(str, range(10))]}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A function of a data file and settings that trains by class; returns its exit code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "by_class.gin").write_text(BY_CLASS)

    def train(data, *params):
        files = [f"--gin_file={file}" for file in ("by_class.gin", f"gin_configs/data/{data}.gin")]
        settings = [f"--gin_param={param}" for param in params]
        return main.run("train", ["train.py", "--workdir=run", *files, *settings])

    return train


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:KID from:UserWarning")
@pytest.mark.parametrize(
    "data", ["photo_patches", pytest.param("resized_digits", marks=pytest.mark.exhaustive)]
)
def test_a_run_by_class(train, tmp_path, data, capsys):
    classes, settings = DATA[data]
    assert train(data, *settings) == 0
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    scores = {json.loads(line)["score"] for line in lines}
    assert scores == {*(f"kid_class_{n}" for n in range(classes)), "kid_class_mean"}
    noted = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert noted["classes"] == classes
    (grid,) = (tmp_path / "run" / "samples").iterdir()
    arguments = ["sample.py", "--source=run", "--output=some", f"--count={classes + 1}"]
    assert main.run("sample", arguments) == 0
    folders = sorted(path.name for path in (tmp_path / "some").iterdir())
    assert folders == sorted(FOLDERS[data])
    assert len(list((tmp_path / "some" / FOLDERS[data][0]).iterdir())) == 2
    arguments = ["sample.py", "--source=run", "--output=one.npz", "--count=3", "--label=1"]
    assert main.run("sample", arguments) == 0
    with np.load("one.npz") as arrays:
        assert arrays["arr_1"].tolist() == [1, 1, 1]
        # The first of class 1 is the second of all, where classes take turns: other noise.
        assert arrays["arr_0"].shape == (3, 16, 16, 3)
    capsys.readouterr()
    assert main.run("sample", [*arguments[:4], f"--label={classes}", "--overwrite"]) == 1
    assert f"0 to {classes - 1}. Received: label={classes}" in capsys.readouterr().err


def test_more_classes_than_the_networks_have_are_refused(train, tmp_path, capsys):
    assert train("resized_digits", "classes = 4", "tgs.train.scores = []") == 1
    message = (
        "at most the 4 classes that the networks are made for. Received: 'digits:16x16x3' with"
    )
    assert f"{message} 10 classes, 0 to 9" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_data_without_labels_are_refused(train, tmp_path, capsys):
    assert train("photo_patches", "labels = False", "tgs.train.scores = []") == 1
    message = "`data` must give labels, since the networks take class labels"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
