"""Images of a run's GAN: rebuilt from the workdir, restored, and the workdir left as it was."""

import inspect
import json
import pathlib
import shutil

import numpy as np
import pytest

from tfgan_stab.callbacks import checkpoint_files
from tfgan_stab.callbacks.checkpoint_files import (
    DamagedCheckpointError,
    checkpoints,
    read_metadata,
    save,
)
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.flags.train import TrainSettings
from tfgan_stab.cli.jobs import train as training
from tfgan_stab.cli.sources import opening
from tfgan_stab.cli.sources.opening import open_source
from tfgan_stab.training.resume import Progress

COUNT, SEED = 300, 5  # More than one batch.


def whole(source, count=COUNT, **settings):
    return np.concatenate(list(source.draw(count, **settings)))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in pathlib.Path(folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def run(command, train, tmp_path_factory):
    """A workdir of two epochs, and what its GAN showed in the end."""
    workdir = tmp_path_factory.mktemp("runs") / "run"
    gan = train(command(workdir, "tgs.train.sample_rows = 0"))
    return workdir, {name: gan.sample(COUNT, name, SEED) for name in ("live", "ema")}


@pytest.fixture
def copy(run, tmp_path):
    """The workdir, to be changed."""
    return pathlib.Path(shutil.copytree(run[0], tmp_path / "run"))


@pytest.mark.slow
def test_a_workdir_gives_its_gans_images_and_is_not_changed(run):
    workdir, expected = run
    before = contents(workdir)
    source = open_source(workdir)
    assert (source.weights, source.default_weights) == (["live", "ema"], "ema")
    assert (source.count, source.conditional) == (None, False)
    assert source.description == f"{workdir}/checkpoints/step-0000000006"
    for weights, images in expected.items():
        np.testing.assert_array_equal(whole(source, weights=weights, seed=SEED), images)
    np.testing.assert_array_equal(whole(source, seed=SEED), expected["ema"])
    assert np.abs(expected["ema"] - expected["live"]).max() > 1e-3
    assert contents(workdir) == before


@pytest.mark.slow
def test_sampling_loads_neither_the_data_nor_the_scores(copy, monkeypatch):
    config = copy / "config.gin"
    text = config.read_text()
    assert "tgs.train.data = @tgs.data.digits()" in text
    absent = 'tgs.train.data = @tgs.data.image_folder()\ntgs.data.image_folder.directory = "x"'
    config.write_text(text.replace("tgs.train.data = @tgs.data.digits()", absent))
    assert whole(open_source(copy), 2).shape == (2, 8, 8, 1)
    with pytest.raises(FileNotFoundError, match="There is no folder 'x'"):
        opening.data_of(copy)


def test_the_data_of_a_run_are_those_of_its_settings(run):
    data = opening.data_of(run[0])
    assert (data.name, data.batch_size) == ("digits", 8)


@pytest.mark.slow
def test_a_checkpoint_gives_the_gan_of_its_step(run):
    workdir, expected = run
    first, last = (workdir / "checkpoints" / f"step-000000000{n}" for n in (3, 6))
    np.testing.assert_array_equal(whole(open_source(last), seed=SEED), expected["ema"])
    early = open_source(first)
    assert early.gan.steps == 3 and early.description == str(first)
    assert not np.array_equal(whole(early, seed=SEED), expected["ema"])


def test_a_best_checkpoint_uses_the_weights_it_was_chosen_by(run, copy):
    best = copy / "best" / "fid" / "step-0000000006"
    shutil.copytree(copy / "checkpoints" / "step-0000000006", best)
    (best / "score.json").write_text(json.dumps({"score": "fid", "weights": "live"}))
    np.testing.assert_array_equal(whole(open_source(best), seed=SEED), run[1]["live"])


def test_the_saved_generator_gives_the_same_images(run):
    workdir, expected = run
    source = open_source(workdir / "generator.keras")
    np.testing.assert_allclose(whole(source, seed=SEED), expected["ema"], atol=1e-6)
    assert source.weights == [] and source.default_weights is None


@pytest.mark.slow
def test_a_checkpoint_deleted_while_reading_is_replaced_by_a_newer_one(run, copy, monkeypatch):
    """As when training goes on and keeps one checkpoint only."""
    directory = copy / "checkpoints"
    newer = shutil.move(directory / "step-0000000006", copy / "kept-for-later")
    tried = []

    def replaced_meanwhile(path):
        tried.append(path.name)
        if len(tried) == 1:
            shutil.move(newer, directory / "step-0000000006")
            shutil.rmtree(path)
        return read_metadata(path)

    monkeypatch.setattr(checkpoint_files, "read_metadata", replaced_meanwhile)
    np.testing.assert_array_equal(whole(open_source(copy), seed=SEED), run[1]["ema"])
    assert tried == ["step-0000000003", "step-0000000006"]


def damage(checkpoint):
    next(checkpoint.glob("state.data*")).write_bytes(b"")


def test_a_damaged_checkpoint_is_skipped_with_a_warning(copy):
    damage(copy / "checkpoints" / "step-0000000006")
    with pytest.warns(
        UserWarning, match="step-0000000006 is damaged.*changed. Falling back to .*step-0000000003"
    ):
        source = open_source(copy)
    assert source.description.endswith("step-0000000003")


@pytest.mark.slow
def test_without_a_whole_checkpoint_there_is_an_error(copy):
    found = checkpoints(copy / "checkpoints")
    for path in found:
        damage(path)
    with pytest.raises(DamagedCheckpointError, match="step-0000000003 is damaged"):
        open_source(found[-1])
    with pytest.warns(UserWarning, match="is damaged"):
        with pytest.raises(DamagedCheckpointError, match="an intact checkpoint.*2 damaged"):
            open_source(copy)
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(FileNotFoundError, match="Expected a checkpoint in .*Train there"):
        open_source(copy)


def test_a_checkpoint_of_other_networks_is_refused(copy):
    config = copy / "config.gin"
    config.write_text(config.read_text().replace("generator_width = 4", "generator_width = 5"))
    with pytest.raises(ValueError, match="Expected a checkpoint of this model.*other variables"):
        open_source(copy)


def test_settings_without_a_generator_are_refused(copy):
    config = copy / "config.gin"
    lines = config.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("tgs.train.generator =")]
    config.write_text("\n".join(kept))
    with pytest.raises(configuring.ConfigError, match="No gin file sets `tgs.train.generator`"):
        open_source(copy)


