"""Experiments and benchmarks run; what they find is written down in docs/experiments.md."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
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
def test_the_top_k_experiment_trains_beside_a_baseline_and_sums_up_over_seeds(tmp_path):
    printed = run(
        "reproduce/top_k_mixture.py",
        f"--output={tmp_path}",
        "--modes=4",
        "--seeds=2",
        "--rounds=40",
        "--decay_every=5",
        "--width=8",
        "--evaluations=2",
    )
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["method"], line["seed"], line["rounds"]) for line in lines] == [
        ("baseline", 0, 40),
        ("top_k", 0, 40),
        ("baseline", 1, 40),
        ("top_k", 1, 40),
    ]
    for line in lines:
        assert 0 <= line["high_quality"] <= 1 and 0 <= line["modes"] <= 1
        assert [found["rounds"] for found in line["measured"]] == [20, 40]
    assert "top_k" not in lines[0]["measured"][0]
    means = [np.mean([256 * 0.99 ** (r // 5) for r in own]) for own in (range(20), range(20, 40))]
    found = [each["top_k"] for each in lines[1]["measured"]]
    np.testing.assert_allclose(found, means, rtol=1e-5)
    *_, baseline, top_k, note = printed.splitlines()
    qualities = [100 * line["high_quality"] for line in lines[1::2]]
    assert top_k.split()[:3] == ["4", "top_k", "2"] and baseline.split()[1] == "baseline"
    assert f"{np.mean(qualities):.1f} +-" in top_k and note.startswith("Percent")
    picture = tf.io.decode_png((tmp_path / "top_k-4-1.png").read_bytes(), 3).numpy()
    assert picture.std() > 1


@pytest.mark.slow
def test_what_counts_as_of_high_quality_and_as_recovered(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "reproduce"))
    import top_k_mixture

    centers = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    samples = np.array([[0.0, 0.19], [0.1, 0.1], [0.21, 0.0], [1.0, 0.81], [0.5, 0.5], [np.nan, 0]])
    found = top_k_mixture.measured(samples, centers)
    assert found == {"high_quality": 3 / 6, "modes": 2 / 4}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_schemes_benchmark_prints_a_ratio_for_each_scheme():
    small = ("--image_size=8", "--width=4", "--batch_size=4", "--turns=3", "--xla=off")
    printed = run("benchmarks/schemes.py", *small)
    for name in ("simultaneous", "heun", "rk4", "extragradient", "rk4 over euler, medians of 3"):
        assert name in printed


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_methods_benchmark_prints_what_each_costs():
    small = ("--image_size=8", "--width=4", "--batch_size=4", "--turns=3", "--rounds=2")
    printed = run("benchmarks/methods.py", *small, "--only=plain,three averages,R1")
    lines = [line for line in printed.splitlines() if line.startswith(("plain", "three", "R1"))]
    assert len(lines) == 3
    assert lines[1].split()[-1] == "1.05" and lines[2].split()[-1] == "2.2"
