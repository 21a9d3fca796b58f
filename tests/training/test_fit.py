"""`fit` gives each step its own data, also when a run is resumed in the middle of an epoch."""

import dataclasses
import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.training.fit import Clock, KerasWorkflows
from tfgan_stab.training.fit_checks import images_per_step
from tfgan_stab.training.resume import Progress
from tfgan_stab.training.xla import Compilation


class Recorder(KerasWorkflows):
    """Stands in for a GAN: notes the batch of each step instead of training on it."""

    steps = epochs = steps_lost = averages = average_periods = precision = None  # Plain attributes.

    def __init__(self, minibatches=1):
        super().__init__()
        self.batches = []
        self.steps = 0
        self.epochs = 0
        self.check_derivatives = False
        self.top_k = None
        self.clock = Clock()
        self.listeners = []
        self.num_classes = None
        self.data_metadata = None
        self.starts = 0
        self.scheme = types.SimpleNamespace(minibatches=minibatches, evaluations=2)
        self.compilation = Compilation("off", "of no use here.")
        self.precision = ["float32"]
        self.averages = {}
        self.penalties = ()
        self.average_periods = {}
        self.monitor = None
        self.steps_lost = 0
        self.weights_in_use = types.SimpleNamespace(
            current="live", switch=lambda name: None, check_classes=lambda: None
        )
        self.built = True
        self.compile(run_eagerly=True)

    @property
    def steps_taken(self):
        return self.steps + self.steps_lost

    def build_monitor(self, diagnostics):
        return types.SimpleNamespace(diagnostics=diagnostics, reset=lambda: None)

    def start_over(self):
        self.starts += 1

    def train_step(self, data):
        images = data[0] if isinstance(data, (tuple, list)) else data
        self.batches.append(np.asarray(images).ravel()[:3].tolist())
        self.steps += 1
        return {"loss": tf.constant(1.0)}

    def fit(self, x, y=None, **kwargs):
        return super().fit(x, y, **{"verbose": 0, **kwargs})


class Resumed(keras.callbacks.Callback):
    """Stands in for a checkpoint."""

    def __init__(self, progress, steps=0):
        super().__init__()
        self.progress, self.steps, self.ordered = progress, steps, None

    def expect(self, ordered):
        self.ordered = ordered

    def resume(self, gan):
        gan.steps = self.steps
        return self.progress


def numbered(count):
    return tf.data.Dataset.range(count).map(lambda n: tf.fill([2], tf.cast(n, tf.float32)))


# Everything whose order is fixed: data, and arguments of `fit`.
STEPS = 3
COUNTED = {"steps_per_epoch": STEPS}
ORDERED = {
    "images": lambda: (tgs.data.digits(batch_size=4), COUNTED),
    "points": lambda: (tgs.data.mixture(batch_size=4), COUNTED),
    "one pass": lambda: (numbered(3), {}),
    "one pass, counted": lambda: (numbered(3), COUNTED),
    "two epochs a pass": lambda: (numbered(6), COUNTED),
    "eight epochs a pass": lambda: (numbered(24), COUNTED),
    "endless": lambda: (numbered(7).repeat(), COUNTED),
    "of unknown length": lambda: (numbered(7).repeat().filter(lambda x: x[0] != 5), COUNTED),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ORDERED)
def test_from_any_step_a_resumed_run_reads_what_the_uninterrupted_one_reads(kind):
    data, settings = ORDERED[kind]()
    whole = Recorder()
    whole.fit(data, epochs=4, **settings)
    assert len(whole.batches) == 4 * STEPS
    for done in range(4 * STEPS + 1):
        rest = Recorder()
        resumed = Resumed(Progress(*divmod(done, STEPS)), done)
        rest.fit(data, epochs=4, callbacks=[resumed], **settings)
        assert rest.batches == whole.batches[done:], f"after step {done}"
        assert rest.epochs == 4 - done // STEPS
        assert resumed.ordered


