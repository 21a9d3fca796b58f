"""What every command does with its errors: messages, exit codes, tracebacks."""

import pytest

from tfgan_stab.cli import common, main


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
