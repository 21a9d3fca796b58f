"""A dry run opens no data, leaves nothing behind, and says what the run would take."""

import contextlib
import functools
import importlib
import inspect
import io
import pathlib
import re
import tempfile
import types

import keras
import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.flags.train import TrainSettings
from tfgan_stab.cli.jobs import dry_run as job
from tfgan_stab.cli.workdir import Workdir
from tfgan_stab.game.validation import check_pair

LARGE = 2**40


def printed(command, *params, flags=(), code=0):
    """What a dry run prints, or its error."""
    output, errors = io.StringIO(), io.StringIO()
    arguments = [*command("unused", *params, flags=flags), "--dry_run"]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        assert main.run("train", arguments) == code, errors.getvalue()
    return output.getvalue() if code == 0 else errors.getvalue()


@pytest.fixture(scope="module")
def tried(command, tmp_path_factory):
    """A dry run of the digits where there are none: its table, and all that is left of it."""
    folder = tmp_path_factory.mktemp("here")
    digits = importlib.import_module("tfgan_stab.data.digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setattr(digits, "loaded_digits", lambda: pytest.fail("the digits were opened"))
        patch.setattr(job, "measure", functools.partial(job.measure, seconds=0.0))
        text = printed(command, "batch_size = 4", "seed = 3", "tgs.data.digits.seed = 4")
    # TensorFlow removes its own when the process ends.
    left = [path for path in folder.rglob("*") if "autograph" not in path.name]
    return dict(re.findall(r"^  (\w+) +(.+)$", text, re.MULTILINE)), left


@pytest.mark.slow
def test_nothing_is_left(tried):
    assert tried[1] == []


@pytest.mark.slow
def test_table_says_what_the_run_takes(tried):
    rows = tried[0]
    networks = tgs.networks.dcgan_generator, tgs.networks.dcgan_discriminator
    sizes = {"image_size": 8, "channels": 1, "base_size": 2, "width": 4}
    made = networks[0](latents=4, **sizes), networks[1](**sizes)
    for name, network in zip(("generator", "discriminator"), made, strict=True):
        statistics = sum(int(np.prod(each.shape)) for each in network.non_trainable_weights)
        count = network.count_params() - statistics
        assert rows[name] == f"{count:,} parameters"
    assert rows["data"] == "@tgs.data.digits(), not opened: noise of shape [8, 8, 1]"
    assert rows["batch"] == "1 minibatch of 4 examples a step"
    assert rows["step"].startswith("2 field evaluations, XLA: off")
    assert rows["run"] == "2 epochs of 3 steps: 6 steps, 12 field evaluations, 24 examples"


@pytest.mark.slow
def test_table_says_how_much_memory_and_time(tried):
    memory, time = tried[0]["memory"], tried[0]["time"]
    assert 0.1 < float(re.match(r"([\d.]+) GiB of main memory", memory)[1]) < 100
    step, hours = map(float, re.match(r"(\S+) ms a step .*, (\S+) hours", time).groups())
    assert hours == pytest.approx(6 * step / 3.6e6, rel=0.06)  # Two digits are shown.


@pytest.mark.parametrize(
    ("count", "intervals", "expected"),
    [(0, [], 3), (50, [], 50), (50, [1, 16], 48), (1, [16], 16), (70, [4, 6], 60), (9999, [], 500)],
)
def test_each_kind_of_step_is_timed_as_often_as_in_the_run(count, intervals, expected):
    assert job.steps_to_time(count, intervals) == expected


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["tgs.KID.samples = 100"], "tgs.KID.samples = 100 has no effect"),
        (["tgs.data.digits.labels = True"], "`data` must give no labels.*'tgs.data.digits, not o"),
        (
            ["tgs.train.data = @tgs.data.photo_patches()", "tgs.data.photo_patches.size = 16"],
            r"networks' shape, \[8, 8, 1\]. Received: 'tgs.data.photo_patches, not opened' of \[16",
        ),
        (
            ["tgs.train.data = @keras.initializers.HeNormal()"],
            "an argument `batch_size`.*@keras.initializers.HeNormal",
        ),
        (["tgs.train.data = @tgs.data.digits"], "`data` must be what a function returns"),
        (["tgs.train.scores = [@tgs.FID]", "tgs.FID.samples = 1"], "`samples` must be an integer"),
        (["epochs = 0"], "`epochs` must be an integer >= 1"),
        (["tgs.train.weights = 'mean'"], "'mean'"),
        (["batch_size = 0"], "`batch_size` must be"),
    ],
)
def test_what_does_not_fit_is_refused(command, settings, message):
    text = printed(command, *settings, code=1)
    assert re.search(f"^error: .*{message}", text), text


