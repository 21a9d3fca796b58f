"""Blocks of steps, and XLA chosen by the clock: what is trained is what would be without."""

import json
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.callbacks import (
    Checkpoint,
    Diagnostics,
    DivergenceGuard,
    Evaluate,
    RunLog,
    SampleGrid,
    SwapWeights,
)
from tfgan_stab.callbacks.base import Periodic
from tfgan_stab.training import xla
from tfgan_stab.training.execution import Execution, needs_every_step, steps_worth_a_call
from tfgan_stab.training.xla import Compilation

layers = keras.layers


def pair(dropout=0.0):
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(8, activation="tanh"),
            layers.Dropout(dropout, seed=3),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def make(dropout=0.0, **settings):
    gan = tgs.GAN(*pair(dropout), latents=3)
    optimizers = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)
    gan.compile(*optimizers, **{"jit_compile": False, "check_derivatives": False, **settings})
    return gan


def points(count=8 * 40):
    return np.random.RandomState(0).normal(size=[count, 2]).astype("float32")


def batches():
    return tf.data.Dataset.from_tensor_slices(points()).batch(8, drop_remainder=True)


def numbers(gan):
    return [np.asarray(v) for v in gan.variables]


def assert_equal(one, other):
    for a, b in zip(numbers(one), numbers(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def blocks(monkeypatch):
    """Sizes of the blocks that were taken, of seven steps at most."""
    monkeypatch.setattr("tfgan_stab.training.execution.steps_worth_a_call", lambda seconds: 7)
    sizes, take = [], Execution._take

    def noted(self, iterator):
        sizes.append(self._pending)
        take(self, iterator)

    monkeypatch.setattr(Execution, "_take", noted)
    return sizes


SETTINGS = {
    "default": {},
    "lookahead": {
        "scheme": tgs.Lookahead(tgs.Extragradient(), 5),
        "averages": {"ema": tgs.ExponentialAverage(0.9), "mean": tgs.UniformAverage(start=9)},
        "top_k": tgs.TopK(decay=0.9, every=5, floor=0.5),
    },
    "lazy": {"penalties": [tgs.R1(1.0, interval=4)], "scheme": tgs.RungeKutta("heun")},
    "xla": {"jit_compile": True},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "lookahead",
        *(pytest.param(n, marks=pytest.mark.exhaustive) for n in ("default", "lazy", "xla")),
    ],
)
def test_blocks_train_as_single_steps_do_bit_for_bit(name, blocks):
    once = make(dropout=0.3, **SETTINGS[name], steps_per_execution=1)
    several = make(dropout=0.3, **SETTINGS[name])
    seen = [gan.fit(batches(), epochs=2, verbose=0).history for gan in (once, several)]
    assert max(blocks) == 7 and sum(blocks) == 80
    assert_equal(once, several)
    assert seen[0] == seen[1]


@pytest.mark.slow
def test_no_block_passes_an_epochs_end(blocks):
    gan = make()
    gan.fit(batches(), epochs=3, steps_per_epoch=12, verbose=0)
    assert gan.steps == 36
    assert max(blocks) == 7
    assert {12, 24, 36} <= set(np.cumsum(blocks))


class Note(Periodic):
    """Notes what it finds where it acts."""

    def __init__(self, every):
        super().__init__(every)
        self.found = []

    def act(self, logs):
        first = np.asarray(self.gan.generator.variables[0])
        self.found.append((self.gan.steps, {k: float(v) for k, v in logs.items()}, first))


@pytest.mark.slow
@pytest.mark.parametrize(
    "every", [5, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in (8, "epoch"))]
)
def test_periodic_callbacks_find_what_they_found_without_blocks(every, blocks):
    found = []
    for settings in ({"steps_per_execution": 1}, {}):
        note = Note(every)
        make(**settings).fit(batches(), epochs=2, verbose=0, callbacks=[note])
        found.append(note.found)
    assert max(blocks) > 3
    assert len(found[0]) == len(found[1]) >= 2
    for one, other in zip(*found, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one[2], other[2])


