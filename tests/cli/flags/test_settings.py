"""Flags that are fields of settings: defaults, conversions, limits, help."""

import dataclasses
import pathlib

import pytest
from absl import flags as absl_flags

from tfgan_stab.cli.flags.settings import Settings, check_choices, flag, path


@dataclasses.dataclass(frozen=True)
class Example(Settings):
    usage = "Does something.\n\n  {program} --count=3\n"
    example = "--count={}"

    count: int = flag(absl_flags.DEFINE_integer, 2, "How many.", lower_bound=1)
    names: tuple[str, ...] = flag(absl_flags.DEFINE_list, ("a", "b"), "Which.")
    several: tuple[str, ...] = flag(absl_flags.DEFINE_multi_string, (), "What else.")
    output: pathlib.Path = flag(absl_flags.DEFINE_string, pathlib.Path("x"), "Where.", convert=path)
    needed: str = flag(absl_flags.DEFINE_string, "", "Why.", missing="it says why. Try --needed=y.")


def parse(*arguments):
    return Example.parse(["program", *arguments])


def test_fields_keep_their_defaults():
    settings = parse("--needed=y")
    assert settings == Example(given=frozenset({"needed"}), needed="y")
    assert (settings.count, settings.names, settings.several) == (2, ("a", "b"), ())
    assert (settings.output, settings.traceback) == (pathlib.Path("x"), False)


def test_flags_set_the_fields_of_their_names():
    settings = parse(
        *("--needed=y", "--count=3", "--names=c,d", "--several=e", "--several=f,g"),
        *("--output=~/z", "--traceback"),
    )
    assert (settings.count, settings.names, settings.several) == (3, ("c", "d"), ("e", "f,g"))
    assert settings.output == pathlib.Path.home() / "z" and settings.traceback
    assert settings.given == {"needed", "count", "names", "several", "output", "traceback"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--needed is missing: it says why. Try --needed=y."),
        (["--needed="], "--needed is missing"),
        (["--needed=y", "3"], "Unexpected '3': every argument is a flag, such as --count=3."),
        (["--needed=y", "--count=0"], "--count=0: 0 is not a positive integer"),
        (["--needed=y", "--conut=3"], "Unknown command line flag 'conut'. Did you mean: count"),
    ],
)
def test_wrong_flags(arguments, message):
    with pytest.raises(absl_flags.Error, match=message):
        parse(*arguments)


@pytest.mark.parametrize("help_flag", ["--help", "-h"])
def test_help_needs_no_other_flag(help_flag):
    assert parse(help_flag) is None
    shown = Example.help_text("program")
    assert shown.startswith("Does something.\n\n  program --count=3\n\nFlags:\n")
    for name in ("--count: How many.", "-h,--[no]help", "--[no]traceback", "(default: 'a,b')"):
        assert name in shown
    assert "tfgan_stab" not in shown


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["fdi"], "--scores: there is no 'fdi'. Did you mean `fid`?"),
        ([], "--scores=: name one or several, each once"),
        (["fid", "fid"], "--scores=fid,fid: name one or several, each once"),
    ],
)
def test_lists_of_names(values, message):
    with pytest.raises(absl_flags.Error, match=message):
        check_choices("scores", values, ["fid", "kid"])


def test_lists_of_unknown_names():
    check_choices("weights", ["live", "anything"])
    with pytest.raises(absl_flags.Error, match="--weights=live,: name one or several"):
        check_choices("weights", ["live", ""])
