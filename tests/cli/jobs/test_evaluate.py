"""The evaluation command: the right numbers, of whatever holds or makes images."""

import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.sources.opening import open_source
from tfgan_stab.data.digits import loaded_digits

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "evaluate.py"
# With few images of many features the covariance is singular, which is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:FID from:UserWarning")


def run(*arguments):
    return main.run("evaluate", ["evaluate.py", *map(str, arguments)])


def report(folder, *arguments):
    """The scores of a report, by name and weights."""
    path = folder / f"scores-{len(list(folder.glob('scores-*')))}.json"
    assert run(*arguments, f"--output={path}") == 0
    scores = json.loads(path.read_text())["scores"]
    return {(each["score"], each["weights"]): each for each in scores}


@pytest.fixture(scope="module")
def workdir(command, train, tmp_path_factory):
    """A run of two epochs."""
    path = tmp_path_factory.mktemp("runs") / "run"
    train(command(path, "tgs.train.sample_rows = 0"))
    return path


@pytest.fixture(scope="module")
def stored(workdir, tmp_path_factory):
    """What the run's averaged generator shows, as an array and as pictures."""
    folder = tmp_path_factory.mktemp("stored")
    for name in ("samples.npz", "pictures"):
        arguments = [f"--source={workdir}", "--count=300", "--weights=ema", "--seed=4"]
        assert main.run("sample", ["sample.py", *arguments, f"--output={folder / name}"]) == 0
    return folder


@pytest.mark.slow
def test_run_is_scored_with_all_weights_against_its_own_data(workdir, tmp_path, capsys):
    scores = report(
        tmp_path, f"--source={workdir}", "--extractor=digits", "--samples=300", "--scores=fid,kid"
    )
    assert list(scores) == [(name, w) for w in ("live", "ema") for name in ("fid", "kid")]
    fid = tgs.FID("digits", tgs.data.digits(batch_size=8), samples=300, quantize=True)
    for weights in ("live", "ema"):
        expected = fid(open_source(workdir).draw(300, weights))
        found = scores["fid", weights]
        assert found["value"] == pytest.approx(expected.value, rel=1e-9)
        assert found["protocol"] == expected.protocol
    printed = capsys.readouterr().out
    assert f"300 images of {workdir}" in printed and scores["fid", "ema"]["protocol"] in printed


@pytest.mark.slow
def test_files_score_like_the_generator_they_come_from(workdir, stored, tmp_path):
    common = ["--extractor=digits", "--samples=300", "--seed=4", "--scores=fid,precision_recall"]
    scores = report(tmp_path, f"--source={workdir}", *common, "--weights=ema")
    for name in ("samples.npz", "pictures"):
        others = report(tmp_path, f"--source={stored / name}", *common, "--real=digits")
        assert len(others) == 5
        for (score, _), found in others.items():
            of_generator = scores[score, "ema"]
            assert found["value"] == pytest.approx(of_generator["value"], rel=1e-9)
            made = of_generator["protocol"].replace("bn=inference", "stored")
            assert found["protocol"] == made


@pytest.mark.slow
def test_whole_file_is_scored_by_default(stored, tmp_path, capsys):
    arguments = [f"--source={stored}/samples.npz", "--real=digits", "--extractor=digits"]
    scores = report(tmp_path, *arguments)
    assert "/fake=300/seed=0/stored/uint8" in scores["fid", None]["protocol"]
    assert run(*arguments, "--samples=301") == 1
    assert "Expected 301 images. Received: 300" in capsys.readouterr().err


@pytest.mark.slow
def test_real_images_in_files(stored, tmp_path):
    source = f"--source={stored}/samples.npz"
    scores = report(
        tmp_path, source, "--extractor=digits", f"--real={stored}/pictures", "--baseline"
    )
    assert scores["fid", None]["value"] == pytest.approx(0.0, abs=1e-6)
    assert "/real=300 pictures@" in scores["fid", None]["protocol"]
    baseline = scores["fid", "baseline"]
    assert baseline["value"] > 0 and "/real=150 pictures@" in baseline["protocol"]


