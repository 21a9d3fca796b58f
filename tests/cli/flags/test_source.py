"""Where images come from is understood; flags that would change nothing are refused."""

import pytest
from absl import flags as absl_flags

from tfgan_stab.cli import main
from tfgan_stab.cli.flags.evaluate import EvaluateSettings
from tfgan_stab.cli.flags.sample import SampleSettings


@pytest.mark.parametrize(
    ("flag", "wanted"),
    [
        ("--latents=sphere", "it is for a .keras file"),
        ("--num_classes=3", "it is for a .keras file"),
        ("--size=8", "it is for a folder of pictures"),
        ("--weights=ema", "it is for a workdir or a checkpoint or a .keras file"),
        ("--batch_size=8", "it is for a workdir or"),
        ("--seed=8", "it is for a workdir or"),
    ],
)
def test_flags_without_effect(few, tmp_path, capsys, flag, wanted):
    arguments = ["sample.py", f"--source={few}", f"--output={tmp_path}/out", flag]
    assert main.run("sample", arguments) == 2
    assert f"{flag.split('=')[0]} has no effect: {wanted}" in capsys.readouterr().err


SIZED = "image_folder or photo_patches or tfds or tfrecords"


@pytest.mark.parametrize(
    ("real", "flag", "refused"),
    [
        ("image_folder:there", "--size=8", None),
        ("tfds:celeb_a", "--size=8", None),
        ("tfrecords:*.tfrecord", "--channels=1", None),
        ("arrays:real.npy", "--white=4095", None),
        (
            "tfds:celeb_a",
            "--white=255",
            "a .npz or .npy file or --real=arrays or image_folder. Rec",
        ),
        ("digits", "--size=8", f"a folder of pictures or --real={SIZED}. .*and --real=digits. L"),
        (None, "--size=8", "a folder of pictures. Received: .*g.keras, a .keras file. Leave"),
        ("digits", "--seed=8", None),
    ],
)
def test_real_images_may_be_what_a_flag_is_for(tmp_path, real, flag, refused):
    (tmp_path / "g.keras").touch()
    given = ["evaluate.py", f"--source={tmp_path}/g.keras", flag]
    settings = EvaluateSettings.parse([*given, *([f"--real={real}"] if real else [])])
    if refused is None:
        settings.check_have_effect(real)
    else:
        with pytest.raises(absl_flags.Error, match=f"has no effect: it is for .*{refused}"):
            settings.check_have_effect(real)


def parse(*arguments):
    return SampleSettings.parse(["sample.py", "--output=y", *arguments])


def test_opening_has_all_that_says_how_images_are_read_or_made():
    assert parse("--source=runs/one").opening == {
        "latents": None,
        "num_classes": None,
        "size": None,
        "channels": None,
        "white": None,
        "batch_size": 256,
        "unsafe_imports": False,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--source is missing.*--source=runs/digits"),
        (["--source=x", "--seed=-1"], "--seed=-1: -1 is not an integer in the range"),
        (["--source=x", "--latents=cauchy"], "should be one of <normal.sphere"),
        (["--source=x", "--channels=2"], "--channels=2: must be 1 for gray, 3 for color, or 4"),
    ],
)
def test_wrong_sources(arguments, message):
    with pytest.raises(absl_flags.Error, match=message):
        parse(*arguments)
