"""Scores by gin: several at once, per class, and within a share of the time."""

import json

import pytest

from tfgan_stab.cli import main

PATH = "--gin_file=gin_configs/scores/all.gin"


def scored(command, workdir, *params, flags=()):
    """The lines of metrics of a tiny run with scores."""
    arguments = command(workdir, "tgs.train.sample_rows = 0", *params, flags=flags)
    assert main.run("train", [a for a in arguments if "train.scores = []" not in a]) == 0
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:(FID|kid|precision and recall) from:UserWarning")
def test_all_scores_of_all_weights(command, tmp_path, capsys):
    small = ["score_samples = 60", "max_share = 1.0", "tgs.MSSSIM.samples = 20", "epochs = 1"]
    lines = scored(command, tmp_path / "run", *small, flags=[PATH])
    names = ["fid", "kid", "precision", "recall", "density", "coverage", "inception_score"]
    names.append("ms_ssim")
    for step in (0, 3):
        here = [(line["score"], line["weights"]) for line in lines if line["step"] == step]
        assert sorted(here) == sorted((n, w) for n in names for w in ("live", "ema"))
    errors = {line["score"] for line in lines if "standard_error" in line}
    assert errors == {"inception_score", "ms_ssim"}  # One block makes no error of KID's.
    printed = capsys.readouterr().out
    assert all(f"  {name} baseline" in printed for name in names)
    best = {path.name for path in (tmp_path / "run" / "best").iterdir()}
    assert best == {*names, *(f"{name}_ema" for name in names)}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FID from:UserWarning")
def test_score_per_class(command, tmp_path):
    lines = scored(
        command,
        tmp_path / "run",
        "tgs.data.digits.labels = True",
        "tgs.networks.dcgan_generator.num_classes = 10",
        "tgs.networks.dcgan_discriminator.num_classes = 10",
        "tgs.train.scores = [@tgs.PerClass]",
        "tgs.PerClass.score = @tgs.FID",
        "tgs.PerClass.classes = [3, 8]",
        "tgs.FID.samples = 20",
        "epochs = 1",
    )
    assert {line["score"] for line in lines} == {"fid_class_3", "fid_class_8", "fid_class_mean"}
    assert all("/class" in line["protocol"] for line in lines)


@pytest.mark.slow
def test_max_share_out_of_range(command, tmp_path, capsys):
    arguments = command(tmp_path / "run", "max_share = 2.0", flags=[PATH])
    assert main.run("train", [a for a in arguments if "train.scores = []" not in a]) == 1
    assert "`max_share` must be a number in (0, 1]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
