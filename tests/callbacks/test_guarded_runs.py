"""A guard among the other callbacks: checkpoints, logs, scores, averages, interruptions."""

import functools
import json

import keras
import numpy as np
import pytest
from poisons import finite, numbers, renewed, same, train, variables

import tfgan_stab as tgs
from tfgan_stab._utils.errors import DivergenceError
from tfgan_stab.callbacks.checkpoint_files import checkpoints, read_json

Guard, Checkpoint = tgs.callbacks.DivergenceGuard, tgs.callbacks.Checkpoint


@pytest.fixture
def new():
    """A function that makes the GAN what it was when new."""
    return functools.partial(renewed, "simultaneous", averages=True)


def disturb(gan):
    for variable in variables(gan):
        variable.assign(variable.numpy() + 3)


def contents(directory):
    return [json.loads((p / "progress.json").read_text()) for p in checkpoints(directory)]


def steps_of(directory):
    found = contents(directory)
    return {each["step"]: (each["epoch"], each["step_in_epoch"]) for each in found}


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 4, "epoch"])
def test_checkpoints_are_finite(tiny, new, tmp_path, every):
    gan = new(5)
    # Both are due in the step that is spoiled; the guard stands last in the list.
    with pytest.raises(DivergenceError, match="step 5"):
        train(gan, Checkpoint(tmp_path, every, keep=9), Guard(every=1))
    expected = {1: [4, 3, 2, 1], 4: [4], "epoch": []}[every]
    assert [each["step"] for each in contents(tmp_path)] == expected
    for path in checkpoints(tmp_path):
        disturb(gan)
        tiny.resume(Checkpoint(path.parent), gan)
        assert finite(gan)


@pytest.mark.slow
def test_rollback_undoes_no_checkpoint(new, tmp_path):
    gan = new(5)
    (event,), _ = train(gan, Checkpoint(tmp_path, 3, keep=9), Guard("rollback", every=100))
    assert event.details["restored"] == 3
    # Nine steps were taken when eight had come to stay; the data are at the ninth.
    assert steps_of(tmp_path) == {3: (0, 3), 6: (1, 3), 8: (2, 0)}
    assert (gan.steps, gan.steps_taken) == (8, 10)


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 3, "epoch"])
@pytest.mark.parametrize("killed", [6, 7])
def test_run_killed_after_a_rollback_ends_as_the_uninterrupted_one(
    tiny, new, tmp_path, every, killed
):
    gan = new(4)
    (event,), _ = train(gan, Checkpoint(tmp_path / "whole", every), Guard("rollback", every=2))
    assert event.details["restored"] in (2, 3)
    whole = numbers(gan)
    rates = [float(o.learning_rate) for o in gan.optimizers]
    assert gan.rollback_state.rollbacks == 1
    new(4)
    with pytest.raises(tiny.Stop, match="after step"):
        callbacks = [Checkpoint(tmp_path / "killed", every), Guard("rollback", every=2)]
        train(gan, *callbacks, tiny.kill(gan, killed))
    spoiled = gan.rollback_state.rollbacks
    new(0)
    disturb(gan)
    train(gan, Checkpoint(tmp_path / "killed", every), Guard("rollback", every=2))
    assert spoiled == gan.rollback_state.rollbacks == 1
    assert gan.steps_taken == 10
    assert same(gan, whole)
    assert [float(o.learning_rate) for o in gan.optimizers] == rates