def test_unknown_weights_and_labels_are_refused(run):
    source = open_source(run[0])
    with pytest.raises(ValueError, match=r"one of \['live', 'ema'\].*Received: 'mean'"):
        source.draw(1, "mean")
    with pytest.raises(ValueError, match="label=2 for .*which has none"):
        source.draw(1, label=2)
    with pytest.raises(ValueError, match="`count` must be an integer >= 1. Received: 0"):
        source.draw(0)


CONDITIONAL = """
from __gin__ import dynamic_registration
import tfgan_stab as tgs

include "gin_configs/runs/digits.gin"

tgs.data.digits.labels = True
tgs.networks.dcgan_generator.num_classes = 10
tgs.networks.dcgan_discriminator.num_classes = 10
"""


def conditional_workdir(folder, command):
    """A workdir with a checkpoint of a GAN that has not trained; returns the GAN."""
    (folder / "checkpoints").mkdir(parents=True)
    settings = "\n".join(TrainSettings.parse(command(folder)).gin_param)
    (folder / "config.gin").write_text(CONDITIONAL + settings)
    configuring.parse([str(folder / "config.gin")])
    names = list(inspect.signature(training.build).parameters)
    gan = training.build(**configuring.arguments(training.train, names))
    save(gan, folder / "checkpoints", Progress(0, 0))
    return gan


@pytest.mark.slow
def test_a_class_conditional_run_knows_its_classes(command, tmp_path):
    """From the data; or where the run has noted them, from there."""
    gan = conditional_workdir(tmp_path / "run", command)
    source = open_source(tmp_path / "run")
    assert (source.conditional, source.num_classes) == (True, 10)
    gan.num_classes = 10
    np.testing.assert_array_equal(whole(source, 20, weights="live"), gan.sample(20))
    assert source.labels(12).tolist() == [*range(10), 0, 1]
    threes = gan.sample(20, labels=[3] * 20)
    np.testing.assert_array_equal(whole(source, 20, weights="live", label=3), threes)
    (tmp_path / "run" / "run.json").write_text(json.dumps({"data": {"classes": 4}}))
    few = open_source(tmp_path / "run")
    assert (few.num_classes, few.classes) == (4, {0: "0", 1: "1", 2: "2", 3: "3"})
    noted = {"data": {"classes": 2, "class_names": ["cat", "dog"]}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(noted))
    for path in (tmp_path / "run", tmp_path / "run" / "checkpoints" / "step-0000000000"):
        assert open_source(path).classes == {0: "cat", 1: "dog"}
