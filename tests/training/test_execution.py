"""XLA chosen by the clock: what is trained is what would be without."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import tensorflow as tf
from dropout_gans import EachStep, assert_equal, batches, make, points

import tfgan_stab as tgs
from tfgan_stab.callbacks import Checkpoint, Diagnostics, RunLog
from tfgan_stab.training import xla
from tfgan_stab.training.iterators import FirstBatch
from tfgan_stab.training.step_functions import StepFunctions


@pytest.fixture
def trials(monkeypatch, tmp_path):
    """Lets even short runs compare, in a folder of their own; counts comparisons."""
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(xla, "SHORT_RUN", 0.0)
    count, compare = [], xla.compare

    def counted(*arguments):
        # Where XLA is not to be chosen, it need not be compiled.
        count.append(compare(*arguments) if counted.compiled <= 0.001 else {})
        return {"plain": 0.001, "compiled": counted.compiled, "turns": 9}

    counted.compiled, counted.count = 0.0005, count
    monkeypatch.setattr(xla, "compare", counted)
    return counted


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("compiled", "scope"),
    [pytest.param(0.0005, "step", marks=pytest.mark.exhaustive), (0.00098, "off")],
)
def test_the_faster_one_is_used_and_the_trial_leaves_no_trace(compiled, scope, trials, capsys):
    trials.compiled = compiled
    settings = {"averages": {"ema": tgs.ExponentialAverage(0.9)}}
    measured = make(dropout=0.3, jit_compile="auto", **settings)
    chosen = make(dropout=0.3, jit_compile=scope == "step", **settings)
    callbacks = [[Diagnostics()], [Diagnostics()]]
    histories = [
        gan.fit(batches(), verbose=verbose, callbacks=own).history
        for gan, verbose, own in zip((measured, chosen), (2, 0), callbacks, strict=True)
    ]
    assert measured.compilation.scope == scope and len(trials.count) == 1
    assert min(trials.count[0].values()) > 0
    assert f"XLA: {scope} (measured 1 ms a step without XLA, " in capsys.readouterr().out
    assert_equal(measured, chosen)
    assert histories[0] == histories[1]


def built_only(plain, compiled, planned, steps_per_call):
    """A trial whose steps with XLA are built and not taken, as they would have to be compiled."""
    plain(3)
    compiled()
    return {"plain": 0.001, "compiled": 0.002, "turns": 9}


@pytest.mark.slow
def test_a_trial_leaves_no_trace(monkeypatch, tmp_path):
    """That XLA is not taken leaves none either: see the exhaustive test above."""
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path))
    monkeypatch.setattr(xla, "compare", built_only)
    gans = [
        make(dropout=0.3, jit_compile=jit, averages={"ema": tgs.ExponentialAverage(0.9)})
        for jit in ("auto", False)
    ]
    logs = [gan.fit(batches().take(8), verbose=0).history for gan in gans]
    assert gans[0].compilation.reason.startswith("measured 1 ms")
    assert logs[0] == logs[1]
    assert_equal(*gans)
    for one, other in zip(*(gan.optimizers for gan in gans), strict=True):
        for a, b in zip(one.variables, other.variables, strict=True):
            np.testing.assert_array_equal(a, b)


def fails(error):
    def compare(plain, compiled, planned, steps_per_call):
        compiled()
        raise error

    return compare


@pytest.mark.slow
def test_a_trial_that_fails_or_is_interrupted_leaves_the_steps_without_xla(monkeypatch, tmp_path):
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path))
    gan = make(jit_compile="auto")
    undecided = gan.compilation
    monkeypatch.setattr(xla, "compare", fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        gan.fit(batches(), verbose=0)
    assert gan.compilation == undecided and not gan.jit_compile and gan.steps == 0
    no_memory = tf.errors.ResourceExhaustedError(
        None, None, "Graph execution error:\n\nDetected at node x\nno memory\n"
    )
    monkeypatch.setattr(xla, "compare", fails(no_memory))
    gan.fit(batches(), verbose=0)
    assert gan.compilation == ("off", "XLA fails on the first batch: no memory", "")
    assert gan.steps == 40


def test_outcomes_that_cannot_be_kept_are_warned_of(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="have to measure XLA again: .*file.*Set TFGAN_STAB_CACHE"):
        xla.remember("key", {"plain": 2.0, "compiled": 1.0, "turns": 9})
    with pytest.warns(UserWarning, match="cannot be read, XLA is measured again: NotADirectory"):
        assert xla.remembered("key") is None


@pytest.mark.slow
def test_each_kind_of_step_is_compiled_before_it_is_timed(monkeypatch, tmp_path):
    """XLA compiles the steps with a lazy penalty, and those without, when they come."""
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path))
    gan = make(jit_compile="auto", penalties=[tgs.R1(1.0, interval=2), tgs.R2(1.0, interval=3)])
    before = []

    def several(batches, count):
        before.append((gan.steps % 2 == 0, gan.steps % 3 == 0, int(count)))
        return count, {}

    def compare(plain, compiled, planned, steps_per_call):
        compiled()(5)
        return {"plain": 0.001, "compiled": 0.002, "turns": 9}

    monkeypatch.setattr(xla, "compare", compare)
    monkeypatch.setattr(gan, "_step_functions", lambda wanted: StepFunctions(None, several))
    gan.begin_execution([], None, 0)
    first = tf.constant(points(8))
    gan._decide_compilation(FirstBatch(first, tf.TensorSpec.from_tensor(first)))
    *one_by_one, (*_, last) = before
    assert {count for *_, count in one_by_one} == {1} and last == 5
    assert len(one_by_one) == len(set(one_by_one)) == 4
    assert gan.steps == 0


@pytest.mark.exhaustive
@pytest.mark.slow
def test_steps_per_call_of_ones_own_are_kept_while_xla_is_measured(trials):
    trials.compiled = 0.0015
    measured = make(jit_compile="auto", steps_per_execution=4)
    chosen = make(jit_compile=False, steps_per_execution=4)
    for gan in (measured, chosen):
        gan.fit(batches(), verbose=0)
    assert measured.compilation.reason.startswith("measured") and measured.steps == 40
    assert_equal(measured, chosen)


@pytest.mark.slow
def test_what_is_timed_are_calls_as_the_run_makes_them():
    found = []
    for settings, callbacks in (({}, []), ({}, [EachStep()]), ({"steps_per_execution": 4}, [])):
        gan = make(**settings)
        gan.begin_execution(callbacks, None, 0)
        found.append([gan._steps_per_call(seconds) for seconds in (0.005, 1e-9)])
    assert found == [[10, 128], [1, 1], [4, 4]]


@pytest.mark.slow
def test_the_next_run_knows_and_another_batch_does_not(trials):
    """The last batch may be smaller, so TensorFlow does not say how many rows one has."""
    trials.compiled = 0.0015
    gans = []
    for rows in (8, 8, 16):
        gans.append(make(jit_compile="auto"))
        gans[-1].fit(batches().unbatch().batch(rows), verbose=0)
        assert len(trials.count) == (2 if rows == 16 else 1)
    assert gans[1].compilation.scope == "off" and not gans[1].compilation.candidate
    assert "an earlier run measured 1 ms" in gans[1].compilation.reason


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_damaged_note_is_measured_again(trials, tmp_path):
    trials.compiled = 0.0015
    make(jit_compile="auto").fit(batches(), verbose=0)
    (note,) = (tmp_path / "cache" / "xla").iterdir()
    note.write_text('{"plain": 1}')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(jit_compile="auto").fit(batches(), verbose=0)
    assert any("cannot be read, XLA is measured again" in str(each.message) for each in caught)
    assert len(trials.count) == 2


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_resumed_run_goes_on_as_it_began(trials, tmp_path):
    def run(epochs):
        gan = make(jit_compile="auto")
        gan.fit(batches(), epochs=epochs, verbose=0, callbacks=[Checkpoint(tmp_path / "run")])
        return gan

    run(1)
    for note in (tmp_path / "cache" / "xla").iterdir():
        note.unlink()
    trials.compiled = 1.0  # By now XLA would lose.
    resumed = run(2)
    assert resumed.compilation.scope == "step" and len(trials.count) == 1
    whole = make(jit_compile=True)
    whole.fit(batches(), epochs=2, verbose=0)
    assert_equal(resumed, whole)


@pytest.mark.slow
def test_run_json_tells_the_decision(trials, tmp_path):
    trials.compiled = 0.0015
    gan = make(jit_compile="auto")
    gan.fit(batches(), verbose=0, callbacks=[RunLog(tmp_path)])
    noted = json.loads((tmp_path / "run.json").read_text())["xla"]
    assert noted == {"scope": "off", "reason": gan.compilation.reason}


@pytest.mark.slow
def test_short_runs_are_not_worth_a_trial(monkeypatch, tmp_path):
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path))
    gan = make(jit_compile="auto")
    gan.fit(points(), batch_size=8, verbose=0)
    assert gan.compilation.scope == "off" and "the run is too short" in gan.compilation.reason
    assert gan.compilation.candidate == "step"  # A longer `fit` would compare.
    assert not list(tmp_path.iterdir())


@pytest.mark.exhaustive
@pytest.mark.slow
def test_deterministic_operations_are_switched_on_for_the_process():
    program = """
import keras, numpy as np, tensorflow as tf, tfgan_stab as tgs
from tensorflow.python.framework import config
networks = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2)]
gan = tgs.GAN(*networks, latents=2)
gan.compile("sgd", "sgd", deterministic=True)
gan.fit(np.zeros([8, 2], "float32"), verbose=0)
assert gan.get_compile_config()["deterministic"] is True
assert config.is_op_determinism_enabled() and gan.steps == 1
print("repeatable")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "repeatable" in done.stdout, done.stderr


def test_deterministic_must_be_true_or_false():
    with pytest.raises(ValueError, match="`deterministic` must be one of True, False"):
        make(deterministic="yes")
