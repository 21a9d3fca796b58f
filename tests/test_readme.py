"""What the README says is so."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shell(command):
    """What a command prints that ends well."""
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "0000 00:00:" not in done.stderr, "TensorFlow's notes on starting up are shown."
    return done.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.compile. begins a new training:UserWarning")
def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example, guarded = blocks("python")
    quick = example.replace("steps_per_epoch=200", "steps_per_epoch=2")
    assert quick != example
    names = {}
    exec(compile(quick.replace("samples=2000", "samples=100"), "README.md", "exec"), names)
    assert names["images"].shape == (64, 8, 8, 1)
    written = {path.name for path in (tmp_path / "runs" / "example").iterdir()}
    assert written == {"run.json", "metrics.jsonl", "tensorboard", "samples", "checkpoints"}
    exec(guarded.replace("steps_per_epoch=200", "steps_per_epoch=5"), names)
    assert names["gan"].steps == 5 and names["gan"].top_k is not None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder where the command that trains has left a very short run, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    (training,) = [block for block in blocks("bash") if "scripts/train.py" in block]
    program, workdir = ".venv/bin/python scripts/train.py", "--workdir=runs/simultaneous"
    assert training.startswith(f"{program} {workdir}")
    ours = training.replace(".venv/bin/python", sys.executable)
    ours = ours.replace(workdir, f"--workdir={folder}/runs/digits").rstrip()
    small = ["epochs = 1", "steps_per_epoch = 2", "tgs.train.scores = []"]
    return folder, shell(" ".join([ours, *(f"--gin_param='{setting}'" for setting in small)]))


@pytest.mark.slow
def test_the_command_that_trains_runs(run):
    folder, printed = run
    assert "2 steps, 128 images." in printed
    config = (folder / "runs" / "digits" / "config.gin").read_text(encoding="utf-8")
    assert "@tgs.Simultaneous()" in config
    assert "generator_learning_rate = 0.0001" in config


@pytest.mark.slow
def test_the_command_that_plays_a_game_runs(tmp_path):
    (playing,) = [block for block in blocks("bash") if "scripts/play_game.py" in block]
    ours = playing.replace(".venv/bin/python", sys.executable).rstrip()
    printed = shell(f"{ours} --steps=20 --output={tmp_path / 'game.png'}")
    assert "extragradient" in printed and (tmp_path / "game.png").exists()


@pytest.mark.slow
def test_the_command_that_lists_recipes_runs():
    (listing,) = [block for block in blocks("bash") if "scripts/recipes.py" in block]
    printed = shell(listing.replace(".venv/bin/python", sys.executable))
    assert printed.startswith("recipe ") and " recipes. " in printed


def test_commands_use_the_python_that_the_scripts_install():
    texts = {path: path.read_text(encoding="utf-8") for path in ROOT.glob("gin_configs/*/*.gin")}
    texts[ROOT / "README.md"] = README
    texts[ROOT / "scripts" / "train.py"] = (ROOT / "scripts" / "train.py").read_text()
    found = {
        path: re.findall(r"(\S*)python scripts/train.py", text) for path, text in texts.items()
    }
    assert sum(len(each) for each in found.values()) >= 3
    assert {prefix for each in found.values() for prefix in each} == {".venv/bin/"}


def test_every_file_that_is_named_is_there():
    named = re.findall(r"(?:scripts|gin_configs|docs|tfgan_stab)/[\w/]+\.\w+", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_public_name_of_the_table_is_there():
    import tfgan_stab as tgs

    named = set(re.findall(r"`tgs\.([\w.]+)`", README))
    assert len(named) >= 7
    for name in named:
        place = tgs
        for part in name.split("."):
            place = getattr(place, part)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(README, id="README", marks=pytest.mark.exhaustive),
        pytest.param(EVALUATION, id="evaluation"),
    ],
)
def test_the_commands_that_score_and_sample_run(text, run):
    folder, _ = run
    (scoring,) = [block for block in blocks("bash", text) if "scripts/evaluate.py" in block]
    ours = scoring.replace(".venv/bin/python", sys.executable).replace("runs/", f"{folder}/runs/")
    ours = ours.replace("samples.npz", f"{text[:3].strip('# ')}.npz")
    assert ours.count("2000") >= 2
    printed = shell(ours.replace("2000", "80"))
    assert f"80 images of {folder}/runs/digits" in printed and "precision  baseline" in printed
    assert "Wrote 80 samples" in printed


@pytest.mark.slow
def test_the_example_of_scoring_in_training_runs(tiny):
    import tfgan_stab as tgs

    example, _ = blocks("python", EVALUATION)
    quick = example.replace("samples=2000", "samples=80").replace("samples=1000", "samples=100")
    names = {"tgs": tgs, "data": tgs.data.digits(batch_size=8)}
    exec(quick.replace("every=500", "every=1"), names)
    gan = tiny.image_gan()
    history = gan.fit(names["data"], steps_per_epoch=2, callbacks=[names["evaluate"]], verbose=0)
    assert {"fid", "recall", "coverage", "evaluation_share"} < set(history.history)


@pytest.mark.slow
def test_the_example_of_statistics_in_a_file_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, example = blocks("python", EVALUATION)
    exec(example, {})
    pattern = "/real=600 statistics statistics@[0-9a-f]{8}/fake=300/"
    assert re.search(pattern, capsys.readouterr().out)


def test_every_score_is_in_the_documents():
    import tfgan_stab as tgs
    from tfgan_stab.evaluation import Score

    scores = [n for n in tgs.__all__ if isinstance(getattr(tgs, n), type)]
    scores = [n for n in scores if issubclass(getattr(tgs, n), Score)]
    assert len(scores) >= 10
    scores.remove("Score")  # What they derive from.
    assert [name for name in [*scores, "PerClass"] if f"tgs.{name}" not in EVALUATION] == []
