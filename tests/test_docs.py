"""What the pages in docs/ say holds: the walk of a step, and the code that users copy."""

import dataclasses
import inspect
import pathlib
import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.cli.flags.evaluate import EvaluateSettings
from tfgan_stab.cli.flags.play_game import GameSettings
from tfgan_stab.cli.flags.recipes import RecipesSettings
from tfgan_stab.cli.flags.sample import SampleSettings
from tfgan_stab.cli.flags.train import TrainSettings
from tfgan_stab.training import gradient_check

ROOT = pathlib.Path(__file__).resolve().parent.parent
WALK = ROOT / "docs" / "how_one_step_works.md"
PENALTY = ROOT / "docs" / "write_your_own_penalty.md"
TAKES = ROOT / "docs" / "what_fit_takes.md"
NETWORKS = ROOT / "docs" / "networks.md"
DATA = ROOT / "docs" / "data.md"
PACKAGE = pathlib.Path(tgs.__file__).resolve().parent


def point_gan(**settings):
    """A GAN on points, compiled to run without graphs."""
    gan = tgs.GAN(
        tgs.networks.mlp_generator(latents=2, width=4),
        tgs.networks.mlp_discriminator(width=4),
        latents=2,
    )
    optimizers = [keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3)]
    gan.compile(*optimizers, run_eagerly=True, **settings)
    return gan


def entered(gan):
    """The package's files that one step enters, in the order in which they are first entered."""
    gan.start_over()
    order = []

    def profile(frame, event, argument):
        path = pathlib.Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            name = path.relative_to(PACKAGE).as_posix()
            if name not in order:
                order.append(name)

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        gan.train_step(tf.zeros([4 * gan.scheme.minibatches, 2]))
    finally:
        sys.setprofile(previous)
    return order


def documented_walk():
    table = WALK.read_text(encoding="utf-8").split("## The walk")[1].split("Penalties, top-k")[0]
    return re.findall(r"^\| `([\w/.]+)` \|", table, re.MULTILINE)


@pytest.mark.slow
def test_a_step_enters_the_files_that_the_page_lists():
    found = entered(point_gan(averages={"ema": tgs.ExponentialAverage(0.9)}))
    assert set(found) == set(documented_walk()) and len(found) == 13


@pytest.mark.slow
def test_what_is_not_used_is_not_entered():
    plain = set(entered(point_gan()))
    full = set(
        entered(
            point_gan(
                scheme=tgs.RungeKutta("rk4"),
                penalties=[tgs.R1(1.0), tgs.GeneratorGradientNorm(0.1)],
                top_k=tgs.TopK(),
            )
        )
    )
    assert full - plain == {
        "updates/runge_kutta.py",
        "game/penalties/base.py",
        "game/penalties/input_gradient.py",
        "game/penalties/weight_gradient.py",
        "game/top_k.py",
        "updates/scheme.py",
    }


def test_the_page_names_files_that_exist():
    text = WALK.read_text(encoding="utf-8")
    names = set(re.findall(r"`([\w/]+\.py)`", text)) - {"input_gradient.py"}
    assert names and [name for name in sorted(names) if not (PACKAGE / name).is_file()] == []


def test_the_drawing_shows_all_rooms_in_order():
    drawing = WALK.read_text(encoding="utf-8").split("```")[1]
    rooms = re.findall(r"^(\w+) +\w", drawing, re.MULTILINE)
    assert sorted(rooms) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


@pytest.fixture(scope="module")
def penalties():
    """The names that the page on penalties defines, run as it stands."""
    names = {"__name__": "documented"}
    text = PENALTY.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, str(PENALTY), "exec"), names)
    return names


@pytest.mark.slow
def test_documented_penalties_are_logged(penalties):
    history = penalties["history"].history
    assert {"output_drift", "discriminator_gradient_norm"} <= history.keys()
    assert history["discriminator_gradient_norm"][0] > 0


@pytest.mark.slow
def test_documented_penalties_import_public_names_only(penalties):
    text = PENALTY.read_text(encoding="utf-8")
    assert re.findall(r"^\s*(?:from|import) tfgan_stab\S*(.*)$", text, re.MULTILINE) == [" as tgs"]


