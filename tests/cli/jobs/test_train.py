"""The training command, from flags to a workdir that holds all it should."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfgan_stab.cli import main
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.jobs import train as job
from tfgan_stab.training.gan import GAN
from tfgan_stab.training.steps_per_execution import needs_every_step

pytestmark = pytest.mark.slow  # Nearly every test trains a run.


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in pathlib.Path(folder).rglob("*")
        if path.is_file()
    }


def test_no_callback_of_a_run_needs_every_step(monkeypatch, command, tmp_path):
    found = []

    def fit(self, data, callbacks, **settings):
        found.extend(callbacks)
        raise KeyboardInterrupt

    monkeypatch.setattr(GAN, "fit", fit)
    guarded = "tgs.train.guard = @tgs.callbacks.DivergenceGuard()"
    assert main.run("train", command(tmp_path / "run", guarded)) == 130
    assert len(found) > 5
    assert [each for each in found if needs_every_step(each)] == []


@pytest.mark.exhaustive
def test_a_run_may_lie_in_a_folder_of_any_name(command, tmp_path, capsys):
    """It is trained, resumed, scored and sampled by a path that is full of other meanings."""
    folder = tmp_path / "~ lr=[1,2] a\\b #1 100% {y} st*r? 日本"
    folder.mkdir()
    (folder / "more.gin").write_bytes(b"\xef\xbb\xbf# As on Windows.\r\nema_decay = 0.9\r\n")
    arguments = command(
        f"{folder}/run/",
        "tgs.train.scores = [@tgs.FID]",
        "tgs.FID.samples = 100",
        "epochs = 1",
        flags=[f"--gin_file={folder / 'more.gin'}"],
    )
    for _ in range(2):
        assert main.run("train", arguments) == 0
    workdir = folder / "run"
    checkpoint = workdir / "checkpoints" / "step-0000000003"
    assert f"Resuming from {checkpoint}: 3 steps done." in capsys.readouterr().out
    [best] = workdir.glob("best/fid_ema/step-*")
    assert (
        main.run("sample", ["", f"--source={workdir}/", f"--output={folder}/some/", "--count=200"])
        == 0
    )
    against = ["--real=digits", "--extractor=digits", "--samples=100"]
    for number, source in enumerate((checkpoint, best, folder / "some")):
        output = f"--output={folder / str(number)}.json"
        assert main.run("evaluate", ["", f"--source={source}", output, *against]) == 0
    assert "FID" not in capsys.readouterr().err


def test_files_in_the_workdir(finished):
    workdir, _ = finished
    names = set(contents(workdir))
    assert {"config.gin", "run.json", "metrics.jsonl", "generator.keras"} <= names
    assert {f"best/{label}/{best}" for label, best in best_files(workdir)} <= names
    assert {"samples/step-00000003.png", "samples/step-00000006.png"} <= names
    assert any(name.startswith("checkpoints/") for name in names)
    assert any("tfevents" in name for name in names)
    assert json.loads((workdir / "run.json").read_text())["field_evaluations_per_step"] == 2


def best_files(workdir):
    """The files that should be there for each weights, by the scores in the log."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for label, weights in (("fid", "live"), ("fid_ema", "ema")):
        values = {line["step"]: line["value"] for line in lines if line["weights"] == weights}
        folder = f"step-{min(values, key=values.get):010d}"
        yield from ((label, f"{folder}/{n}") for n in ("generator.keras", "progress.json"))


def test_logged_scores(finished):
    workdir, _ = finished
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["weights"]) for line in lines] == [
        (0, "live"),
        (0, "ema"),
        (3, "live"),
        (3, "ema"),
        (6, "live"),
        (6, "ema"),
    ]
    assert all("fake=100" in line["protocol"] for line in lines)
    assert [line["images"] for line in lines] == [0, 0, 24, 24, 48, 48]


