"""What `fit` prints of each epoch."""

import re
import types

import keras
import pytest
from point_gans import make, points

import tfgan_stab as tgs
from tfgan_stab.training.epoch_lines import WIDTH, EpochLines, line

LINE = (
    r"epoch {}/2, step {}, \d+\.\d s, [\d.]+ ms/step: "
    r"G loss -?[\d.e-]+, D loss [\d.e-]+"
)


class Scored(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["fid"] = 10.0 + epoch


@pytest.mark.slow
def test_one_line_for_each_epoch(capsys):
    make().fit(points(64), batch_size=16, epochs=2, callbacks=[Scored()])
    lines = [each for each in capsys.readouterr().out.splitlines() if each.startswith("epoch")]
    assert len(lines) == 2
    for number, each in enumerate(lines):
        assert re.fullmatch(
            LINE.format(number + 1, 4 * number + 4) + f", fid {10 + number}, 2 more", each
        )


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize(("verbose", "shown"), [(0, ""), (1, "4/4"), (2, "epoch 1/1, step 4")])
def test_verbose_is_as_in_keras(verbose, shown, capsys):
    make(run_eagerly=True).fit(points(64), batch_size=16, verbose=verbose)
    said = capsys.readouterr()
    assert shown in said.out and bool(said.out) == bool(verbose)
    assert not said.err


@pytest.mark.exhaustive
@pytest.mark.slow
def test_what_does_not_fit_is_counted(capsys):
    numbers = {f"number_{i}": i / 3 for i in range(9)}
    found = line("epoch 1/1: ", numbers)
    shown = "number_0 0, number_1 0.3333, number_2 0.6667, number_3 1, number_4 1.333"
    assert found == f"epoch 1/1: {shown}, 4 more"
    assert len(found) <= WIDTH
    assert line("x" * (WIDTH - 10) + ": ", numbers) == "x" * (WIDTH - 10)
    penalties = [tgs.R1(1.0), tgs.R2(1.0), tgs.Consensus(0.1), tgs.GeneratorGradientNorm(0.1)]
    make(penalties=penalties).fit(points(64), batch_size=16, callbacks=[Scored()])
    (found,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("epoch"))
    assert ", fid 10, " in found and found.endswith(" more") and len(found) <= WIDTH


def test_the_time_is_that_of_the_steps_alone(monkeypatch, capsys):
    """What callbacks take at the epoch's end, such as scores, is none of it."""
    times = iter([10.0, 12.0, 14.0, 500.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    model = types.SimpleNamespace(steps_taken=6, steps=4, metrics=[])
    lines = EpochLines()
    lines.set_model(model)
    lines.set_params({"verbose": 2, "epochs": 1, "steps": 2})
    lines.on_epoch_begin(0)
    for batch in range(2):
        model.steps_taken, model.steps = 7 + batch, 5 + batch
        lines.on_train_batch_end(batch)
    lines.on_epoch_end(0, {"fid": 1.0})
    assert capsys.readouterr().out == "epoch 1/1, step 6, 4.0 s, 2000 ms/step: fid 1\n"
