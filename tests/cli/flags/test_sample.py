"""What is to be sampled, and where it goes, is understood or refused."""

import pytest
from absl import flags as absl_flags

from tfgan_stab.cli.flags.sample import SampleSettings


def test_flags_keep_their_defaults():
    settings = SampleSettings.parse(["sample.py", "--source=runs/one", "--output=samples"])
    assert (settings.count, settings.weights, settings.seed, settings.label) == (
        None,
        None,
        0,
        None,
    )
    assert settings.given == {"source", "output"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sourc=x"], "Unknown command line flag 'sourc'. Did you mean: source"),
        (["--source=x"], "--output is missing.*--output=samples.npz"),
        (["x"], "Unexpected 'x': every argument is a flag, such as --source=x"),
        (["--source=x", "--output=y.npy"], "--output=y.npy: must be a folder.*--output=y.npz"),
        (["--source=x", "--output=y", "--count=0"], "--count=0: 0 is not a positive integer"),
    ],
)
def test_wrong_flags(arguments, message):
    with pytest.raises(absl_flags.Error, match=message):
        SampleSettings.parse(["sample.py", *arguments])
