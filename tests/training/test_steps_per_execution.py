"""Blocks of steps: what is trained is what would be without."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from dropout_gans import EachStep, assert_equal, batches, make, points

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
from tfgan_stab.training.steps_per_execution import (
    Execution,
    needs_every_step,
    steps_worth_a_call,
)
from tfgan_stab.training.xla import Compilation


@pytest.fixture
def blocks(monkeypatch):
    """Sizes of the blocks that were taken, of seven steps at most."""
    monkeypatch.setattr(
        "tfgan_stab.training.steps_per_execution.steps_worth_a_call", lambda seconds: 7
    )
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


class Timed:
    """Functions whose calls take 11 ms, and 5 ms more for each step, by a clock of their own."""

    def __init__(self, monkeypatch):
        self.now, self.counts, self.milliseconds = 0.0, [], 5
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def take(self, iterator, count):
        self.counts.append(count)
        self.now += 0.011 + self.milliseconds / 1e3 * count
        return tf.constant(count), {}


@pytest.fixture
def timed(monkeypatch):
    return Timed(monkeypatch)


def train_an_epoch(execution, steps):
    execution.begin_epoch(steps)
    data = iter(tf.data.Dataset.range(1))
    for _ in range(steps):
        execution(data)


def test_steps_are_found_faster_when_several_share_a_calls_cost(timed):
    """Single steps take 16 ms, so 3 are worth 50; 3 take 26, so 6 are worth it, then 7, then 8."""
    execution = Execution(timed)
    execution.begin([])
    train_an_epoch(execution, 200)
    assert sum(timed.counts) == 200
    assert timed.counts[:9] == [1, 1, 1, 1, 3, 6, 7, 8, 8]
    assert execution.seconds == pytest.approx(0.005 + 0.011 / 8)


def test_steps_that_take_longer_from_now_on_are_taken_in_fewer_at_once(timed):
    """As with larger batches in another training: 3 calls of 8 later, a call is one step."""
    execution = Execution(timed)
    execution.begin([])
    train_an_epoch(execution, 100)
    timed.milliseconds = 50
    train_an_epoch(execution, 40)
    (later,) = (timed.counts[i:] for i in range(150) if sum(timed.counts[:i]) == 100)
    assert later == [8] * 3 + [1] * 16


def test_blocks_of_watched_steps_leave_an_epochs_last_call(timed):
    """What an interrupted block leaves is taken there, also where an epoch is one call long."""
    execution = Execution(timed, interruptible=True)
    execution.begin([])
    train_an_epoch(execution, 100)
    timed.counts.clear()
    train_an_epoch(execution, 6)
    assert timed.counts == [5, 1]


def test_several_workers_take_the_steps_one_by_one_whatever_they_take(timed):
    execution = Execution(timed)
    execution.begin([], workers=2)
    train_an_epoch(execution, 30)
    assert timed.counts == [1] * 30


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


class DerivedCheckpoint(keras.callbacks.ModelCheckpoint):
    """As above, of Keras' own."""

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
        (keras.callbacks.TensorBoard(), False),
        (keras.callbacks.TensorBoard(update_freq=10), True),
        (keras.callbacks.TensorBoard(profile_batch=5), True),
        (DerivedCheckpoint("a.keras"), True),
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


@pytest.mark.parametrize("steps", [0, 2.5, "many"])
def test_wrong_numbers_of_steps_per_call_are_refused(steps):
    with pytest.raises((TypeError, ValueError), match="`steps_per_execution` must be"):
        make(steps_per_execution=steps)


@pytest.mark.slow
def test_several_steps_per_call_are_the_same_steps():
    once, several = make(dropout=0.2), make(dropout=0.2, steps_per_execution=4)
    for gan in (once, several):
        gan.fit(tf.data.Dataset.from_tensor_slices(points(64)).batch(8), verbose=0)
    assert once.steps == several.steps == 8
    for one, other in zip(once.generator.variables, several.generator.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(
    ("known", "rows", "steps"),
    [
        (True, 160, 12),
        (False, 40, 60),
        pytest.param(False, 160, 12, marks=pytest.mark.exhaustive),
    ],
)
def test_epochs_that_end_with_the_data_have_all_steps_and_logs(known, rows, steps, blocks):
    """Keras stops asking in the midst of a block, or a block's data end."""
    data = tf.data.Dataset.from_tensor_slices(points(rows)).batch(8)
    data = data if known else data.filter(lambda batch: True)
    gans, logs, steps_done = [], [], []
    for settings in ({"steps_per_execution": 1}, {}):
        gan, note = make(**settings), Note("epoch")
        fitted = gan.fit(data, steps_per_epoch=steps, epochs=3, verbose=0, callbacks=[note])
        gans.append(gan)
        logs.append(fitted.history)
        steps_done.append([step for step, *_ in note.found])
    assert max(blocks) == 7 and steps_done[0] == steps_done[1]
    assert logs[0] == logs[1]
    assert_equal(*gans)
