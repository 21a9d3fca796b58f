"""The command that plays schemes on small games: flags, table and pictures."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.flags.play_game import GAMES, SCHEMES, GameSettings
from tfgan_stab.cli.jobs import play_game as job

ROOT = pathlib.Path(__file__).resolve().parents[3]


def script(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "play_game.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def rows(table):
    """The table's cells by scheme."""
    lines = table.split("evaluations\n")[1].split("\n\n")[0].splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_script_prints_a_table_and_draws_a_picture(tmp_path):
    done = script(
        "--game=bilinear",
        "--schemes=euler,extragradient,rk4,lookahead,lookahead-alternating",
        "--steps=60",
        f"--output={tmp_path}/new/plane.png",
    )
    assert done.returncode == 0, done.stderr
    table = rows(done.stdout)
    assert table["euler"] == ["13.27", "1.044031", "60"]
    assert table["rk4"] == ["0.9997", "0.999995", "240"]
    assert table["lookahead"] == ["0.0525", "0.952070", "60"]
    assert table["lookahead-alternating"][1:] == ["0.923154", "120"]
    picture = tf.io.decode_png((tmp_path / "new" / "plane.png").read_bytes()).numpy()
    shades = np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)
    assert picture.shape[0] > 500 and len(shades) > 100
    # Lines of all five colours: each scheme is to be seen.
    for red, green, blue in [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167)]:
        near = np.abs(picture[..., :3].astype(int) - [red, green, blue]).max(axis=-1) < 40
        assert near.sum() > 300, (red, green, blue)
    # Inside the left panel only start and solution are black; the start, (1, 0), is to the right.
    panel = picture[
        picture.shape[0] // 10 : -picture.shape[0] // 4, 150 : picture.shape[1] * 2 // 5
    ]
    heights, widths = np.nonzero(panel[..., :3].max(axis=-1) < 40)
    assert np.ptp(widths) > 100 > 2 * np.ptp(heights)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_animation_is_written_beside_the_picture(tmp_path):
    done = script("--schemes=euler", "--steps=20", f"--output={tmp_path}", "--animate")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bilinear.png").is_file()
    frames = tf.io.decode_gif((tmp_path / "bilinear.gif").read_bytes()).numpy()
    # Frames in which nothing moves are merged: one is left for each step, and the start.
    assert len(frames) == 21 and np.any(frames[0] != frames[-1])


@pytest.mark.cases(full=4)
@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        *([f"--game={game}", "--schemes=simultaneous"] for game in GAMES),
        [f"--schemes={','.join([*SCHEMES, 'lookahead-rk4'])}"],
    ],
    ids=[*GAMES, "schemes"],
)
def test_every_game_and_scheme(arguments):
    settings = GameSettings.parse(["play_game.py", *arguments, "--steps=2"])
    # In this process, and without pictures: the ones above are drawn in a process of their own.
    table, runs = job.played(settings)
    assert list(runs) == list(settings.schemes) == [line.split()[0] for line in table[1:]]
    assert all(run.steps == 2 for run in runs.values())


def test_lookahead_settings_of_game_and_flags():
    def lookahead(*arguments):
        settings = GameSettings.parse(["play_game.py", *arguments])
        return job.scheme_named("lookahead-rk4", settings.numbers)

    rk4 = tgs.RungeKutta(tgs.RK4)
    assert lookahead() == tgs.Lookahead(rk4, 6, 0.5)
    assert lookahead("--game=stochastic_problem") == tgs.Lookahead(rk4, 450, 0.3)
    assert lookahead("--sync_period=4", "--slow_step_size=0.2") == tgs.Lookahead(rk4, 4, 0.2)


@pytest.mark.parametrize("arguments", [["--game=bilinaer"], ["--schemes=rk5"], ["--help"]])
def test_flags_are_checked_before_tensorflow_is_imported(arguments):
    program = (
        "import sys; from tfgan_stab.cli import main; "
        f"code = main.run('play_game', ['play_game.py', *{arguments}]); "
        "sys.exit(99 if 'tensorflow' in sys.modules or 'matplotlib' in sys.modules else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == (0 if arguments == ["--help"] else 2), done.stderr
    if done.returncode:
        assert done.stderr.startswith("error: --") and "Did you mean" in done.stderr


def test_help(capsys):
    assert main.run("play_game", ["play_game.py", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("--game", "--schemes", "--step_size", "--steps", "--output", "--[no]animate"):
        assert name in shown
    assert "play_game.py --game=bilinear --schemes=euler,extragradient,rk4,lookahead" in shown


def test_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main.run("play_game", ["play_game.py", f"--output={tmp_path}/file/x"]) == 1
    assert capsys.readouterr().err.startswith("error: Cannot write to --output")