@pytest.mark.slow
def test_sizes_give_an_extrapolation(stored, tmp_path):
    arguments = [f"--source={stored}/samples.npz", "--real=digits", "--extractor=digits"]
    scores = report(tmp_path, *arguments, "--sizes=100,200,300")
    names = ["fid", "fid_100", "fid_200", "fid_300", "fid_infinity"]
    assert [name for name, _ in scores] == names
    assert scores["fid", None]["value"] == pytest.approx(scores["fid_300", None]["value"])
    assert scores["fid_infinity", None]["standard_error"] > 0


@pytest.mark.slow
def test_every_score(stored, tmp_path):
    scores = report(
        tmp_path,
        f"--source={stored}/samples.npz",
        "--real=digits",
        "--extractor=digits",
        "--scores=fid,kid,inception_score,precision_recall,sliced_wasserstein,ms_ssim",
        "--baseline",
    )
    names = {name for name, weights in scores if weights == "baseline"}
    assert names == {name for name, weights in scores if weights is None}
    assert {"fid", "kid", "inception_score", "recall", "coverage", "swd_8", "ms_ssim"} < names
    assert scores["inception_score", "baseline"]["larger_is_better"]


@pytest.mark.slow
def test_scores_without_real_images(stored, tmp_path, capsys):
    source = f"--source={stored}/samples.npz"
    scores = report(tmp_path, source, "--scores=ms_ssim")
    assert list(scores) == [("ms_ssim", None)]
    assert run(source, "--scores=ms_ssim", "--baseline") == 1
    assert "--real is missing" in capsys.readouterr().err


def test_mode_coverage_of_points(tmp_path):
    modes = tgs.data.mixture(modes=16).modes
    np.savez(tmp_path / "points.npz", np.repeat(modes[:5], 20, axis=0).astype(np.float32))
    scores = report(
        tmp_path,
        f"--source={tmp_path}/points.npz",
        "--real=mixture",
        "--scores=modes",
        "--baseline",
    )
    assert scores["modes", None]["value"] == 5 and scores["modes", "baseline"]["value"] == 16


@pytest.mark.slow
def test_classes_are_generated_as_often_as_the_real_images_have_them(tiny, tmp_path):
    images, labels = loaded_digits()
    kept = np.r_[np.flatnonzero(labels == 0)[:90], np.flatnonzero(labels == 1)[:30]]
    np.savez(tmp_path / "real.npz", images=images[kept], labels=labels[kept])
    generator, _ = tiny.image_networks(num_classes=2)
    generator.save(tmp_path / "generator.keras")
    source = f"--source={tmp_path}/generator.keras"
    common = ["--scores=kid", "--extractor=digits", "--samples=100"]
    scores = report(tmp_path, source, f"--real={tmp_path}/real.npz", *common)
    [found] = scores.values()
    assert "/seed=0/labels=as-real/" in found["protocol"]
    real = tgs.data.arrays(images[kept], batch_size=8)
    kid = tgs.KID("digits", real, samples=100, quantize=True)
    drawn = open_source(tmp_path / "generator.keras").draw(100, shares=(3, 1))
    np.testing.assert_allclose(found["value"], kid(drawn).value, rtol=1e-5)


