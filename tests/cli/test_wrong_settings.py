"""Wrong settings give one message, and correcting them is enough."""

import pytest

import tfgan_stab as tgs
from tfgan_stab.cli import main
from tfgan_stab.cli.config import gin as configuring
from tfgan_stab.cli.jobs import train as job
from tfgan_stab.game.validation import Condition, Pair


@pytest.mark.cases(fast=3)
@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("tgs.train.epoch = 3", "`tgs.train` has no argument `epoch`. Did you mean"),
        ("epochs = 0", "`epochs` must be an integer >= 1. Received: 0."),
        ("tgs.train.weights = 'mean'", r"Weights must be one of"),
        (
            "discriminator_steps = 0",
            "`discriminator_steps` must be a number of updates per generator update",
        ),
        ("batch_size = 5000", "batch"),
        ("seed = 'today'", "`seed` must be an integer"),
        ("generator_width = 'wide'", "--traceback shows where."),
        (
            "tgs.train.data = @tgs.data.digits",
            "`data` must be a data set of tgs.data. Received: <function digits",
        ),
        (
            "tgs.train.data = @tgs.data.mixture()",
            "networks' shape, [8, 8, 1]. Received: 'mixture/grid-16' of [2]. Change",
        ),
        (
            "tgs.data.digits.labels = True",
            "`data` must give no labels, since the networks take no class labels. "
            "Received: 'digits' with some. Change `labels` of the data",
        ),
        (
            "tgs.train.guard = True",
            "`guard` must be a DivergenceGuard, or None. Received: True. Use",
        ),
        (
            "tgs.train.generator = @tgs.networks.dcgan_generator()",
            "`generator` must be what makes a network. Received: <Functional name=",
        ),
        (
            "tgs.train.scores = [@tgs.FID()]",
            "argument: 'real'. Set it; or leave out round brackets",
        ),
        # Where no scores are computed.
        ("tgs.train.score_every = 0", '`score_every` must be "epoch" or a number of steps'),
        ("tgs.train.max_share = 2", "`max_share` must be a number in (0, 1]. Received: 2"),
        ("tgs.train.sample_columns = 0", "`sample_columns` must be an integer >= 1. Received: 0"),
        ("epochs = three", "not gin syntax: Failed to parse token 'three'. Settings look like"),
        ("tgs.Simultaneous.name = 3", "`tgs.Simultaneous` has no argument `name`"),
        ("tgs.FID.samples = 3", "--gin_param=tgs.FID.samples = 3 has no effect"),
    ],
)
def test_wrong_settings_give_one_message_and_write_nothing(
    command, tmp_path, capsys, param, message
):
    assert main.run("train", command(tmp_path / "run", param)) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and message in shown
    assert "In call to" not in shown
    assert not (tmp_path / "run").exists()


def test_traceback_flag_raises_the_error(command, tmp_path):
    with pytest.raises(ValueError, match="`epochs` must be an integer >= 1"):
        main.run("train", command(tmp_path, "epochs = 0", flags=["--traceback"]))


@pytest.mark.slow
def test_settings_that_fail_in_the_first_step_can_be_corrected(command, tmp_path, capsys):
    wrong, right = (
        command(tmp_path, "epochs = 1", "steps_per_epoch = 1", f"beta_1 = {value}")
        for value in ("'fast'", "0.25")
    )
    assert main.run("train", wrong) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and shown.endswith("\n--traceback shows where.\n")
    assert (tmp_path / "config.gin").exists()
    assert main.run("train", right) == 0
    replaced = "no checkpoint yet. Its settings were replaced:\n  beta_1: 'fast'"
    assert replaced in capsys.readouterr().out
    assert "beta_1 = 0.25" in (tmp_path / "config.gin").read_text()


def test_learning_rate_must_be_a_number(command, tmp_path, capsys):
    assert main.run("train", command(tmp_path, "discriminator_learning_rate = 'fast'")) == 1
    shown = capsys.readouterr().err
    assert "`discriminator_optimizer` must have a finite learning rate" in shown
    assert "'fast'" in shown
    assert not (tmp_path / "config.gin").exists()


@pytest.mark.parametrize("scores", ["@tgs.FID", "['fid']"])
def test_scores_must_be_a_list_of_callables(command, tmp_path, capsys, scores):
    assert main.run("train", command(tmp_path, f"tgs.train.scores = {scores}")) == 1
    assert "`scores` must be a list of what makes scores. Received: " in capsys.readouterr().err
    assert not (tmp_path / "config.gin").exists()


@pytest.mark.parametrize(
    ("error", "started", "hidden"),
    [
        (ValueError, False, True),
        (TypeError, False, True),
        (OSError, True, True),
        (ValueError, True, False),
        (TypeError, True, False),
        (LookupError, False, False),
    ],
)
def test_which_errors_are_one_message(
    command, tmp_path, capsys, monkeypatch, error, started, hidden
):
    def failing(**given):
        if started:
            given["started"]()
        raise error("deep down")

    monkeypatch.setattr(configuring, "configured", lambda function, given: failing)
    if hidden:
        assert main.run("train", command(tmp_path)) == 1
        assert capsys.readouterr().err.startswith("error: deep down\n")
    else:
        with pytest.raises(error, match="deep down"):
            main.run("train", command(tmp_path))


def test_networks_with_labels_need_labels(tmp_path):
    pair = Pair((8, 8, 1), Condition((), "int32", True))
    message = (
        "`data` must give labels, since the networks take class labels. Received: .* with none"
    )
    with pytest.raises(ValueError, match=message):
        job._check_data(tgs.data.digits(), pair)
    job._check_data(tgs.data.digits(labels=True), pair)
    job._check_data(tgs.data.digits(), Pair((None, None, 1), None))


def test_absent_data_say_which_command_prepares_them(command, tmp_path, capsys):
    data = ["tgs.train.data = @tgs.data.tfds()", "tgs.data.tfds.name = 'lsun/bedroom'"]
    place = f"tgs.data.tfds.data_dir = '{tmp_path}'"
    size = "tgs.data.tfds.size = 8"
    assert main.run("train", command(tmp_path / "run", *data, place, size)) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: The data of 'lsun/bedroom' are not in")
    call = f"tfds.builder('lsun/bedroom', data_dir='{tmp_path}').download_and_prepare()"
    assert f'python -c "import tensorflow_datasets as tfds; {call}"' in message
    assert "In call to" not in message and not (tmp_path / "run").exists()
