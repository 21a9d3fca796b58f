"""The evaluation command on files alone: its defaults, and what it refuses."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.jobs import evaluate as job

# With few images of many features the covariance is singular, which is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:FID from:UserWarning")


@pytest.fixture
def samples(tmp_path):
    """Forty images, ten of them of class 1."""
    path = tmp_path / "samples.npz"
    images = np.random.RandomState(0).randint(0, 256, [40, 8, 8, 1], np.uint8)
    np.savez(path, arr_0=images, arr_1=np.arange(40) % 4 // 3)
    return path


def run(source, *arguments):
    given = [f"--source={source}", f"--real={source}", "--extractor=random", *arguments]
    return main.run("evaluate", ["evaluate.py", *given])


def folders(root, shades):
    """A folder of thirty pictures for each class, of about the given shade."""
    random = np.random.RandomState(0)
    for name, shade in shades.items():
        (root / name).mkdir(parents=True)
        for number in range(30):
            picture = np.clip(random.normal(shade, 6, [8, 8]), 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(root / name / f"{number}.png")
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    "fake, real, message",
    [
        ("acd", "abd", "by name. Received: class 'b' of real images alone, class 'c' of gen"),
        ("012", "ab", "only one side has names. Received: none of real .*class '2' of generated"),
        ("02", "ab", "only one side has names. Received: class 'b' of real .*class '2' of gen"),
    ],
)
def test_classes_of_one_side_are_named(tmp_path, capsys, fake, real, message):
    for side, names in {"fake": fake, "real": real}.items():
        folders(tmp_path / side, dict.fromkeys(names, 100))
    given = [f"--source={tmp_path}/fake", f"--real={tmp_path}/real", "--extractor=random"]
    assert main.run("evaluate", ["evaluate.py", *given, "--per_class"]) == 1
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.slow
def test_samples_of_numbered_classes_are_matched_by_number(tmp_path):
    folders(tmp_path / "real", {"cat": 40, "dog": 200})
    folders(tmp_path / "fake", {"00": 40, "01": 200})
    given = [f"--source={tmp_path}/fake", f"--real={tmp_path}/real", "--extractor=random"]
    given += ["--per_class", f"--output={tmp_path}/scores.json"]
    assert main.run("evaluate", ["evaluate.py", *given]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    remarks = [each.get("remark", "").split(";")[0] for each in scores]
    assert remarks == ["class 'cat'", "class 'dog'", ""]
    assert max(each["value"] for each in scores) < 1.0


@pytest.mark.slow
def test_statistics_are_written_and_read(samples, tmp_path, capsys):
    """They score as the images do; the report says that they are statistics."""
    path, found = tmp_path / "stats.npz", {}
    for name, given in {
        "images": [f"--real={samples}", f"--write_statistics={path}", "--scores=fid"],
        "statistics": [f"--real={path}", "--scores=fid,ms_ssim"],
    }.items():
        arguments = [f"--source={samples}", "--extractor=random", "--samples=20", *given]
        output = tmp_path / f"{name}.json"
        assert main.run("evaluate", ["evaluate.py", *arguments, f"--output={output}"]) == 0
        found[name] = json.loads(output.read_text())["scores"][0]
    assert f"Statistics of the real images written to {path}." in capsys.readouterr().out
    assert found["images"]["value"] == pytest.approx(found["statistics"]["value"], rel=1e-9)
    assert "/real=40 samples.npz@" in found["images"]["protocol"]
    assert "/real=40 statistics stats@" in found["statistics"]["protocol"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--scores=fid,kid"], "of which the FID can be told. Received: kid, for which there must"),
        (["--scores=inception_score"], "the FID can be told. Received: inception_score"),
        (["--baseline"], "Received: --baseline, for which"),
        (["--per_class"], "Received: --per_class, for which"),
    ],
)
def test_statistics_are_for_the_fid_alone(samples, tmp_path, capsys, arguments, message):
    path = tmp_path / "stats.npz"
    np.savez(path, mu=np.zeros(256), sigma=np.eye(256))
    given = [f"--source={samples}", f"--real={path}", "--extractor=random", *arguments]
    assert main.run("evaluate", ["evaluate.py", *given]) == 1
    assert message in capsys.readouterr().err
    assert main.run("evaluate", ["evaluate.py", f"--source={path}", "--real=digits"]) == 1
    assert "Received: statistics of features, mu and sigma, which" in capsys.readouterr().err


def test_statistics_do_not_replace_a_file(samples, tmp_path, capsys):
    assert run(samples, f"--write_statistics={samples}") == 1
    assert f"--write_statistics={samples} must not exist yet" in capsys.readouterr().err


@pytest.mark.slow
def test_per_class_takes_the_size_of_the_smallest_class(samples, tmp_path, capsys):
    assert run(samples, "--per_class", f"--output={tmp_path}/scores.json") == 0
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert [each["score"] for each in scores] == ["fid_class_0", "fid_class_1", "fid_class_mean"]
    assert all("/fake=10/" in each["protocol"] for each in scores)
    assert "10 images of each class of " in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--per_class"]])
def test_single_image_is_refused(tmp_path, capsys, arguments):
    path = tmp_path / "one.npz"
    images, labels = np.zeros([3, 8, 8, 1], np.uint8), np.array([0, 0, 1])
    kept = slice(None) if arguments else slice(1)
    np.savez(path, arr_0=images[kept], arr_1=labels[kept])
    assert run(path, *arguments) == 1
    shown = capsys.readouterr().err
    assert "A score takes 2 images" in shown and "one.npz with 1. Choose a larger" in shown


def test_extractor_must_be_a_network(samples, tmp_path, capsys):
    (tmp_path / "network.keras").write_bytes(b"hello")
    assert run(samples, f"--extractor={tmp_path}/network.keras") == 1
    shown = capsys.readouterr().err
    assert "network.keras to be a network that Keras can load. Received: a file that is no" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("too few"), 1), (KeyboardInterrupt(), 130)]
)
def test_finished_scores_are_printed_if_the_rest_fails(
    samples, tmp_path, capsys, monkeypatch, error, code
):
    def failing(scores, **settings):
        raise error

    monkeypatch.setattr(job, "baselines", failing)
    assert run(samples, "--baseline", f"--output={tmp_path}/scores.json") == code
    shown = capsys.readouterr().out
    assert f"40 images of {samples}" in shown and "\n  fid " in shown and "measured as" in shown
    assert not (tmp_path / "scores.json").exists()


@pytest.mark.slow
def test_named_data_set_gives_its_classes(tmp_path, capsys):
    digits = tgs.data.digits()
    images = np.concatenate([*digits.examples(limit=200).as_numpy_iterator()])
    np.savez(tmp_path / "digits.npz", arr_0=images, arr_1=np.arange(200) % 10)
    given = [f"--source={tmp_path}/digits.npz", "--real=digits", "--extractor=digits"]
    assert main.run("evaluate", ["evaluate.py", *given, "--per_class"]) == 0
    assert "fid_class_9 " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "real", "used"),
    [
        ("bytes.npy", "bytes.npy", False),
        ("bytes.npy", "pictures", False),
        ("floats.npy", "digits", False),
        ("floats.npy", None, False),
        ("deep.npy", "bytes.npy", True),
        ("pictures", "deep.npy", True),
        ("bytes.npy", "arrays:deep.npy", True),
    ],
)
def test_white_is_refused_where_no_image_needs_it(
    monkeypatch, tmp_path, capsys, source, real, used
):
    monkeypatch.chdir(tmp_path)
    values = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8, 1)
    np.save("bytes.npy", values)
    np.save("floats.npy", values / np.float32(64) - 1)
    np.save("deep.npy", values * np.uint16(16))
    folders(tmp_path / "pictures", {"a": 100})

    def opened(*given):
        raise ValueError("All is opened.")

    monkeypatch.setattr(job, "_scores", opened)
    given = [f"--source={source}", "--white=4095", "--scores=ms_ssim", "--samples=2"]
    given += [] if real is None else [f"--real={real}"]
    message = f"--white has no effect: .*more than 8 bits. Received: {source}.*Leave the flag out"
    assert main.run("evaluate", ["evaluate.py", *given]) == (1 if used else 2)
    assert re.search("All is opened" if used else message, capsys.readouterr().err)