@pytest.mark.slow
def test_per_class_of_stored_images(tmp_path):
    images, labels = loaded_digits()
    pixels = np.rint((images[:600] + 1) * 127.5).astype(np.uint8)
    np.savez(tmp_path / "digits.npz", arr_0=pixels, arr_1=labels[:600])
    arguments = [f"--source={tmp_path}/digits.npz", f"--real={tmp_path}/digits.npz"]
    scores = report(tmp_path, *arguments, "--extractor=digits", "--per_class", "--samples=50")
    names = [f"fid_class_{label}" for label in range(10)]
    assert [name for name, _ in scores] == [*names, "fid_class_mean"]
    own = pixels[labels[:600] == 3].astype(np.float32) / 127.5 - 1
    chosen = np.concatenate(list(open_source(tmp_path / "digits.npz").picked(50, 0, label=3)))
    assert len(chosen) == 50 and all((own == image).all(axis=(1, 2, 3)).any() for image in chosen)
    fid = tgs.FID("digits", own, samples=50)([chosen])
    assert scores["fid_class_3", None]["value"] == pytest.approx(fid.value, rel=1e-6)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_inception_from_a_folder(stored, tmp_path):
    class Network(tf.Module):
        def __init__(self):
            super().__init__()
            self.mixing = tf.Variable(np.random.RandomState(0).normal(size=[3, 1008]))

        @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
        def __call__(self, images):
            tiles = tf.nn.avg_pool2d(images, 100, 66, "VALID")
            means = tf.reduce_mean(images, axis=[1, 2])
            logits = means @ tf.cast(self.mixing, tf.float32)
            return {"pool_3": tf.reshape(tiles, [-1, 48]), "logits": logits}

    tf.saved_model.save(Network(), str(tmp_path / "inception"))
    scores = report(
        tmp_path,
        f"--source={stored}/samples.npz",
        "--real=digits",
        f"--inception={tmp_path}/inception",
        "--resize=clean",
        "--samples=60",
        "--scores=fid,inception_score",
    )
    protocol = scores["fid", None]["protocol"]
    assert protocol.startswith("fid/tfgan-inception-1@")
    assert "/pool_3/clean-resize/real=1797 digits@" in protocol
    assert scores["inception_score", None]["value"] > 1


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--weights=mean"], "--weights=mean: .* has live, ema"),
        (["--real=nowhere"], "--real=nowhere is neither a path nor a data set"),
        (["--output=there.json"], "--output=.*there.json must not exist yet"),
        (["--output=no/such/folder.json"], "expected a folder that can be written to"),
        (["--samples=20", "--per_class"], "needs real images with labels"),
    ],
)
def test_wrong_combinations(workdir, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.json").write_text("{}")
    code = run(f"--source={workdir}", "--extractor=digits", *arguments)
    assert code == 1 and re.search(message, capsys.readouterr().err)
    assert (tmp_path / "there.json").read_text() == "{}"


@pytest.mark.slow
def test_evaluating_does_not_change_the_workdir(workdir, tmp_path):
    def contents():
        files = [path for path in workdir.rglob("*") if path.is_file()]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = contents()
    report(tmp_path, f"--source={workdir}", "--extractor=digits", "--samples=20")
    assert contents() == before


def test_help_and_wrong_flags_need_no_tensorflow(tmp_path):
    code = (
        "import sys; from tfgan_stab.cli import main;"
        "flags = (['--help'], ['--scores=fdi']);"
        "codes = [main.run('evaluate', ['evaluate.py', *each]) for each in flags];"
        "assert codes == [0, 2], codes; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_script(stored, tmp_path):
    arguments = [f"--source={stored}/samples.npz", "--scores=ms_ssim"]
    command = [sys.executable, SCRIPT, *arguments]
    done = subprocess.run(command, check=True, timeout=120, capture_output=True, text=True)
    assert "ms_ssim" in done.stdout and "measured as" in done.stdout


@pytest.mark.slow
def test_subset_of_sorted_images_has_all_classes(tmp_path):
    images, labels = loaded_digits()
    order = np.argsort(labels, kind="stable")
    np.save(tmp_path / "digits.npy", np.rint((images[order] + 1) * 127.5).astype(np.uint8))
    common = [f"--source={tmp_path}/digits.npy", "--real=digits", "--extractor=digits"]
    scores = report(tmp_path, *common, "--samples=600", "--sizes=200,400,600")
    # Digits in order would be 0s and 1s only at 200, at a FID of about 100.
    for name in ("fid", "fid_200", "fid_400", "fid_600"):
        assert scores[name, None]["value"] < 12
