"""Gin files from elsewhere compute and do nothing else, unless they are trusted by a flag."""

import sys

import pytest
from stand_in_runs import parse, write

from tfgan_stab.cli import main
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.config.gin import ConfigError

TGS = "import tfgan_stab as tgs\n"
KERAS = "import keras\n"
MARKER = "marker"


@pytest.fixture(autouse=True)
def hostile_module(folder, monkeypatch):
    """A module beside the gin file, found as scripts of a working folder find theirs."""
    text = f"import pathlib\npathlib.Path({MARKER!r}).touch()\ndef network(): return 1\n"
    (folder / "hostile.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("hostile", None)


# Each would write the marker, or load and write files of its own choice.
IMPORTS = [
    ("import hostile\n", "attack.gin:2: `import hostile` would run the code of hostile."),
    ("import subprocess\n", "`import subprocess` would run the code of subprocess."),
    ("from os import path as tgs\n", "`from os import path as tgs` would run the code of os."),
    ("import os as keras\n", "`import os as keras` would run the code of os."),
    ("import tfgan_stab.cli.__main__\n", "would run the code of tfgan_stab"),
    ("import numpy as np\n", "would run the code of numpy"),
    ("import tensorflow as tf\n", "would run the code of tensorflow"),
    ("import kerasx\n", "would run the code of kerasx"),
]
REFERENCES = [
    (TGS, "tgs.cli.workdir.os.system", "posix.system"),
    (TGS, "tgs._utils.files.write_atomically", "tfgan_stab._utils.files.write_atomically"),
    (TGS, "tgs.callbacks.checkpoint_files.shutil.rmtree", "shutil"),
    (TGS, "tgs.cli.main.run", "tfgan_stab.cli.main.run"),
    (TGS, "tgs.cli.config.gin.parse", "tfgan_stab.cli.config.gin.parse"),
    (TGS, "tgs.GAN.save_weights", "Saving.save_weights"),
    (TGS, "tgs.callbacks.SampleGrid", "tfgan_stab.callbacks.sample_grid.SampleGrid"),
    (TGS, "tgs.RK4", "a Tableau"),
    (TGS, "tgs.data", "a module"),
    (KERAS, "keras.utils.get_file", "keras.src.utils.file_utils.get_file"),
    (KERAS, "keras.saving.load_model", "keras.src.saving.saving_api.load_model"),
    (KERAS, "keras.layers.TFSMLayer", "keras.src.export.tfsm_layer.TFSMLayer"),
    (KERAS, "keras.layers.Lambda", "keras.src.layers.core.lambda_layer.Lambda"),
    (KERAS, "keras.optimizers.deserialize", "keras.src.optimizers.deserialize"),
    (KERAS, "keras.optimizers.Adam.from_config", "BaseOptimizer.from_config"),
    (KERAS, "keras.activations.get", "keras.src.activations.get"),
    ("import keras.src.saving as x\n", "x.saving_lib.zipfile.ZipFile", "zipfile"),
]
# None of them imports anything more.
WITHOUT_IMPORTS = [
    ("os.system", "begins with `os`, which nothing here imports"),
    ("gin.singleton", "begins with `gin`, which nothing here imports"),
    ("gin.parse_config", "begins with `gin`, which nothing here imports"),
]


@pytest.mark.parametrize(("line", "message"), IMPORTS)
def test_other_packages_are_not_imported(folder, line, message):
    write(folder, "attack.gin", line)
    with pytest.raises(ConfigError, match="If you trust this file .*--gin_unsafe_imports") as told:
        configuring.parse(["attack.gin"])
    assert message in str(told.value)
    with pytest.raises(ConfigError, match=r"^--gin_param=import .*|^--gin_param=from "):
        configuring.parse(["runs/digits.gin"], [line.strip()])
    assert "hostile" not in sys.modules and not (folder / MARKER).exists()


@pytest.mark.parametrize(("line", "name", "received"), REFERENCES)
def test_only_what_computes_may_be_called(folder, line, name, received):
    write(folder, "attack.gin", f"{TGS}{line}tgs.train.data = @{name}()\n")
    with pytest.raises(
        ConfigError, match=f"attack.gin:.*`{name}` must be a public network"
    ) as told:
        configuring.parse(["attack.gin"])
    assert received in str(told.value)


@pytest.mark.parametrize(("name", "message"), WITHOUT_IMPORTS)
def test_nothing_is_called_that_is_not_imported(folder, name, message):
    write(folder, "attack.gin", f"{TGS}tgs.train.data = @{name}()\n")
    with pytest.raises(ConfigError, match=message):
        configuring.parse(["attack.gin"])


def test_settings_are_checked_as_references_are(folder):
    block = f"{TGS}tgs._utils.files.write_atomically:\n  path = 'marker'\n"
    for text in (block, f"{TGS}tgs._utils.files.write_atomically.path = 'marker'\n"):
        write(folder, "attack.gin", text)
        with pytest.raises(ConfigError, match="write_atomically` must be a public network"):
            configuring.parse(["attack.gin"])


@pytest.mark.parametrize(
    "setting",
    [
        "tgs.evaluation.Inception.path = 'https://example.com/module'",
        "tgs.evaluation.DigitsClassifier.directory = '../elsewhere'",
        "tgs.callbacks.DivergenceGuard.directory = '../elsewhere'",
        "tgs.callbacks.DivergenceGuard.directory = %place\nplace = '../elsewhere'",
    ],
)
def test_programs_and_folders_are_not_named(folder, setting):
    write(folder, "attack.gin", TGS + setting)
    name = setting.partition(" ")[0]
    with pytest.raises(ConfigError, match=f"`{name}` must be left as it is: it names"):
        configuring.parse(["attack.gin"])
    write(folder, "harmless.gin", f"{TGS}{name} = None\n")  # As recorded settings have it.
    configuring.parse(["harmless.gin"])
    parse(["attack.gin"])


@pytest.mark.parametrize(
    "bindings",
    [
        ["import keras.utils as x\nx.get_file.origin = 'u'", "import keras.optimizers as x"],
        ["import keras.optimizers as tgs"],
    ],
)
def test_a_name_stands_for_one_module(folder, bindings):
    """Else it would be checked as the one, and called as the other."""
    with pytest.raises(ConfigError, match="stands for another module already"):
        configuring.parse(["runs/digits.gin"], bindings)
    lines = ["import keras.utils as x", "x.get_file.origin = 'u'", "import keras.optimizers as x"]
    write(folder, "attack.gin", "\n".join(lines) + "\n")
    with pytest.raises(ConfigError, match="attack.gin:4: `x` stands for another module already"):
        configuring.parse(["attack.gin"])


def test_what_trainings_are_made_of_may_be_used(folder):
    text = f"""{TGS}{KERAS}
    from keras import initializers
    tgs.train.generator_optimizer = @keras.optimizers.Adam()
    keras.optimizers.Adam.learning_rate = @keras.optimizers.schedules.CosineDecay()
    tgs.train.data = @tgs.data.digits()
    tgs.train.latents = @tgs.data.latents.Sphere()
    tgs.train.generator = @tgs.networks.mlp_generator
    tgs.networks.mlp_generator.activation = @keras.activations.relu
    tgs.train.discriminator = @initializers.HeNormal
    tgs.train.penalties = [@tgs.R1(), @tgs.game.penalties.FlipAndShift()]
    tgs.train.augment = @tgs.augment.Adaptive()
    tgs.train.guard = @tgs.callbacks.DivergenceGuard()
    tgs.train.scores = [@tgs.FID, @tgs.evaluation.Inception]
    tgs.train.averages = {{"ema": @tgs.averaging.ExponentialAverage()}}
    """
    write(folder, "own.gin", text)
    configuring.parse(["own.gin"])


def hostile_run(folder):
    (folder / "run").mkdir()
    write(folder, "run/config.gin", f"{TGS}import hostile\n")
    return folder / "run"


def commands(folder):
    run = hostile_run(folder)
    yield "train", [f"--gin_file={run}/config.gin", "--workdir=new"]
    yield "train", [f"--gin_file={run}/config.gin", "--dry_run"]
    yield "sample", [f"--source={run}", "--output=samples"]
    yield "evaluate", [f"--source={run}", "--scores=ms_ssim", "--real=digits"]


def test_every_command_refuses_until_it_is_told_to_trust(folder, capsys):
    for name, flags in commands(folder):
        assert main.run(name, [name, *flags]) == 1
        told = capsys.readouterr().err
        assert "`import hostile` would run the code of hostile" in told, name
        assert not (folder / MARKER).exists() and not (folder / "new").exists()
        assert main.run(name, [name, *flags, "--gin_unsafe_imports"]) == 1
        assert "No gin file sets" in capsys.readouterr().err, name
        (folder / MARKER).unlink()
        sys.modules.pop("hostile")


def test_the_flag_is_refused_where_no_gin_file_is_read(folder, capsys):
    (folder / "pictures").mkdir()
    flags = ["--source=pictures", "--output=samples", "--gin_unsafe_imports"]
    assert main.run("sample", ["sample", *flags]) == 2
    assert "--gin_unsafe_imports has no effect: it is for a workdir" in capsys.readouterr().err