@pytest.mark.slow
def test_documented_output_drift_is_the_mean_of_squares(penalties):
    gan = point_gan(penalties=[penalties["OutputDrift"](weight=2.0)])
    images = tf.random.stateless_normal([8, 2], [0, 0])
    logits = gan.discriminator(images)
    logs = gan.train_on_batch(images, return_dict=True)
    expected = 2.0 * float(tf.reduce_mean(logits**2))
    assert float(logs["output_drift"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_the_page_on_pictures_runs_and_names_every_argument(capsys):
    text = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"__name__": "documented"}
    for block in blocks:
        exec(compile(block, "docs/pictures.md", "exec"), names)
    printed = re.findall(r"^print\(.*\)  # ([^:\n]*)", text, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == printed
    assert len(blocks) == len(printed) == 3
    arguments = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert arguments == list(inspect.signature(tgs.data.image_folder).parameters)


def test_the_page_on_training_counts_minibatches_and_evaluations_right():
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+\([^|]*\|[^|]*\|[^|]*)\|$", text, re.MULTILINE)
    assert len(rows) == 5
    names = {name: getattr(tgs.updates, name) for name in dir(tgs.updates)}
    for scheme, minibatches, evaluations in (row.split("|") for row in rows):
        for name in re.findall(r"(?:^|`)(\w+\([^`]*\))`", scheme):
            if "scheme" in name:
                continue
            made = eval(name.replace("=n", "=3"), {}, names)
            expected = [minibatches.split(";")[0], evaluations]
            numbers = [eval(each, {"n": 3}) for each in expected]
            assert [made.minibatches, made.evaluations] == numbers, name
    for scheme in (tgs.Extragradient(batches="fresh"), tgs.RungeKutta("rk4", batches="fresh")):
        name = type(scheme).__name__
        (row,) = (row for row in rows if row.startswith(name))
        assert int(row.split("|")[1].split(";")[1]) == scheme.minibatches
    assert {"UpSampling2D", "Resizing", "SpectralNormalization"} <= set(dir(tgs.networks))
    refused = {kind.__name__ for kind, *_ in gradient_check.KNOWN}
    assert all(f"`{name}`" in text for name in refused)


@pytest.mark.slow
def test_what_fit_takes_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "documented"}
    for block in re.findall(r"```python\n(.*?)```", TAKES.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(TAKES), "exec"), names)
    assert names["gan"].steps == 8
    assert names["images"].shape == (4, 8, 8, 1)
    outputs = names["Generator"]()([tf.zeros([3, 4]), tf.zeros([3], tf.int32)])
    assert outputs.shape == (3, 2)


@pytest.mark.slow
def test_documented_networks_are_made():
    names, text = {}, NETWORKS.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shapes = []
    for block in blocks:
        exec(compile(block, str(NETWORKS), "exec"), names)
        shapes.append((names["generator"].output_shape, names["discriminator"].output_shape))
    assert shapes == [((None, 8, 8, 1), (None, 1))] * 3


def test_every_network_is_documented():
    text = NETWORKS.read_text(encoding="utf-8")
    assert [n for n in dir(tgs.networks) if f"{n}`" not in text and "keras" not in n] == []


@pytest.mark.slow
def test_the_page_on_data_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = tf.io.encode_png(np.zeros([8, 8, 3], np.uint8))
    for number in range(40):
        tf.io.write_file(f"pictures/{number % 2}/{number}.png", picture)
    text = DATA.read_text(encoding="utf-8")
    names = {"__name__": "documented"}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, str(DATA), "exec"), names)
    printed = re.findall(r"^print\(.*\)  # (.*)$", text, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == printed and len(printed) == 3


RUN = ["--gin_file=gin_configs/runs/digits.gin", "--workdir=runs/digits"]


@pytest.mark.slow
def test_the_page_on_several_devices_runs_and_names_the_flag_s_values():
    text = (DATA.parent / "several_devices.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, "several_devices.md", "exec"), {"__name__": "documented"})
    kinds = re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)
    assert [TrainSettings.parse(["", f"--distribution={k}", *RUN]).distribution for k in kinds] == [
        "none",
        "mirrored",
        "multi_worker",
        "tpu",
    ]


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("train", TrainSettings),
        ("sample", SampleSettings),
        ("evaluate", EvaluateSettings),
        ("play_game", GameSettings),
        ("recipes", RecipesSettings),
    ],
)
def test_the_page_on_commands_lists_every_flag(command, settings):
    text = (DATA.parent / "commands.md").read_text(encoding="utf-8")
    table = text.split(f"\n## {command}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`--.*?) \|", table, re.MULTILINE)
    listed = re.findall(r"`--(\w+)`", " ".join(cells))
    flags = {field.name for field in dataclasses.fields(settings) if "define" in field.metadata}
    # Which the page names once, for all commands.
    assert sorted(listed) == sorted(flags - {"traceback"})


def test_the_readme_names_the_oldest_versions():
    oldest = (ROOT / "tests" / "constraints" / "lowest.txt").read_text(encoding="utf-8")
    bounds = (ROOT / "setup.py").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, text in (("TensorFlow", "tensorflow"), ("Keras", "keras")):
        (version,) = re.findall(rf"\b{name} ([\d.]+\d)\s+or later", readme)
        assert re.search(rf"\"{text}>={re.escape(version)}[\",]", bounds)
        assert re.search(rf"^{text}=={re.escape(version)}", oldest, re.MULTILINE)


def test_the_page_on_data_lists_sources_files_and_macros():
    text = DATA.read_text(encoding="utf-8")
    sources = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert set(sources) == {*tgs.data.registry.SETS, *tgs.data.registry.KINDS}
    rows = re.findall(r"^\| `(\w+)\.gin`.*? \|(.*)\|(.*)\|$", text, re.MULTILINE)
    files = {path.stem: path for path in (ROOT / "gin_configs" / "data").glob("*.gin")}
    assert {name for name, *_ in rows} == set(files) - {"digits"}
    of_recipes = {"image_size", "channels", "labels", "batch_size", "seed"}
    for name, required, own in rows:
        settings = files[name].read_text(encoding="utf-8").split("dynamic_registration")[1]
        defined = re.findall(r"^(\w+) = ", settings, re.MULTILINE)
        assert re.findall(r"`(\w+)`", own) == defined
        used = set(re.findall(r"%(\w+)", settings)) - set(defined) - of_recipes
        assert set(re.findall(r"`(\w+)`", required)) == used
