"""Which game is to be played, and how, is understood or refused."""

import pathlib

import pytest
from absl import flags as absl_flags

from tfgan_stab.cli.flags.play_game import GameSettings


def test_step_sizes_of_game_and_flags():
    def step_sizes(*arguments):
        return GameSettings.parse(["play_game.py", *arguments]).numbers.step_sizes

    assert step_sizes("--game=saddle") == (1e-4, 1e-2)
    assert step_sizes("--game=saddle", "--step_size=1e-3") == (1e-3, 1e-3)
    assert step_sizes("--step_size=0.1", "--discriminator_step_size=0.4") == (0.1, 0.4)


@pytest.mark.parametrize(
    ("output", "picture"),
    [("runs/x", "runs/x/saddle.png"), ("my.png", "my.png"), (".", "saddle.png")],
)
def test_path_of_the_picture(output, picture):
    settings = GameSettings.parse(["play_game.py", "--game=saddle", f"--output={output}"])
    assert settings.picture == pathlib.Path(picture)


WRONG = [
    (["--game=bilinaer"], "--game: there is no 'bilinaer'. Did you mean `bilinear`"),
    (["--game=chess"], "Known are: bilinear, damped_rotation, dirac_gan"),
    (["--schemes=euler,rk5"], "there is no 'rk5'. Did you mean `rk4`"),
    (["--schemes=lookahed"], "Did you mean `lookahead`"),
    (["--schemes=lookahead-extragradeint"], "Did you mean `lookahead-extragradient`"),
    (["--schemes=rk4,rk4"], "--schemes=rk4,rk4: name one or several, each once"),
    (["--schemes="], "--schemes=: name one or several"),
    (["--schemes=euler", "rk4"], "Unexpected 'rk4'.*--schemes=euler,rk4"),
    (["--steps=0"], "--steps=0.*positive integer"),
    (["--step_size=-1"], "--step_size=-1.*not a number in the range"),
    (["--step_size=nan"], "--step_size=nan: must be a number >= 0"),
    (["--discriminator_step_size=inf"], "--discriminator_step_size=inf.*not a number in the range"),
    (["--slow_step_size=0"], r"--slow_step_size=0.0: must be in \(0, 1\]"),
    (["--sync_period=0"], "--sync_period=0.*positive integer"),
    (["--schemes=rk4", "--sync_period=5"], "--sync_period has no effect.*is lookahead"),
    (["--output=a.jpg"], "must be a folder or end in .png.*--output=a.png"),
    (["--gmae=bilinear"], "Unknown command line flag 'gmae'. Did you mean: game"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_flags(arguments, message):
    with pytest.raises(absl_flags.Error, match=message):
        GameSettings.parse(["play_game.py", *arguments])
