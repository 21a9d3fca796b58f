"""Names in gin files and bindings that stand for nothing are refused with the nearest ones."""

import pytest
from stand_in_runs import run, write

from tfgan_stab.cli.config.gin import ConfigError


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("stand_in.run.epoch = 3", "`stand_in.run` has no argument `epoch`. Did you mean `epochs`"),
        ("stand_in.rum.epochs = 3", "`stand_in` has no `rum`. Did you mean `run`"),
        ("standin.run.epochs = 3", "begins with `standin`, which nothing here imports. Did you"),
        ("stand_in.Part.sizes = 3", "`stand_in.Part` has no argument `sizes`. Did you mean `size`"),
        ("generater/stand_in.Part.size = 3", "no value refers to `@generater/...`.*`generator`"),
        ("epoch = 3", "`epoch` is set, but no value uses `%epoch`. Did you mean `epochs`"),
        ("stand_in.run.rate = %epoch", "`%epoch` is set nowhere. Did you mean `epochs`"),
        ("stand_in.run.part = @stand_in.Prt()", "has no `Prt`. Did you mean `Part`"),
        ("stand_in.epochs = 3", "`stand_in` is a module; only arguments of functions and classes"),
        ("epochs = three", "not gin syntax"),
        ("epochs", "not gin syntax"),
        ("epochs = (3", "not gin syntax"),
        ('include "run.gin"', "name it with --gin_file instead"),
    ],
)
def test_wrong_bindings(folder, binding, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run(binding)
    assert str(caught.value).startswith(f"--gin_param={binding}")


def test_wrong_name_in_a_file(folder):
    write(folder, "wrong.gin", "import stand_in\n\nstand_in.run.epoch = 4\n")
    with pytest.raises(ConfigError, match=r"wrong.gin:4: `stand_in.run` has no argument `epoch`"):
        run(files=("run.gin", "wrong.gin"))


def test_wrong_name_in_an_indented_block(folder):
    write(folder, "block.gin", "import stand_in\nstand_in.run:\n  epoch = 4\n")
    with pytest.raises(ConfigError, match=r"block.gin:4: .* no argument `epoch`"):
        run(files=("block.gin",))


def test_module_that_cannot_be_imported(folder):
    write(folder, "wrong.gin", "import no_such_module\n")
    with pytest.raises(ConfigError, match=r"wrong.gin:2: `import no_such_module` fails: No module"):
        run(files=("wrong.gin",))


def test_file_without_dynamic_registration(folder):
    (folder / "plain.gin").write_text("import stand_in\nstand_in.run.epochs = 3\n")
    with pytest.raises(ConfigError, match="plain.gin must begin with `from __gin__ import"):
        run(files=("plain.gin",))