def call_of(function, **settings):
    return configuring.Call(f"@{function.__name__}()", function, settings)


def made_up(call, generator, discriminator, latents, classes=None):
    """What stands in the place of the data for two networks."""
    pair = check_pair(generator, discriminator, latents)
    maker = types.SimpleNamespace(classes=classes)
    gan = types.SimpleNamespace(pair=pair, generator=generator, maker=maker)
    return job.made_up_data(call)(gan)


def lines(file, batch_size=4):
    """Data of texts."""
    raise AssertionError("the data were opened")


def test_texts_are_made_up_of_one_hot_rows():
    sizes = {"vocabulary": 5, "length": 4, "width": 4, "blocks": 1}
    networks = (
        tgs.networks.text_generator(latents=3, **sizes),
        tgs.networks.text_discriminator(**sizes),
    )
    batches = made_up(call_of(lines, batch_size=6), *networks, 3)
    assert len(set(batches.example_set.characters)) == 5
    texts = next(iter(batches)).numpy()
    assert texts.shape == (6, 4, 5) and len(np.unique(texts.argmax(-1))) > 1
    np.testing.assert_array_equal(np.sort(texts, axis=-1), np.tile([0, 0, 0, 0, 1], [6, 4, 1]))


def any_size(activation="tanh", labels=None):
    """Networks for pictures of any size, with conditions of such a shape and type if given."""
    noise, pictures = keras.Input((None, None, 2)), keras.Input((None, None, 3))
    more = [] if labels is None else [keras.Input(*labels)]
    painted = keras.layers.Conv2D(3, 1, activation=activation)(noise)
    judged = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(pictures))
    for each in more:  # Keras 3.12 refuses inputs that nothing depends on.
        nothing = 0.0 * keras.ops.sum(keras.ops.cast(each, "float32"))
        painted, judged = painted + nothing, judged + nothing
    generator = keras.Model([noise, *more], painted)
    return generator, keras.Model([pictures, *more], judged)


class Noise:
    """Noise of any size."""

    shape = (None, None, 2)

    def __call__(self, count, seed):
        raise AssertionError("nothing is drawn")


def folder(directory, batch_size=4, size=24, channels=3, labels=False):
    """Data of pictures."""
    raise AssertionError("the data were opened")


@pytest.mark.parametrize(("activation", "low"), [("sigmoid", 0.0), ("tanh", -1.0), ("linear", -1)])
def test_pictures_have_the_size_of_the_data_and_the_range_of_the_generator(activation, low):
    batches = made_up(call_of(folder, size=16), *any_size(activation), Noise())
    pictures = next(iter(batches)).numpy()
    assert (pictures.shape, batches.name) == ((4, 16, 16, 3), "folder, not opened")
    assert low <= pictures.min() < low + 0.1 and 0.9 < pictures.max() <= 1


@pytest.mark.parametrize(
    ("classes", "expected"), [(3, [0, 1, 2, 0]), (9, [0, 1, 2, 3]), (None, [0, 0, 0, 0])]
)
def test_labels_are_classes_of_the_networks(classes, expected):
    networks = any_size(labels=((), None, "int32"))
    batches = made_up(call_of(folder, labels=True), *networks, Noise(), classes)
    numbers = sorted(sum((y.numpy().tolist() for _, y in batches.take(1)), []))
    assert numbers == sorted(expected) and batches.num_classes == (classes or 1)


def test_data_without_labels_stay_so():
    networks = any_size(labels=((), None, "int32"))
    batches = made_up(call_of(folder), *networks, Noise(), 3)
    assert not isinstance(batches.element_spec, tuple)


def test_pictures_as_conditions():
    networks = any_size(labels=((8, 8, 2),))
    batches = made_up(call_of(folder, labels="maps"), *networks, Noise())
    _, conditions = next(iter(batches))
    assert conditions.shape == (4, 8, 8, 2) and batches.num_classes is None


def test_mixtures_are_themselves_since_scores_ask_for_their_modes():
    sizes = tgs.networks.mlp_generator(latents=2, width=4), tgs.networks.mlp_discriminator(width=4)
    batches = made_up(call_of(tgs.data.mixture, batch_size=6, modes=9, std=0.1), *sizes, 2)
    assert (batches.batch_size, len(batches.modes), batches.std) == (6, 9, 0.1)