@pytest.mark.slow
def test_rollbacks_are_counted_over_resumed_runs(new, tmp_path):
    gan = new(3)
    train(gan, Checkpoint(tmp_path), Guard("rollback", max_rollbacks=1), epochs=1)
    assert gan.rollback_state.rollbacks == 1
    new(2)
    assert gan.rollback_state.rollbacks == 0
    with pytest.raises(DivergenceError, match="after 1 rollback"):
        train(gan, Checkpoint(tmp_path), Guard("rollback", max_rollbacks=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("every", "spoiled", "place"),
    [
        (7, 9, (1, 2)),
        pytest.param(5, 9, (1, 0), marks=pytest.mark.exhaustive),
        pytest.param(4, 7, (0, 4), marks=pytest.mark.exhaustive),
    ],
)
def test_run_goes_on_from_the_state_saved_at_the_stop(new, tmp_path, every, spoiled, place):
    gan = new()
    train(gan)
    whole = numbers(gan)
    new(spoiled)
    name = f"step-000000000{every}"
    with pytest.raises(DivergenceError, match=f"saved as {tmp_path}/{name}") as caught:
        train(gan, Guard(every=every, directory=tmp_path))
    assert caught.value.path == tmp_path / name
    assert steps_of(tmp_path) == {every: place}
    new()
    disturb(gan)
    train(gan, Checkpoint(tmp_path))
    assert same(gan, whole)


@pytest.mark.slow
def test_stop_inside_a_resumed_epoch(tiny, new, tmp_path):
    gan = new()
    with pytest.raises(tiny.Stop, match="after step 4"):
        train(gan, Checkpoint(tmp_path / "own", 3), tiny.kill(gan, 4))
    new(2)  # The first call is step 4 once more.
    with pytest.raises(DivergenceError, match="step 5.*saved as"):
        train(gan, Checkpoint(tmp_path / "own", 3), Guard(every=1, directory=tmp_path / "good"))
    assert steps_of(tmp_path / "good") == {4: (0, 4)}


def test_guard_and_checkpoint_share_a_directory(new, tmp_path):
    gan = new(9)
    with pytest.raises(DivergenceError, match="step-0000000005"):
        train(gan, Checkpoint(tmp_path), Guard(directory=tmp_path))
    assert steps_of(tmp_path) == {5: (1, 0)}


def test_unordered_data_begin_their_epoch_again(new, tmp_path):
    gan = new(7)
    pixels = np.random.RandomState(0).normal(size=[40, 2]).astype("float32")
    with pytest.raises(DivergenceError, match="of step 6"):
        gan.fit(
            pixels,
            batch_size=8,
            epochs=2,
            verbose=0,
            callbacks=[Guard(every=3, directory=tmp_path)],
        )
    assert steps_of(tmp_path) == {6: (1, 0)}


@pytest.mark.slow
def test_checkpoint_without_rollback_state(new, tmp_path):
    gan = new()
    train(gan, Checkpoint(tmp_path), epochs=1)
    (path,) = checkpoints(tmp_path)
    progress = read_json(path / "progress.json")
    assert progress.pop("rollback_state") == {
        "rollbacks": 0,
        "steps_lost": 0,
        "rate_scales": [1.0, 1.0],
    }
    (path / "progress.json").write_text(json.dumps(progress))
    train(gan, Checkpoint(tmp_path))
    assert (gan.steps, gan.rollback_state.rollbacks) == (10, 0)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_checkpoints_are_the_same_with_and_without_watchers(new, tmp_path):
    gan = new()
    train(gan, Checkpoint(tmp_path / "without"), epochs=1)
    assert gan.monitor is None
    new()
    train(gan, Checkpoint(tmp_path / "with"), Guard(), tgs.callbacks.Diagnostics(), epochs=1)
    assert gan.monitor is not None
    (without,), (guarded,) = (contents(tmp_path / name) for name in ("without", "with"))
    assert without["variables"] == guarded["variables"]
    train(gan, Checkpoint(tmp_path / "with"))  # Resumes without one.
    assert gan.monitor is None
    assert gan.steps == 10


@pytest.mark.slow
def test_run_log_of_a_rollback(tiny, new, tmp_path):
    gan = new(6)
    log = tgs.callbacks.RunLog(tmp_path)
    score = tgs.callbacks.Evaluate(tiny.MeanScore(), every=1, weights="live")
    guard = Guard("rollback", every=3, rate_factor=0.5)
    train(gan, log, score, guard, tgs.callbacks.Diagnostics())
    (line,) = tiny.lines(tmp_path / "events.jsonl")
    assert line.pop("seconds") > 0
    text = line.pop("text")
    assert "step 6, evaluation 1 of 1" in text and "Back to step 3, rollback 1 of 3" in text
    rates = line.pop("learning_rates")
    np.testing.assert_allclose(rates, [(0.05 - 0.04 * 3 / 100) / 2, 0.01], rtol=1e-6)
    assert line.pop("fault")["player"] == "generator"
    assert line == {"event": "rollback", "step": 3, "restored": 3, "steps_lost": 3}
    scores = tiny.lines(tmp_path / "metrics.jsonl")
    assert [each["step"] for each in scores] == [1, 2, 3, 4, 5, 6, 7]
    assert all(np.isfinite(each["value"]) for each in scores)
    # What the undone steps cost is counted.
    assert [each["field_evaluations"] for each in scores] == [1, 2, 3, 7, 8, 9, 10]
    shown = tiny.events(tmp_path / "tensorboard")
    assert ("epoch/gradient_angle", 7) in shown
    assert shown["epoch/field_evaluations", 7] == 10
    # Another run keeps them under another name.
    train(new(), tgs.callbacks.RunLog(tmp_path), epochs=1)
    assert not (tmp_path / "events.jsonl").exists()
    assert len(tiny.lines(tmp_path / "events.previous-1.jsonl")) == 1


@pytest.mark.slow
def test_stop_is_logged_and_printed(tiny, new, tmp_path, capsys):
    gan = new(2)
    with pytest.raises(DivergenceError, match="generator's loss in step 2"):
        train(gan, tgs.callbacks.RunLog(tmp_path), Guard())
    (line,) = tiny.lines(tmp_path / "events.jsonl")
    assert (line["event"], line["step"], line["fault"]["kind"]) == ("stop", 0, "loss")
    assert line["text"] in capsys.readouterr().out


def test_other_callbacks_see_finite_numbers_only(new):
    gan = new(5)
    seen = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(finite(gan) and all(map(np.isfinite, logs.values())))

    _, history = train(gan, Record(), keras.callbacks.TerminateOnNaN(), Guard("rollback", every=2))
    assert seen == [True] * 10
    assert all(np.isfinite(values).all() for values in history.values())


@pytest.mark.slow
def test_rollback_to_the_start_of_a_second_training(new):
    gan = new()
    train(gan, epochs=1, steps=3)
    gan.generator.layers[0].spoil(1, "output")
    counts = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            counts.append(float(gan.loss_means.generator.count))

    train(gan, Record(), Guard("rollback"), epochs=1, steps=2)
    assert counts == [0, 1]


def test_average_in_use_is_not_copied_as_the_live_weights(tiny, new, tmp_path):
    gan = new(6)
    swap = tgs.callbacks.SwapWeights("ema", swap_on_epoch=True)
    with pytest.raises(DivergenceError, match="of step 5"):
        train(gan, swap, Checkpoint(tmp_path), Guard())
    state = numbers(gan)
    assert gan.weights_in_use.current == "live"
    disturb(gan)
    tiny.resume(Checkpoint(tmp_path), gan)
    assert same(gan, state)
    live, ema = gan.sample(3), gan.sample(3, weights="ema")
    assert np.isfinite(ema).all() and not np.array_equal(live, ema)


def test_interrupted_restoration_is_finished_first(new, monkeypatch):
    from tfgan_stab.callbacks.divergence_guard import GoodState

    gan = new(3)
    write, calls = GoodState._write, []

    def interrupted(self):
        calls.append(self.step)
        if len(calls) == 1:
            raise KeyboardInterrupt
        write(self)

    monkeypatch.setattr(GoodState, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(gan, Guard("rollback", every=1))
    assert calls == [2, 2]
    assert (gan.steps, finite(gan)) == (2, True)


def test_averages_are_checked_when_a_copy_is_taken(new):
    gan = new()

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if gan.steps == 3:
                average.assign(np.full(average.shape, np.inf))

    average = gan._averages["ema"].weights[0]
    with pytest.raises(
        DivergenceError, match=f"Received: '{average.path}' after step 4.*of step 2"
    ):
        train(gan, Spoil(), Guard(every=2))
    assert finite(gan)


def test_model_must_be_finite_to_begin_with(new):
    gan = new()
    gan.discriminator.trainable_variables[0].assign(np.full([2, 5], np.nan))
    with pytest.raises(
        ValueError, match="must be finite before training. Received: NaN.*'judge/first/kernel'"
    ):
        train(gan, Guard())


def test_several_guards(new):
    with pytest.raises(ValueError, match="One guard and one set.*Received: 2.*Keep one"):
        train(new(), Guard(), Guard())


def test_epochs_go_on_over_a_rollback(new):
    gan = new(6)  # The first step of the second epoch: back to the fourth step of the first.
    (event,), _ = train(gan, Guard("rollback", every=4))
    assert (event.details["restored"], event.details["steps_lost"]) == (4, 2)
    assert (gan.steps, gan.epochs) == (8, 2)