def test_parts_of_a_step_come_in_one_batch_and_resume_with_it():
    data = tgs.data.mixture(batch_size=4)
    whole, rest = Recorder(minibatches=3), Recorder(minibatches=3)
    whole.fit(data, epochs=2, steps_per_epoch=2)
    rest.fit(data, epochs=2, steps_per_epoch=2, callbacks=[Resumed(Progress(1, 1), 3)])
    assert rest.batches == whole.batches[3:]
    firsts = [np.ravel(batch)[:3].tolist() for batch in data.take(12).as_numpy_iterator()]
    assert whole.batches == firsts[::3]


def test_an_epoch_of_ours_is_one_pass_over_the_examples():
    recorder = Recorder()
    recorder.fit(tgs.data.digits(batch_size=400), epochs=2)
    assert recorder.steps == 2 * (1797 // 400)
    halves = Recorder(minibatches=2)
    halves.fit(tgs.data.digits(batch_size=400))
    assert halves.steps == 1797 // 800


def hooks_of(epochs, steps, done):
    """Runs and returns (hook, epoch or nothing) of a run resumed after some steps."""
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("train begins")

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(f"epoch {epoch} begins")

        def on_epoch_end(self, epoch, logs=None):
            seen.append(f"epoch {epoch} ends")

        def on_train_end(self, logs=None):
            seen.append("train ends")

    recorder = Recorder()
    resumed = Resumed(Progress(*divmod(done, steps)), done)
    history = recorder.fit(
        tgs.data.mixture(batch_size=4),
        epochs=epochs,
        steps_per_epoch=steps,
        callbacks=[Note(), resumed],
    )
    return seen, history.epoch, recorder.steps


@pytest.mark.parametrize("done", range(7))
def test_callbacks_see_one_training_from_begin_to_end(done):
    seen, trained, steps = hooks_of(epochs=2, steps=3, done=done)
    epochs = list(range(done // 3, 2))
    inner = [f"epoch {epoch} {what}" for epoch in epochs for what in ("begins", "ends")]
    assert seen == ["train begins", *inner, "train ends"]
    assert trained == epochs
    assert steps == 6


def test_stopping_in_a_resumed_epoch_ends_the_training():
    class StopNow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    recorder = Recorder()
    history = recorder.fit(
        tgs.data.mixture(batch_size=4),
        epochs=5,
        steps_per_epoch=3,
        callbacks=[Resumed(Progress(1, 1), 4), StopNow()],
    )
    assert history.epoch == [1]
    assert recorder.steps == 6


def test_a_run_that_has_all_its_epochs_trains_nothing():
    recorder = Recorder()
    history = recorder.fit(numbered(3), epochs=2, callbacks=[Resumed(Progress(2, 0), 6)])
    assert history.epoch == []
    assert recorder.batches == []


def test_checkpoints_are_called_last_wherever_they_stand():
    order = []

    class First(Resumed):
        def on_epoch_end(self, epoch, logs=None):
            order.append("checkpoint")

    class Other(keras.callbacks.Callback):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def on_epoch_end(self, epoch, logs=None):
            order.append(self.name)

    for progress in (None, Progress(0, 1)):
        order.clear()
        Recorder().fit(numbered(3), callbacks=[First(progress), Other("a"), Other("b")])
        assert order == ["a", "b", "checkpoint"]


def test_a_guard_is_called_first_wherever_it_stands():
    order = []

    class Guard(keras.callbacks.Callback):
        diagnostics = None

        def begin(self, monitor, step, progress, ordered):
            order.append((progress, ordered))

        def on_epoch_end(self, epoch, logs=None):
            order.append("guard")

    other = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: order.append("other"))
    Recorder().fit(numbered(3), callbacks=[Resumed(Progress(0, 1)), other, Guard()])
    assert order == [(Progress(0, 1), True), "guard", "other"]


def test_after_a_rollback_the_data_go_on_where_they_were():
    data = tgs.data.digits(batch_size=4)
    whole, rest = Recorder(), Recorder()
    whole.fit(data, epochs=2, steps_per_epoch=4)
    rest.steps_lost = 2
    rest.fit(data, epochs=2, steps_per_epoch=4, callbacks=[Resumed(Progress(1, 1), 3)])
    assert rest.batches == whole.batches[5:]


def test_a_single_callback_needs_no_list():
    recorder, resumed = Recorder(), Resumed(Progress(0, 2), 2)
    recorder.fit(numbered(3), callbacks=resumed)
    assert recorder.batches == [[2.0, 2.0]]


def test_two_checkpoints_are_refused():
    with pytest.raises(ValueError, match="resumes from one place. Received: 2 checkpoint"):
        Recorder().fit(numbered(3), callbacks=[Resumed(None), Resumed(None)])


def test_arrays_train_with_the_length_of_their_epochs_known():
    lengths = []

    class Note(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            lengths.append(self.params["steps"])

    recorder = Recorder()
    resumed = Resumed(None)
    recorder.fit(
        np.ones([10, 2], "float32"),
        batch_size=4,
        validation_split=0.2,
        validation_freq=2,
        callbacks=[Note(), resumed],
    )
    assert lengths == [2]
    assert recorder.steps == 2
    assert resumed.ordered is False


def test_data_without_an_order_have_no_place_inside_an_epoch_to_resume_from():
    message = "needs data in a fixed order.*Received: ndarray. Give `fit` the data of the run"
    with pytest.raises(ValueError, match=message):
        Recorder().fit(np.ones([10, 2]), callbacks=[Resumed(Progress(0, 1), 1)])


def test_shorter_epochs_than_those_of_the_run_that_is_resumed_are_refused():
    message = "longer than 3 steps. Received: steps_per_epoch=3. Resume with the earlier value"
    with pytest.raises(ValueError, match=message):
        Recorder().fit(numbered(9), steps_per_epoch=3, callbacks=[Resumed(Progress(0, 3), 3)])


def test_endless_examples_need_a_length_of_an_epoch():
    message = "`steps_per_epoch` is needed: .*mixture.* makes up examples without end"
    with pytest.raises(ValueError, match=message):
        Recorder().fit(tgs.data.mixture(batch_size=4))


def test_fit_before_compile_is_refused(tiny):
    gan = tgs.GAN(*tiny.image_networks(), latents=3)
    with pytest.raises(ValueError, match="must be compiled before `fit`. Call gan.compile"):
        gan.fit(tiny.images())


def test_the_first_fit_starts_averages_and_clock_and_later_ones_do_not():
    recorder = Recorder()
    recorder.clock.set(100.0)
    recorder.fit(numbered(3))
    assert recorder.starts == 1
    assert 0.0 < recorder.clock.seconds < 50.0
    recorder.clock.set(7.0)
    recorder.fit(numbered(3))
    assert recorder.starts == 1
    assert 7.0 < recorder.clock.seconds < 57.0


def test_metadata_of_the_data_are_those_of_this_training():
    recorder = Recorder()
    digits = tgs.data.digits(batch_size=500, labels=True)
    recorder.fit(digits)
    assert recorder.data_metadata == digits.description()
    assert recorder.num_classes == 10
    recorder.fit(numbered(3))
    assert recorder.data_metadata is None


def test_whoever_began_to_listen_in_a_training_that_failed_listens_no_more(tiny):
    recorder = Recorder()
    recorder.listeners.append("before")

    def listen(hook):
        recorder.listeners.append("during")
        raise RuntimeError(hook)

    with pytest.raises(RuntimeError, match="on_epoch_end"):
        recorder.fit(numbered(3), callbacks=[tiny.Trace(listen, "on_epoch_end")])
    assert list(recorder.listeners) == ["before"]


def test_a_headline_tells_scheme_cost_and_compilation(capsys):
    Recorder().fit(numbered(2), verbose=2)
    printed = capsys.readouterr().out
    assert "2 field evaluation(s) a step; XLA: off (of no use here.) 1 replica(s)" in printed
    Recorder().fit(numbered(2), verbose=0)
    assert capsys.readouterr().out == ""
    gan = Recorder()
    gan.penalties = (tgs.Consensus(0.5),)
    gan.fit(numbered(2), verbose=2)
    expected = "evaluation(s) and the derivatives of (Consensus(weight=0.5),) a step"
    assert expected in capsys.readouterr().out


def test_averages_that_a_training_is_too_short_for_are_named(capsys):
    gan = Recorder()
    gan.averages = {
        "ema": tgs.ExponentialAverage(0.5),
        "slow": tgs.ExponentialAverage(0.99, at="sync"),
    }
    gan.average_periods = {"ema": 1, "slow": 2}
    gan.fit(numbered(2), epochs=3, verbose=2)
    printed = capsys.readouterr().out
    assert "Average 'slow' will still be 97% initial weights after 3 updates (6 steps)" in printed
    assert "'ema'" not in printed


@dataclasses.dataclass(frozen=True)
class Quarter(tgs.Average):
    """A user's rule, of which nothing is known."""

    def weight_of_point(self, point):
        return 0.25


# Rule, period, and the sentence for 6 steps of 2 images each; None for no sentence.
AGES = [
    (tgs.ExponentialAverage(half_life=6.5), 1, "53% initial.*smaller half-life than 6.5 steps"),
    (tgs.ExponentialAverage(half_life=5), 1, None),
    (tgs.ExponentialAverage(half_life=12.5, unit="images"), 1, "51% initial.*than 12.5 images"),
    (tgs.ExponentialAverage(half_life=11.5, unit="images"), 1, None),
    (tgs.ExponentialAverage(0.99, warmup="unbiased"), 1, None),
    (tgs.ExponentialAverage(half_life=1e6, warmup="unbiased"), 1, None),
    (tgs.ExponentialAverage(0.75, start=4), 1, "56% weights of step 4 after 2 updates"),
    (tgs.ExponentialAverage(0.5, start=4), 1, None),
    (tgs.ExponentialAverage(half_life=2.5, start=4), 1, "57% weights of step 4"),
    (
        tgs.ExponentialAverage(half_life=4.5, unit="images", start=4),
        1,
        "54% weights of step 4 after 2 updates",
    ),
    (tgs.ExponentialAverage(0.5, start=6), 1, "will equal the live weights.*after step 6"),
    (tgs.UniformAverage(start=5), 1, None),
    (tgs.UniformAverage(start=6), 1, "starts after step 6, and training ends with step 6"),
    (tgs.UniformAverage(start=4, at="sync"), 4, "will equal the live weights"),
    (tgs.UniformAverage(start=3, at="sync"), 4, None),
    (tgs.UniformAverage(), 1, None),
    (Quarter(), 1, None),
]


@pytest.mark.parametrize(("rule", "period", "sentence"), AGES)
def test_what_is_said_of_an_average_is_right_for_its_rule(capsys, rule, period, sentence):
    gan = Recorder()
    gan.averages, gan.average_periods = {"ema": rule}, {"ema": period}
    gan.fit(numbered(12).map(lambda x: tf.fill([2, 2], x[0])).take(2), epochs=3, verbose=2)
    printed = capsys.readouterr().out
    assert ("Average 'ema'" in printed) == (sentence is not None)
    assert sentence is None or re.search(sentence, printed)


def test_images_are_counted_where_the_data_tell_how_many_a_step_has(capsys):
    images = tgs.data.digits(batch_size=4)
    arrays = np.zeros([8, 2], "float32")
    unknown = tf.data.Dataset.from_generator(
        lambda: iter(arrays[None]), output_signature=tf.TensorSpec([None, 2])
    )
    assert images_per_step(images, 3, None) == 12
    assert images_per_step(images.examples(), 1, None) is None
    assert images_per_step(tf.data.Dataset.from_tensor_slices(arrays[None]), 2, None) == 8
    assert images_per_step(arrays, 1, 5) == 5
    assert images_per_step(arrays, 1, None) == 32
    assert images_per_step(unknown, 1, None) is None
    assert images_per_step(tf.data.Dataset.range(3), 1, None) is None
    rule = tgs.ExponentialAverage(half_life=1000, unit="images")
    assert rule.share_of_start(5, 5) is None
    assert rule.share_of_start(5, 5, 1000) == 0.5
