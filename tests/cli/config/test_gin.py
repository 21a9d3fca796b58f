"""Settings reach what they name, or are refused with the name that was meant."""

import re

import gin
import pytest
from stand_in_runs import parse, run, write

from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.config.gin import ConfigError


def test_files_set_arguments_of_undecorated_functions_and_classes(folder):
    epochs, part, rate, _ = run()
    assert (epochs, part.size, rate) == (3, 5, 0.1)


def test_bindings_override_files_and_use_their_imports(folder):
    epochs, part, rate, _ = run("epochs = 7", "stand_in.run.rate = 0.5")
    assert (epochs, part.size, rate) == (7, 5, 0.5)


def test_later_files_override_earlier_ones(folder):
    write(folder, "more.gin", "import stand_in\ngenerator/stand_in.Part.size = 8\n")
    assert run(files=("run.gin", "more.gin"))[1].size == 8
    assert run(files=("more.gin", "run.gin"))[1].size == 5


def test_included_files_are_overridden_by_those_that_include_them(folder):
    write(folder, "long.gin", 'include "run.gin"\nepochs = 100\n')
    assert run(files=("long.gin",))[0] == 100


def test_file_of_includes_and_macros_needs_no_imports(folder):
    (folder / "long.gin").write_text('include "run.gin"\nepochs = 100\n')
    assert run(files=("long.gin",))[0] == 100


def test_parse_replaces_the_previous_configuration(folder):
    run("stand_in.run.rate = 0.5")
    assert run()[2] == 0.1


