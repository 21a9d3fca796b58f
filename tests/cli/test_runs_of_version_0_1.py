"""A run that version 0.1 has begun continues after the conversion that the change log gives."""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.callbacks.best_checkpoint import best_of
from tfgan_stab.callbacks.checkpoint_files import checkpoints
from tfgan_stab.cli import main
from tfgan_stab.cli.config import gin as configuring

CHANGELOG = pathlib.Path(__file__).resolve().parents[2] / "CHANGELOG.md"
# What the changelog tells users to run.
(CONVERSION,) = re.findall(r"```sh\nrun=.*?\n(.*?)```", CHANGELOG.read_text("utf-8"), re.DOTALL)

SETTINGS = [
    "tgs.train.scheme = @tgs.Extragradient()",
    "tgs.Extragradient.state = 'separate'",  # Optimizers of trial steps have other names now.
    "tgs.train.scores = [@tgs.FID]",
    "tgs.FID.samples = 100",
    "tgs.train.sample_rows = 1",
]


# What version 0.1 wrote for its files of a guard, of top-k, of ODE-GAN's penalty and extragradient.
OLD_CONFIG = """\
from __gin__ import dynamic_registration
import tfgan_stab as tgs
from tfgan_stab.cli import training

# Macros:
look_state = 'separate'
penalty_unbiased = False
top_k_compute = 'full'
top_k_decay = 0.99

# Parameters for tgs.callbacks.DivergenceGuard:
tgs.callbacks.DivergenceGuard.collapse_ratio = 0.05
tgs.callbacks.DivergenceGuard.collapse_rounds = 200
tgs.callbacks.DivergenceGuard.policy = 'rollback'

# Parameters for tgs.Extragradient:
tgs.Extragradient.state = %look_state

# Parameters for tgs.GeneratorGradientNorm:
tgs.GeneratorGradientNorm.unbiased = %penalty_unbiased
tgs.GeneratorGradientNorm.weight = 0.02

# Parameters for tgs.TopK:
tgs.TopK.compute = %top_k_compute
tgs.TopK.decay = %top_k_decay
tgs.TopK.with_batch_norm = False

# Parameters for training.train:
training.train.guard = @tgs.callbacks.DivergenceGuard()
training.train.penalties = [@tgs.GeneratorGradientNorm()]
training.train.scheme = @tgs.Extragradient()
training.train.top_k = @tgs.TopK()
"""


def convert(run):
    subprocess.run(["sh", "-c", CONVERSION], check=True, env={"run": str(run)})


def rewrite(path, *patterns):
    text = path.read_text(encoding="utf-8")
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")


def variables(checkpoint):
    """Everything in TensorFlow's own files."""
    reader = tf.train.load_checkpoint(str(checkpoint / "state"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_")]
    return {name: reader.get_tensor(name) for name in names}


def rename_owners(checkpoint):
    """Writes a checkpoint again with the names of version 0.1."""
    owners = {}
    for name, value in variables(checkpoint).items():
        owner, number = name.split("/")[:2]
        owners.setdefault(owner.replace("extrapolation", "look"), {})[int(number)] = value
    assert "generator_look_optimizer" in owners
    for path in checkpoint.glob("state.*"):
        path.unlink()
    lists = {
        owner: [tf.Variable(values[number]) for number in range(len(values))]
        for owner, values in owners.items()
    }
    tf.train.Checkpoint(**lists).write(str(checkpoint / "state"))
    metadata = json.loads((checkpoint / "progress.json").read_text())
    del metadata["checksum"]
    metadata["files"] = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in checkpoint.glob("state.*")
    }
    (checkpoint / "progress.json").write_text(json.dumps(metadata, indent=1))


def make_old(run):
    """Turns a run into what version 0.1 would have left."""
    for path in run.rglob("progress.json"):
        rename_owners(path.parent)
        rewrite(
            path,
            ("extrapolation_optimizer", "look_optimizer"),
            ('"step":', '"round":'),
            ('"step_in_epoch":', '"step":'),
            ('"rollback_state":', '"setbacks":'),
            ('"steps_lost":', '"rounds_lost":'),
        )
    for path in run.rglob("score.json"):
        rewrite(
            path,
            ('"step":', '"round":'),
            ('"steps_taken":', '"rounds_played":'),
            (r',\n "checksum": "\w+"', ""),
        )
    for path in list(run.rglob("step-*")):
        path.rename(path.with_name(path.name.replace("step-", "round-")))
    rewrite(
        run / "config.gin",
        ("^(import tfgan_stab as tgs)$", r"\1\nfrom tfgan_stab.cli import training"),
        (r"tgs\.train\b", "training.train"),
        ("steps_per_epoch", "rounds_per_epoch"),
        (r"^decay_steps\b|%decay_steps\b", lambda match: match[0].replace("steps", "rounds")),
        ("'step'", "'round'"),
        ("'steps'", "'rounds'"),
    )


def scores(run):
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_converted_settings_are_those_that_are_left(tmp_path):
    config = tmp_path / "config.gin"
    config.write_text(OLD_CONFIG, encoding="utf-8")
    convert(tmp_path)
    configuring.parse([str(config)])  # Refuses settings and macros that are not there or not used.
    assert configuring.settings_of(config.read_text(encoding="utf-8")) == {
        "extrapolation_state": "'separate'",
        "top_k_decay": "0.99",
        "tgs.callbacks.DivergenceGuard.policy": "'rollback'",
        "tgs.Extragradient.state": "%extrapolation_state",
        "tgs.GeneratorGradientNorm.weight": "0.02",
        "tgs.TopK.decay": "%top_k_decay",
        "tgs.train.guard": "@tgs.callbacks.DivergenceGuard()",
        "tgs.train.penalties": "[@tgs.GeneratorGradientNorm()]",
        "tgs.train.scheme": "@tgs.Extragradient()",
        "tgs.train.top_k": "@tgs.TopK()",
    }


@pytest.mark.exhaustive
@pytest.mark.slow
def test_converted_run_continues_bit_for_bit(command, tmp_path):
    whole, old = tmp_path / "whole", tmp_path / "old"
    assert main.run("train", command(whole, *SETTINGS)) == 0
    shutil.copytree(whole, old)
    shutil.rmtree(checkpoints(old / "checkpoints")[0])  # As if it had not been trained yet.
    shutil.copytree(old / "best" / "fid", old / "best" / "fid.former-1")
    make_old(old)
    assert not list(old.rglob("step-*")) and "tgs.train" not in (old / "config.gin").read_text()

    convert(old)
    assert [path.name for path in checkpoints(old / "checkpoints")] == ["step-0000000003"]
    assert main.run("train", command(old, *SETTINGS)) == 0

    newest, expected = (variables(checkpoints(r / "checkpoints")[0]) for r in (old, whole))
    assert sorted(newest) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(newest[name], value, err_msg=name)
    assert scores(old) == scores(whole)
    found, wanted = (
        [best._replace(path=None) for best in best_of(r / "best")] for r in (old, whole)
    )
    assert found == wanted
    pictures = sorted((whole / "samples").iterdir())
    assert len(pictures) == 2
    for picture in pictures:
        assert (old / "samples" / picture.name).read_bytes() == picture.read_bytes()
