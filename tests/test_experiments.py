"""Experiments and benchmarks run; what they find is written down in docs/experiments.md."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_the_mixture_experiment_leaves_a_line_and_a_picture_for_each_run(tmp_path):
    printed = run(
        "reproduce/ode_gan_mixture.py",
        f"--output={tmp_path}",
        "--solvers=heun",
        "--weights=0.07",
        "--seeds=2",
        "--rounds=1000",
    )
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["seed"], line["rounds"], line["field_evaluations"]) for line in lines] == [
        (0, 1000, 2000),
        (1, 1000, 2000),
    ]
    assert all(line["finite"] and 0 <= line["modes"] <= 16 for line in lines)
    assert len(printed.splitlines()) == 3
    picture = tf.io.decode_png((tmp_path / "heun-0.07-1.png").read_bytes(), 3).numpy()
    assert picture.std() > 1


@pytest.mark.slow
def test_the_schemes_benchmark_prints_a_ratio_for_each_scheme():
    small = ("--image_size=8", "--width=4", "--batch_size=4", "--turns=3", "--xla=off")
    printed = run("benchmarks/schemes.py", *small)
    for name in ("simultaneous", "heun", "rk4", "extragradient", "rk4 over euler, medians of 3"):
        assert name in printed
