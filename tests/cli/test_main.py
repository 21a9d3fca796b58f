"""The commands' entry points: scripts, the module, and what `setup.py` installs."""

import importlib
import pathlib
import re
import subprocess
import sys

import pytest

from tfgan_stab.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = ("train", "evaluate", "sample", "play_game", "recipes")
INSTALLED = dict(re.findall(r'"tfgan-stab-([\w-]+)=([\w.]+:\w+)"', (ROOT / "setup.py").read_text()))


def output(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False
    )
    return done.returncode, done.stderr.splitlines()[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_script_and_module_are_the_same_program(tmp_path, command):
    wrong = "error: Unknown command line flag 'hepl'. Did you mean: help ?"
    for program in ([ROOT / "scripts" / f"{command}.py"], ["-m", "tfgan_stab.cli", command]):
        assert output(*program, "--hepl", cwd=tmp_path) == (2, wrong)


def test_installed_commands(monkeypatch):
    assert set(INSTALLED) == {name.replace("_", "-") for name in COMMANDS}
    asked = []
    monkeypatch.setattr(main, "run", lambda name, arguments: asked.append((name, arguments)) or 7)
    monkeypatch.setattr(sys, "argv", ["program", "--flag"])
    for name, target in INSTALLED.items():
        module, _, function = target.partition(":")
        with pytest.raises(SystemExit, match="7"):
            getattr(importlib.import_module(module), function)()
        assert asked.pop() == (name.replace("-", "_"), ["program", "--flag"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: Usage: python -m tfgan_stab.cli train|evaluate|sample|play_game|recipes"),
        (["--help"], "error: Usage: python -m tfgan_stab.cli train|"),
        (["trian"], "error: There is no command 'trian'. Did you mean `train`?\nUsage: python -m"),
    ],
)
def test_wrong_command(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["__main__.py", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main.main()
    assert capsys.readouterr().err.startswith(message)


def test_module_names_itself_in_help(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["__main__.py", "train", "--help"])
    with pytest.raises(SystemExit, match="0"):
        main.main()
    assert "\n  python -m tfgan_stab.cli train --gin_file=" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing_that_is_slow_to_import(command):
    """TensorFlow alone would take seconds: help is there within one."""
    code = f"""if True:
        import sys
        from tfgan_stab.cli import main
        main.run({command!r}, ["program", "--help"])
        assert not {{"keras", "numpy", "tensorflow"}} & set(sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--" in done.stdout, done.stderr