@pytest.fixture
def planned(command, tmp_path):
    """A function of settings that returns a plan."""

    def planned(*params, flags=()):
        arguments = [each.split("=", 1) for each in command("unused", *params, flags=flags)[1:]]
        files = [value for name, value in arguments if name == "--gin_file"]
        bindings = [value for name, value in arguments if name == "--gin_param"]
        configuring.parse(files, bindings)
        return job.plan(Workdir(tmp_path / "run"))

    return planned


def test_one_pass_an_epoch_is_of_unknown_length(planned):
    plan = planned("tgs.train.steps_per_epoch = None", "discriminator_steps = 2")
    assert (plan.steps, plan.evaluations) == (None, None)
    measured = job.Measured(3, 0.5, 2**30, {"GPU:0": 3 * 2**29}, {})
    text = job.report(plan, measured)
    assert "2 epochs of one pass over the data each; tgs.train.steps_per_epoch would" in text
    assert "1.00 GiB of main memory, 1.50 GiB of GPU:0 at the peak" in text
    assert text.endswith("500 ms a step here (mean of 3)")
    assert "  2 minibatches of 8 examples a step\n" in text


def test_minibatches_that_are_seen_again_count_once(planned):
    plan = planned("discriminator_steps = 3", "tgs.Alternating.reuse_batch = True")
    text = job.report(plan, job.Measured(3, 0.5, 2**30, {}, {}))
    assert "4 minibatches of 8 examples a step, 8 of them different\n" in text
    assert "4 field evaluations, XLA" in text
    assert "6 steps, 24 field evaluations, 48 examples" in text


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_watches_each_step_is_timed_too(planned, monkeypatch):
    watched = []
    files = [f"--gin_file=gin_configs/updates/{name}.gin" for name in ("guard", "r1")]
    plan = planned("r1_interval = 4", flags=files)
    guards = [each for each in plan.prepared.callbacks if hasattr(each, "policy")]
    begin = type(guards[0]).begin
    monkeypatch.setattr(type(guards[0]), "begin", lambda *given: watched.append(1) or begin(*given))
    measured = job.measure(plan, seconds=0.0)
    assert all(map(np.isfinite, measured.losses.values())) and len(measured.losses) == 2
    assert measured.steps == 4 and plan.prepared.gan.steps == 1 + job.LEAST + 4
    assert len(watched) == 3 and plan.prepared.gan.monitor is not None


@pytest.mark.slow
def test_scores_do_without_inception(planned, monkeypatch):
    scores = ["tgs.train.scores = [@tgs.FID, @tgs.MSSSIM]", "tgs.FID.extractor = 'inception'"]
    plan = planned(*scores, "tgs.FID.samples = 77")
    fid, ms_ssim = plan.prepared.scores
    assert (fid.samples, fid.extractor.name) == (
        77,
        tgs.FID("random", np.zeros([4, 8, 8, 1])).extractor.name,
    )
    assert ms_ssim.extractor is None
    other = planned(scores[0], "tgs.FID.extractor = 'digits'").prepared.scores[0]
    assert other.extractor.name != fid.extractor.name


def test_a_score_of_each_class_does_without_inception(command):
    settings = ["tgs.train.scores = [@tgs.PerClass]", "tgs.PerClass.score = @tgs.FID"]
    settings += ["tgs.FID.extractor = 'inception'", "tgs.FID.samples = 77"]
    arguments = TrainSettings.parse(command("unused", *settings))
    configuring.parse(arguments.gin_file, arguments.gin_param)
    scores = configuring.arguments(tgs.train, ["scores"])["scores"]
    real = np.zeros([8, 8, 8, 1]), np.arange(8) % 2
    (made,) = [make(real=real) for make in job._without_inception(scores)]
    expected = tgs.FID("random", real[0]).extractor.name
    assert [(each.samples, each.extractor.name) for each in made.components] == [(77, expected)] * 2


def test_peak_of_memory(monkeypatch):
    peak = job.peak_memory()
    assert 2**26 < peak < LARGE
    monkeypatch.setattr(pathlib.Path, "exists", lambda path: False)
    assert peak / 1.01 <= job.peak_memory() < LARGE  # What started this process may count too.


def test_every_setting_of_a_run_is_read(planned, monkeypatch):
    given = {}
    monkeypatch.setattr(job, "prepare", lambda *_, **settings: given.update(settings) or _stop())
    with pytest.raises(InterruptedError, match="prepared"):
        planned("tgs.train.keep_checkpoints = 7")
    assert given["keep_checkpoints"] == 7 and given["profile_steps"] == 0
    assert given.keys() <= inspect.signature(tgs.train).parameters.keys()


def _stop():
    raise InterruptedError("prepared")
