"""What is to be scored, how, and against which real images, is understood or refused."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from absl import flags as absl_flags

from tfgan_stab.cli.flags.evaluate import EvaluateSettings
from tfgan_stab.cli.sources.kinds import SourceError
from tfgan_stab.cli.sources.opening import open_real
from tfgan_stab.evaluation.image_source import ImageSource


def parse(*arguments):
    return EvaluateSettings.parse(["evaluate.py", *arguments])


def test_flags_keep_their_defaults():
    settings = parse("--source=runs/one")
    assert (settings.real, settings.extractor, settings.resize) == (None, "inception", "tf1")
    assert (settings.scores, settings.samples, settings.weights) == (("fid",), None, None)
    assert (settings.seed, settings.baseline, settings.sizes) == (0, False, ())
    assert (settings.inception, settings.output, settings.given) == (None, None, {"source"})


def test_lists_keep_their_order():
    settings = parse(
        "--source=x",
        "--scores=kid,fid",
        "--weights=ema,live",
        "--sizes=500,1000,200",
        "--output=scores.json",
        "--baseline",
    )
    assert (settings.scores, settings.weights) == (("kid", "fid"), ("ema", "live"))
    assert (settings.sizes, settings.output) == ((500, 1000, 200), pathlib.Path("scores.json"))
    assert settings.baseline


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scores=fid"], "--source is missing"),
        (["--source=x", "fid"], "Unexpected 'fid': every argument is a flag"),
        (["--source=x", "--scores=fdi"], "there is no 'fdi'.*fid"),
        (["--source=x", "--scores=fid,fid"], "--scores=fid,fid: name one or several, each once"),
        (["--source=x", "--scores="], "--scores=: name one"),
        (["--source=x", "--weights=live,live"], "--weights=live,live: name one or several"),
        (["--source=x", "--samples=1"], "--samples=1: 1 is not integer >= 2"),
        (["--source=x", "--extractor=inceptoin"], "must be one of digits, inception.*inception"),
        (["--source=x", "--extractor=no.keras"], "--extractor=no.keras: no such file or folder"),
        (["--source=x", "--inception=no"], "--inception=no: no such file or folder"),
        (["--source=x", "--extractor=digits", "--resize=clean"], "--resize has no effect.*incept"),
        (["--source=x", "--extractor=digits", "--inception=."], "--inception has no effect"),
        (["--source=x", "--resize=nearest"], "should be one of <tf1.clean>"),
        (["--source=x", "--sizes=1000"], "--sizes=1000: must list at least two integers"),
        (["--source=x", "--sizes=1000,many"], "--sizes=1000,many: must list at least two"),
        (["--source=x", "--sizes=1,1000"], "--sizes=1,1000: must .* integers, each >= 2"),
        (["--source=x", "--sizes=50,50"], "--sizes=50,50: name each size once"),
        (["--source=x", "--sizes=50,60", "--samples=55"], "must be at most --samples=55"),
        (["--source=x", "--sizes=50,60", "--scores=kid"], "--sizes has no effect.*Add fid"),
        (
            ["--source=x", "--extractor=digits", "--scores=modes"],
            "--extractor=digits has no effect",
        ),
        (["--source=x", "--output=scores"], "must end in .json. Try --output=scores.json"),
        (["--source=x", "--write_statistics=s"], "must end in .npz. Try --write_statistics=s.npz"),
        (["--source=x", "--write_statistics=s.npz", "--per_class"], "--write_statistics has no ef"),
        (["--source=x", "--write_statistics=s.npz", "--scores=kid"], "has no effect: it is for th"),
    ],
)
def test_wrong_flags(arguments, message):
    with pytest.raises(absl_flags.Error, match=message):
        parse(*arguments)


def test_help():
    assert parse("--help") is None
    shown = EvaluateSettings.help_text("evaluate.py")
    for name in ("source", "real", "extractor", "scores", "sizes", "[no]baseline", "weights"):
        assert f"--{name}" in shown
    assert "evaluate.py --source=runs/digits --extractor=digits" in shown


def pixels(count=300):
    return np.random.RandomState(0).randint(0, 256, [count, 4, 4, 1], np.uint8)


def test_real_images_of_a_file(tmp_path):
    np.savez(tmp_path / "real.npz", pixels())
    found = open_real(str(tmp_path / "real.npz"), source="unused")
    assert (found.num_examples, found.num_classes) == (300, None)
    expected = pixels().astype(np.float32) / 127.5 - 1
    for _ in range(2):
        shown = np.concatenate([np.asarray(batch) for batch in ImageSource(found).batches()])
        np.testing.assert_array_equal(shown, expected)
    assert found.examples().element_spec.shape.as_list() == [None, 4, 4, 1]
    few = np.concatenate(list(found.examples(limit=270).as_numpy_iterator()))
    np.testing.assert_array_equal(few, expected[:270])
    assert sum(len(batch) for batch in found.examples(limit=999)) == 300


@pytest.mark.slow
def test_real_images_of_a_folder_and_of_a_data_set(tmp_path):
    for number, picture in enumerate(pixels(3)):
        tf.io.write_file(f"{tmp_path}/{number}.png", tf.io.encode_png(picture))
    assert next(iter(open_real(str(tmp_path), "x").examples())).shape == (3, 4, 4, 1)
    resized = open_real(str(tmp_path), "x", size=2, channels=3)
    assert next(iter(resized.examples())).shape == (3, 2, 2, 3)
    assert open_real("digits", "x").num_examples == 1797
    np.save(tmp_path / "real.npy", pixels(64))
    assert open_real(f"arrays:{tmp_path}/real.npy", "x").num_examples == 64


def test_a_named_set_of_few_images_is_read_in_a_batch_that_fits(tmp_path):
    np.save(tmp_path / "real.npy", pixels(3))
    few = open_real(f"arrays:{tmp_path}/real.npy", "x")
    assert (few.batch_size, few.num_examples) == (3, 3)
    assert next(iter(few.examples())).shape == (3, 4, 4, 1)


def test_white_is_that_of_a_named_array_too(tmp_path):
    np.save(tmp_path / "real.npy", np.full([4, 2, 2, 1], 4095, np.uint16))
    shown = open_real(f"arrays:{tmp_path}/real.npy", "x", white=4095, size=9, labels=True)
    np.testing.assert_array_equal(next(iter(shown.examples())), np.ones([4, 2, 2, 1]))


def test_missing_real_images(tmp_path):
    np.save(tmp_path / "samples.npy", pixels())
    with pytest.raises(SourceError, match="--real is missing: .*samples.npy.*--real=tfds:cifar10"):
        open_real(None, str(tmp_path / "samples.npy"))
    with pytest.raises(
        FileNotFoundError, match="--real=digit is neither .* digits, mixture, photo"
    ):
        open_real("digit", "x")
    (tmp_path / "generator.keras").touch()
    with pytest.raises(SourceError, match="Received: .*generator.keras, a .keras file. Write samp"):
        open_real(str(tmp_path / "generator.keras"), "x")


def test_real_images_of_a_run(tmp_path):
    checkpoint = tmp_path / "run" / "checkpoints" / "step-0000000003"
    checkpoint.mkdir(parents=True)
    (checkpoint / "progress.json").touch()
    (tmp_path / "run" / "config.gin").write_text(
        "from __gin__ import dynamic_registration\n"
        "import tfgan_stab as tgs\n"
        "import tfgan_stab as tgs\n"
        "tgs.train.data = @tgs.data.digits()\n"
        "tgs.data.digits.batch_size = 16\n"
    )
    for source in (tmp_path / "run", checkpoint):
        found = open_real(None, str(source))
        assert (found.name, found.batch_size) == ("digits", 16)