class EachStep(keras.callbacks.Callback):
    """Counts the steps that it sees."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((self.model.steps, float(logs["generator_loss"])))


@pytest.mark.slow
def test_a_callback_of_a_users_own_sees_every_step(blocks):
    own = EachStep()
    make().fit(batches(), verbose=0, callbacks=[own])
    assert [step for step, _ in own.seen] == list(range(1, 41))
    assert set(blocks) == {1}
    assert len({loss for _, loss in own.seen}) == 40


@pytest.mark.slow
def test_the_headline_names_callbacks_that_see_every_step(capsys):
    make().fit(batches(), verbose=2, callbacks=[EachStep(), Note(5)])
    assert "per call from Python, since these callbacks see each step: EachStep\n" in (
        capsys.readouterr().out
    )
    make().fit(batches(), verbose=2, callbacks=[Note(5)])
    assert "since these callbacks" not in capsys.readouterr().out


@pytest.mark.slow
def test_data_of_unknown_length_are_taken_step_by_step(blocks):
    endless = tf.data.Dataset.from_generator(
        lambda: iter(points(88).reshape([11, 8, 2])),
        output_signature=tf.TensorSpec([8, 2], tf.float32),
    )
    gan = make()
    with pytest.warns(UserWarning, match="ran out of data"):
        gan.fit(endless, verbose=0)
    assert gan.steps == 11 and set(blocks) == {1}


class DerivedNote(Note):
    """Looks at every step, which what it derives from does not know."""

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (Note(5), False),
        (DerivedNote(5), True),
        (EachStep(), True),
        (Checkpoint("nowhere", every=5), False),
        (DivergenceGuard(), False),
        (Diagnostics(), False),
        (SampleGrid("nowhere"), False),
        (RunLog("nowhere"), False),
        (SwapWeights("ema"), False),
        (keras.callbacks.ModelCheckpoint("a.keras"), False),
        (keras.callbacks.ModelCheckpoint("a.keras", save_freq=10), True),
        (keras.callbacks.EarlyStopping(), False),
        (keras.callbacks.TerminateOnNaN(), True),
        (keras.callbacks.LambdaCallback(on_epoch_end=print), False),
        (keras.callbacks.LambdaCallback(on_train_batch_begin=print), True),
    ],
)
def test_who_needs_every_step(callback, expected):
    assert needs_every_step(callback) is expected
    assert issubclass(Evaluate, Periodic)


def test_a_call_takes_about_50_milliseconds():
    assert [steps_worth_a_call(seconds) for seconds in (0.3, 0.05, 0.01, 1e-9)] == [1, 1, 5, 128]


def poisoned(at):
    """Batches of which one holds a NaN."""
    found = points().reshape([40, 8, 2])
    found[at, 3, 1] = np.nan
    return tf.data.Dataset.from_tensor_slices(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "at", [*(pytest.param(each, marks=pytest.mark.exhaustive) for each in (20, 39)), 9]
)
def test_a_fault_inside_a_block_is_the_guards_at_once(at, blocks):
    found = []
    for settings in ({"steps_per_execution": 1}, {}):
        gan, events = make(**settings), []
        gan.listeners = [events.append]
        guard = DivergenceGuard("rollback", every=6)
        gan.fit(poisoned(at), verbose=0, callbacks=[guard])
        found.append((gan, [event for event in events if not isinstance(event, Compilation)]))
    (one, expected), (other, received) = found
    assert max(blocks) > 3
    assert [e.details for e in received] == [e.details for e in expected] and len(expected) == 1
    assert (one.steps, one.steps_taken) == (other.steps, other.steps_taken)
    assert_equal(one, other)


# -- XLA by the clock -----------------------------------------------------------------------------


@pytest.fixture
def trials(monkeypatch, tmp_path):
    """Lets even short runs compare, in a folder of their own; counts comparisons."""
    monkeypatch.setenv("TFGAN_STAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(xla, "SHORT_RUN", 0.0)
    count, compare = [], xla.compare

    def counted(*arguments):
        # Where XLA is not to be chosen, it need not be compiled.
        count.append(compare(*arguments) if counted.compiled <= 0.001 else {})
        return {"plain": 0.001, "compiled": counted.compiled}

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
    trials.compiled = 0.0015
    make(jit_compile="auto").fit(batches(), verbose=0)
    again = make(jit_compile="auto")
    again.fit(batches(), verbose=0)
    assert len(trials.count) == 1
    assert again.compilation.scope == "off" and not again.compilation.candidate
    assert "an earlier run measured 1 ms" in again.compilation.reason
    make(jit_compile="auto").fit(batches().unbatch().batch(4, drop_remainder=True), verbose=0)
    assert len(trials.count) == 2


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
    assert any("is damaged, XLA is measured again" in str(each.message) for each in caught)
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


@pytest.mark.parametrize("steps", [0, 2.5, "many"])
def test_wrong_numbers_of_steps_per_call_are_refused(steps):
    with pytest.raises((TypeError, ValueError), match="`steps_per_execution` must be"):
        make(steps_per_execution=steps)


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


@pytest.mark.slow
def test_several_steps_per_call_are_the_same_steps():
    once, several = make(dropout=0.2), make(dropout=0.2, steps_per_execution=4)
    for gan in (once, several):
        gan.fit(tf.data.Dataset.from_tensor_slices(points(64)).batch(8), verbose=0)
    assert once.steps == several.steps == 8
    for one, other in zip(once.generator.variables, several.generator.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)
