"""What every command does with its errors: messages, exit codes, tracebacks."""

import os
import pathlib
import subprocess
import sys

import pytest

from tfgan_stab.cli import common, main

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError("disk full"), 1, "error: disk full\n--traceback shows where.\n"),
        (KeyboardInterrupt(), 130, "error: Interrupted. Try again.\n"),
    ],
)
def test_exit_codes(capsys, error, code, message):
    def work(settings):
        raise error

    flags = main._COMMANDS["play_game"].flags
    command = common.Command(flags, work, (OSError,), "Try again.")
    assert common.run(command, ["program"]) == code
    assert capsys.readouterr().err == message
    if code == 1:
        with pytest.raises(OSError, match="disk full"):
            common.run(command, ["program", "--traceback"])


def test_unexpected_errors_are_raised():
    def work(settings):
        raise LookupError("a bug")

    command = common.Command(main._COMMANDS["play_game"].flags, work, (OSError,), "")
    with pytest.raises(LookupError, match="a bug"):
        common.run(command, ["program"])


@pytest.mark.parametrize("flags", [[], ["--help"]])
def test_a_command_ends_silently_where_nobody_reads_what_it_prints(flags):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "scripts/recipes.py", *flags]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_command_needs_no_standard_output(monkeypatch):
    """A shell's `>&-` closes it."""
    monkeypatch.setattr(sys, "stdout", None)
    command = common.Command(main._COMMANDS["play_game"].flags, lambda settings: None, (), "")
    assert common.run(command, ["program"]) == 0


def test_other_broken_pipes_are_errors(capsys):
    def work(settings):
        raise BrokenPipeError("a worker's")

    def command(*errors):
        return common.Command(main._COMMANDS["play_game"].flags, work, errors, "")

    with pytest.raises(BrokenPipeError, match="a worker's"):
        common.run(command(), ["program"])
    assert common.run(command(OSError), ["program"]) == 1
    assert capsys.readouterr().err == "error: a worker's\n--traceback shows where.\n"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("WARNING: All log messages before absl::InitializeLog() is called are ...", False),
        ("I0000 00:00:1795865503.081981   31813 port.cc:153] oneDNN custom operations", False),
        ("E0000 00:00:1795865503.081981   31813 cuda_dnn.cc:8] Unable to register cuDNN", False),
        ("E0000 00:00:1795865503.081981   31813 other.cc:8] out of memory", True),
        ("ImportError: libcudart", True),
    ],
)
def test_of_what_tensorflow_logs_at_its_start_errors_remain(line, shown, capfd):
    with common._lines_left_out(common._is_noise):
        os.write(2, f"{line}\n".encode())
    os.write(2, b"later\n")
    assert capfd.readouterr().err == (f"{line}\n" if shown else "") + "later\n"


@pytest.mark.parametrize("there", [False, True])
def test_a_failing_driver_is_named_where_there_is_one(there, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "exists", lambda path: there)
    line = "E0000 00:00:17.1 3 cuda_platform.cc:52] failed call to cuInit: INTERNAL"
    assert common._is_noise(line) is not there


def test_lines_come_through_where_the_import_fails(capfd):
    with (
        pytest.raises(ImportError, match="no TensorFlow"),
        common._lines_left_out(common._is_noise),
    ):
        os.write(2, b"the reason\n")
        raise ImportError("no TensorFlow")
    assert capfd.readouterr().err == "the reason\n"
