"""Flags are understood or refused, before TensorFlow is imported."""

import subprocess
import sys

import pytest
from absl import flags as absl_flags

from tfgan_stab.cli import main
from tfgan_stab.cli.flags.train import TrainSettings

GOOD = ["train.py", "--gin_file=run.gin", "--workdir=runs/one"]


def test_flags_keep_their_order_and_defaults():
    settings = TrainSettings.parse([*GOOD, "--gin_file=more.gin", "--gin_param=a.b = [1, 2]"])
    assert settings.gin_file == ("run.gin", "more.gin")
    assert settings.gin_param == ("a.b = [1, 2]",)
    assert (settings.workdir, settings.resume, settings.traceback) == ("runs/one", "auto", False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gin_fil=x"], "Unknown command line flag 'gin_fil'. Did you mean: gin_file"),
        (["--resume=maybe"], "--resume=maybe: value should be one of <auto|never|must>"),
        (["run.gin"], "Unexpected 'run.gin': every argument is a flag, such as --gin_file=run.gin"),
        (["--workdir=runs"], "--gin_file is missing.*gin_configs/runs/digits.gin"),
        (["--gin_file=run.gin"], "--workdir is missing.*--workdir=runs/digits"),
        (["--gin_file"], "Missing value for flag --gin_file"),
        (["--gin_file=x", "--dry_run", "--resume=auto"], "--resume has no effect: --dry_run tra"),
        (["--gin_file=x", "--dry_run", "--profile=3"], "--profile has no effect: --dry_run trai"),
    ],
)
def test_wrong_flags(arguments, message):
    with pytest.raises(absl_flags.Error, match=message.replace("|", r"\|")):
        TrainSettings.parse(["train.py", *arguments])


@pytest.mark.parametrize("more", [[], ["--workdir=runs/one"], ["--deterministic"]])
def test_dry_run_needs_no_workdir(more):
    assert TrainSettings.parse(["train.py", "--gin_file=run.gin", "--dry_run", *more]).dry_run
    assert not TrainSettings.parse(GOOD).dry_run


def test_help(capsys):
    assert main.run("train", ["train.py", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("--gin_file", "--gin_param", "--workdir", "--resume", "--[no]traceback"):
        assert name in shown
    assert "train.py --gin_file=gin_configs/runs/digits.gin --workdir=runs/digits" in shown


def test_wrong_flags_exit_with_two(capsys):
    assert main.run("train", ["train.py", "--gin_fil=x"]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: Unknown command line flag 'gin_fil'. Did you mean: gin")
    assert shown.out == ""


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--workdr=x"], "Did you mean: workdir", 2),
        (["--gin_file=no.gin", "--workdir=x"], "There is no gin file 'no.gin'", 1),
        (["--gin_file=run.gin", "--gin_param=x = = 1", "--workdir=x"], "not gin syntax", 1),
        (["--gin_file=run.gin", "--workdir=run.gin/x"], "Cannot write to --workdir", 1),
        (["--gin_file=run.gin", "--workdir=x", "--resume=must"], "holds no checkpoint", 1),
    ],
)
def test_errors_come_before_tensorflow_is_imported(tmp_path, arguments, message, code):
    (tmp_path / "run.gin").write_text("from __gin__ import dynamic_registration\n")
    program = (
        "import sys\n"
        "from tfgan_stab.cli import main\n"
        "code = main.run('train', sys.argv)\n"
        "loaded = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "sys.exit(f'imported {loaded}' if loaded else code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ") and message in done.stderr
    assert "Traceback" not in done.stderr