def test_generator_loads_without_this_package(finished):
    workdir, _ = finished
    program = (
        "import sys; sys.modules['tfgan_stab'] = None\n"  # Importing it fails from here on.
        "import keras, numpy as np\n"
        "generator = keras.saving.load_model(sys.argv[1])\n"
        "images = generator(np.zeros([2, 4], 'float32')).numpy()\n"
        "print(images.shape, float(np.abs(images).max()) <= 1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, workdir / "generator.keras"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "(2, 8, 8, 1) True\n", done.stderr


def test_the_generator_is_saved_with_averaged_weights_after_each_epoch(
    command, train, tmp_path, monkeypatch
):
    save, in_use, steps = job._save_generator, [], []

    def watched(gan, workdir):
        in_use.append(gan.weights_in_use.current)
        save(gan, workdir)

    monkeypatch.setattr(job, "_save_generator", watched)
    gan = train(command(tmp_path / "run"), started=lambda: steps.append(1))
    assert in_use == ["ema", "ema", "ema"]  # Two epochs and the end.
    assert len(steps) == gan.steps == 6
    saved = keras.saving.load_model(tmp_path / "run" / "generator.keras").get_weights()
    live = gan.generator.get_weights()
    with gan.using("ema"):
        averaged = gan.generator.get_weights()
    for one, other in zip(saved, averaged, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(np.any(one != other) for one, other in zip(saved, live, strict=True))


def test_finished_run_trains_no_further(command, finished, capsys):
    workdir, _ = finished
    before = contents(workdir)
    params = ["tgs.train.scores = [@tgs.FID]", "tgs.FID.samples = 100"]
    assert main.run("train", command(workdir, *params)) == 0
    after = contents(workdir)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"run.json", "generator.keras"}
    assert "fid baseline" in capsys.readouterr().out


def test_config_of_a_workdir_asks_for_the_same_run(finished):
    workdir, _ = finished
    config = workdir / "config.gin"
    # By public names alone, so that moving modules leaves old runs loadable.
    assert re.findall("^import .*", config.read_text(), re.MULTILINE) == [
        "import keras",
        "import tfgan_stab as tgs",
    ]
    assert "tfgan_stab." not in config.read_text()
    before = config.read_bytes()
    assert main.run("train", ["train.py", f"--gin_file={config}", f"--workdir={workdir}"]) == 0
    assert config.read_bytes() == before


def test_other_settings_are_refused(command, finished, capsys):
    workdir, _ = finished
    before = contents(workdir)
    assert main.run("train", command(workdir, "epochs = 3")) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"error: {workdir} holds a run with other settings")
    assert "\n  epochs: 2 -> 3\n" in message
    assert "\n  tgs.train.scores: [@tgs.FID] -> []\n" in message
    assert contents(workdir) == before


def test_resume_never(command, finished, capsys):
    workdir, _ = finished
    assert main.run("train", command(workdir, flags=["--resume=never"])) == 1
    assert "--resume=never forbids to continue it" in capsys.readouterr().err


def test_interruption(command, tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job.GAN, "fit", interrupt)
    assert main.run("train", command(tmp_path)) == 130
    assert "The same command continues" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("updates/simultaneous.gin", "tgs.train.scheme", "@tgs.Simultaneous()"),
        ("updates/alternating.gin", "tgs.train.scheme", "@tgs.Alternating()"),
    ],
)
def test_a_second_file_changes_one_setting(command, train, tmp_path, name, setting, value):
    def stop():
        raise InterruptedError("ready")

    settings = {}
    for folder, more in (("one", []), ("other", [f"--gin_file=gin_configs/{name}"])):
        with pytest.raises(InterruptedError, match="ready"):
            train(command(tmp_path / folder, flags=more), ready=stop)
        settings[folder] = configuring.settings_of(configuring.operative_text())
    assert settings["other"][setting] == value
    own = {f"tgs.Alternating.{name}" for name in ("discriminator_steps", "reuse_batch")}
    ignored = {setting, "discriminator_steps", *own}
    for key in (settings["one"].keys() | settings["other"].keys()) - ignored:
        assert settings["one"].get(key) == settings["other"].get(key)


def test_same_seed_gives_the_same_initial_weights(command, train, tmp_path, monkeypatch):
    monkeypatch.setattr(job.GAN, "fit", lambda *_, **__: None)
    weights = [
        train(command(tmp_path / str(number), f"seed = {seed}")).get_weights()
        for number, seed in enumerate([2**61, 2**61, 2**61 + 1])
    ]
    for one, other in zip(*weights[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(np.any(one != other) for one, other in zip(*weights[1:], strict=True))