def test_files_are_found_in_gin_configs_from_any_folder(folder):
    found = configuring.find_file("gin_configs/runs/digits.gin")
    assert found == configuring.find_file("runs/digits.gin")
    assert found.is_file()
    configuring.parse(["runs/digits.gin"])  # Its includes are found too.
    assert "batch_size = 64" in gin.config_str()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_files_as_editors_on_windows_write_them(folder, mark, ending):
    def rewrite(source, target):
        lines = (folder / source).read_bytes().splitlines()
        (folder / target).write_bytes(mark + ending.join([*lines, b""]))

    rewrite("run.gin", "inner.gin")
    write(folder, "outer.gin", 'include "inner.gin"\nimport stand_in\nstand_in.run.rate = 0.25\n')
    rewrite("outer.gin", "outer.gin")
    epochs, part, rate, _ = run(files=("outer.gin",))
    assert (epochs, part.size, rate) == (3, 5, 0.25)
    write(folder, "wrong.gin", "stand_in.run.epochs = = 4\n")
    rewrite("wrong.gin", "wrong.gin")
    with pytest.raises(ConfigError, match="wrong.gin:2: not gin syntax"):
        configuring.read(["wrong.gin"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_files_in_wide_characters_are_refused(folder, encoding):
    (folder / "wide.gin").write_bytes((folder / "run.gin").read_text().encode(encoding))
    message = "Expected wide.gin to be a text file in UTF-8. Received: .* Save it as UTF-8"
    with pytest.raises(ConfigError, match=message) as refused:
        run(files=("wide.gin",))
    assert ("UTF-16, as some editors" in str(refused.value)) == (encoding in ("utf-16", "utf-32"))


@pytest.mark.parametrize(
    "name", ["lr=[1,2]", "with space", "日本", "#1", "100%", "{y}", "a\\b", "~"]
)
def test_files_may_have_any_name(folder, name, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "home"))
    path = folder / "home" / "run.gin" if name == "~" else folder / name / f"{name}.gin"
    path.parent.mkdir()
    path.write_text((folder / "run.gin").read_text())
    given = "~/run.gin" if name == "~" else f"{name}/{name}.gin"
    write(folder, "outer.gin", f"include {given!r}\nimport stand_in\nstand_in.run.rate = 0.25\n")
    assert run(files=(given,))[0] == 3
    assert run(files=("outer.gin",))[2] == 0.25


def test_lines_are_those_that_gin_counts(folder):
    """A form feed or a line separator in a comment ends no line."""
    text = '# One.\f Two.\u2028 Three.\x85\ninclude "run.gin"\nepochs = 100\n'
    (folder / "long.gin").write_text(text, encoding="utf-8")
    assert run(files=("long.gin",))[0] == 100


def test_wrong_syntax_in_a_file(folder):
    write(folder, "wrong.gin", "import stand_in\nstand_in.run.epochs = = 4\n")
    with pytest.raises(ConfigError, match=r"wrong.gin:3: not gin syntax"):
        configuring.read(["wrong.gin"])


def test_missing_file(folder):
    with pytest.raises(ConfigError, match=r"no gin file 'gin_configs/runs/digit.gin'.*digits.gin"):
        configuring.read(["gin_configs/runs/digit.gin"])


def test_missing_included_file(folder):
    write(folder, "outer.gin", 'include "absent.gin"\n')
    with pytest.raises(ConfigError, match=r"outer.gin:2: There is no gin file 'absent.gin'"):
        configuring.read(["outer.gin"])


def test_files_that_include_each_other(folder):
    write(folder, "one.gin", 'include "two.gin"\n')
    write(folder, "two.gin", 'include "one.gin"\n')
    with pytest.raises(ConfigError, match="two.gin includes one.gin, which includes it in turn"):
        configuring.read(["one.gin"])


def test_include_below_a_setting(folder):
    write(folder, "late.gin", 'epochs = 4\ninclude "run.gin"\n')
    with pytest.raises(ConfigError, match=r"late.gin:3: `include` must come before"):
        configuring.read(["late.gin"])


def test_file_that_is_not_text(folder):
    (folder / "image.gin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="Expected image.gin to be a text file in UTF-8. Receiv"):
        configuring.read(["image.gin"])


def test_required_value_that_is_not_set(folder):
    with pytest.raises(ConfigError, match="run.rate set to `%gin.REQUIRED` but not"):
        run("stand_in.run.rate = %gin.REQUIRED")


def test_argument_without_default_that_is_not_set(folder):
    write(folder, "part.gin", "import stand_in\nstand_in.run.rate = 0.2\n")
    with pytest.raises(ConfigError, match="No gin file sets `stand_in.run.epochs`. Begin with a"):
        run(files=("part.gin",))


def test_operative_text_repeats_the_run(folder):
    run("stand_in.run.rate = 0.25", "epochs = 9")
    text = configuring.operative_text()
    (folder / "config.gin").write_text(text)
    epochs, part, rate, _ = run(files=("config.gin",))
    assert (epochs, part.size, rate) == (9, 5, 0.25)
    assert configuring.operative_text() == text


def test_operative_text_leaves_out_unused_settings(folder):
    run("stand_in.run.part = None")
    assert "Part.size" not in configuring.operative_text()


def refuses(binding):
    """Whether a binding is refused as one that has no effect."""
    try:
        configuring.check_used([binding])
    except ConfigError as error:
        assert str(error).startswith(f"--gin_param={binding} has no effect: this run does not use")
        return True
    return False


def test_unused_bindings_are_refused(folder):
    used, unused = "stand_in.run.rate = 0.5", "stand_in.Part.size = 2"
    run("stand_in.run.part = None", used, unused)
    assert refuses(unused) and not refuses(used)
    with pytest.raises(ConfigError, match="--gin_param=stand_in.Part.size = 2 has no effect"):
        configuring.check_used([used, unused])


def test_macros_of_unused_settings_are_refused(folder):
    write(folder, "size.gin", "import stand_in\nsize = 5\ngenerator/stand_in.Part.size = %size\n")
    bindings = ["size = 6", "epochs = 4"]
    run("stand_in.run.part = None", *bindings, files=("run.gin", "size.gin"))
    assert [refuses(binding) for binding in bindings] == [True, False]


def test_bindings_for_a_scope_that_is_not_entered_are_refused(folder):
    write(folder, "other.gin", "import stand_in\nstand_in.run.part = @other/stand_in.Part()\n")
    binding = "other/stand_in.Part.size = 2"
    run(binding, files=("other.gin", "run.gin"))
    assert refuses(binding)
    run(binding, files=("run.gin", "other.gin"))
    assert not refuses(binding)


def test_bindings_without_a_scope_reach_into_scopes(folder):
    binding = "stand_in.Part.size = 2"
    run(binding, "stand_in.run.part = @other/stand_in.Part()")
    assert not refuses(binding)


def test_bindings_that_a_deeper_scope_overrides_are_refused(folder):
    binding = "stand_in.Part.size = 2"
    assert run(binding)[1].size == 5
    assert refuses(binding)


def test_differences_ignore_comments_imports_order_and_line_breaks():
    previous = "import a\n# Words\nf.x = 1\nf.y = \\\n    [1,\n     2]\n"
    latter = "import b\nf.y = [1, 2]\n\nf.x = 1"
    assert configuring.differences(previous, latter) == []


def test_differences_show_changed_added_and_removed_settings():
    assert configuring.differences("f.x = 1\nf.y = 2", "f.x = 3\ng/f.z = 4") == [
        "f.x: 1 -> 3",
        "f.y: 2 -> (not set)",
        "g/f.z: (not set) -> 4",
    ]


def test_plain_message_drops_gins_list_of_calls(folder):
    write(folder, "fails.gin", "import fails\nfails.fail.x = 3\n")
    parse(["fails.gin"])
    import fails

    with pytest.raises(ValueError, match=re.escape("x is 3.")) as caught:
        configuring.configured(fails.fail)()
    assert "In call to" in str(caught.value)
    assert configuring.plain_message(caught.value) == "x is 3."


def test_arguments_are_found_without_calling_the_function(folder):
    import stand_in

    parse(["run.gin"], ["stand_in.run.rate = 0.5"])
    found = configuring.arguments(stand_in.run, ["epochs", "rate", "workdir"])
    assert found == {"epochs": 3, "rate": 0.5}
    part = configuring.arguments(stand_in.run, ["part"])["part"]
    assert isinstance(part, stand_in.Part) and part.size == 5
    assert configuring.arguments(stand_in.run, ["part"])["part"] is not part


def test_arguments_without_default_must_be_set(folder):
    import stand_in

    write(folder, "less.gin", "import stand_in\nstand_in.run.rate = 0.5\n")
    parse(["less.gin"])
    assert configuring.arguments(stand_in.run, ["rate", "part"]) == {"rate": 0.5}
    with pytest.raises(ConfigError, match="No gin file sets `stand_in.run.epochs`"):
        configuring.arguments(stand_in.run, ["epochs", "rate"])


def test_settings_that_an_earlier_version_lacks_may_have_their_default():
    previous, current = "run.epochs = 3", "run.epochs = 3\nrun.rate = 0.5\nrun.depth = 2"
    assert configuring.differences(previous, current, {"run.rate", "run.depth"}) == []
    found = configuring.differences(previous, current, {"run.rate"})
    assert found == ["run.depth: (not set) -> 2"]
    # What the earlier one set to something else is a difference, default or not.
    assert configuring.differences("run.rate = 1.0", "run.rate = 0.5", {"run.rate"}) != []


@pytest.fixture
def call(folder):
    """A function of bindings that returns the call which makes `part`, without making it."""
    from stand_in import run as function

    def call(*bindings):
        parse(["run.gin"], bindings)
        return configuring.asked_call(function, "part")

    return call


def test_call_is_told_and_not_made(call, monkeypatch):
    import stand_in

    monkeypatch.setattr(stand_in.Part, "__init__", lambda self, **_: pytest.fail("called"))
    asked = call()
    assert (asked.text, asked.settings) == ("@generator/stand_in.Part()", {"size": 5})
    assert asked.function is stand_in.Part


def test_call_behind_macros_has_settings_of_its_own_scope(call):
    made = ["part = %other", "other = @stand_in.Part()", "stand_in.Part.size = %epochs"]
    asked = call("stand_in.run.part = %part", *made)
    assert (asked.text, asked.settings) == ("@stand_in.Part()", {"size": 3})


@pytest.mark.parametrize("value", ["3", "@stand_in.Part", "None"])
def test_what_is_no_call_is_refused(call, value):
    with pytest.raises(ConfigError, match=f"`part` must be what a function ret.*Received: {value}"):
        call(f"stand_in.run.part = {value}", "generator/stand_in.Part.size = 1")


def test_settings_that_were_read_count_as_used(call):
    from stand_in import Part

    binding = "generator/stand_in.Part.size = 7"
    asked = call(binding)
    with pytest.raises(ConfigError, match="has no effect"):
        configuring.check_used([binding])
    configuring.check_used([binding], known=(asked.function,))
    with pytest.raises(ConfigError, match="rate = 1 has no effect"):
        configuring.check_used(["stand_in.run.rate = 1"], known=(Part,))


def test_setting_of_what_a_value_refers_to(folder):
    parse(["run.gin"], ["stand_in.run.rate = @stand_in.Part", "stand_in.Part.size = 4"])
    import stand_in

    made = configuring.arguments(stand_in.run, ["rate"])["rate"]
    assert configuring.setting(made, "size") == configuring.setting(stand_in.Part, "size") == 4
    assert configuring.setting(stand_in.run, "epochs") == 3
    assert configuring.setting(stand_in.run, "workdir") is None
    assert configuring.setting(print, "end") is None


def test_shipped_files():
    both = configuring.shipped_files("updates/*.gin", "*/rk4.gin")
    assert configuring.find_file("updates/rk4.gin") in both and both == sorted(set(both))
    assert configuring.shipped_files("nothing/*.gin") == []
