"""RunLog writes a run's settings and scores, once each, also over interruptions."""

import json
import platform
import re
import resource

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs

RunLog = tgs.callbacks.RunLog


def run(tiny, gan, *callbacks, epochs=2):
    return gan.fit(
        tiny.images(), epochs=epochs, steps_per_epoch=3, callbacks=callbacks, verbose=0
    ).history


def test_run_json_holds_the_settings(tiny, image_gan, tmp_path):
    run(tiny, image_gan, RunLog(tmp_path / "a" / "b"))
    metadata = json.loads((tmp_path / "a" / "b" / "run.json").read_text())
    versions = metadata["versions"]
    assert versions["python"] == platform.python_version()
    assert versions["tensorflow"] == tf.__version__
    assert versions["keras"] == keras.__version__
    assert versions["numpy"] == np.__version__
    assert versions["tfgan_stab"] == tgs.__version__
    assert metadata["devices"] == [d.name for d in tf.config.list_logical_devices()]
    assert metadata["xla"] == {"scope": "off", "reason": "jit_compile=False was asked for."}
    assert metadata["scheme"] == "Alternating(discriminator_steps=1, reuse_batch=False)"
    assert metadata["field_evaluations_per_step"] == 2
    assert metadata["minibatches_per_step"] == 1
    assert metadata["loss"] == "non_saturating"
    assert metadata["precision"] == ["float32"]
    assert metadata["replicas"] == 1
    assert metadata["noise_seed"] == 0
    assert metadata["data"] == tiny.images().description()
    assert metadata["averages"]["late"] == repr(tgs.ExponentialAverage(0.5, start=3))
    assert "decay=0.5" in metadata["averages"]["late"]
    assert metadata["parameters"] == {
        name: sum(w.size for w in map(np.asarray, network.trainable_variables))
        for name, network in (
            ("generator", image_gan.generator),
            ("discriminator", image_gan.discriminator),
        )
    }
    assert metadata["started_at_step"] == 0
    run(tiny, image_gan, RunLog(tmp_path / "a" / "b"))
    assert json.loads((tmp_path / "a" / "b" / "run.json").read_text())["started_at_step"] == 6


def test_each_score_has_a_line(tiny, image_gan, tmp_path):
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore(), weights=["live", "ema"])
    history = run(tiny, image_gan, RunLog(tmp_path), evaluate)
    written = tiny.lines(tmp_path / "metrics.jsonl")
    seconds = [line.pop("seconds") for line in written]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert written == [
        {
            "step": 3 * (epoch + 1),
            "images": 24 * (epoch + 1),
            "field_evaluations": 6 * (epoch + 1),
            "score": "mean",
            "weights": weights,
            "value": history[label][epoch],
            "protocol": "mean/fake=10/seed=3",
        }
        for epoch in range(2)
        for weights, label in (("live", "mean"), ("ema", "mean_ema"))
    ]


def test_tensorboard_shows_losses_costs_scores_and_images(tiny, image_gan, tmp_path):
    callbacks = [
        RunLog(tmp_path),
        tgs.callbacks.Evaluate(tiny.MeanScore(), every=2, weights="ema"),
        tgs.callbacks.SampleGrid(tmp_path / "samples", 2, 2),
    ]
    published = []
    image_gan.listeners.append(published.append)
    history = run(tiny, image_gan, *callbacks)
    shown = tiny.events(tmp_path / "tensorboard")
    for epoch in range(2):
        step = 3 * (epoch + 1)
        accuracies = ("accuracy_on_real", "accuracy_on_fake")
        for name in ("generator_loss", "discriminator_loss", *accuracies):
            np.testing.assert_allclose(
                shown.pop((f"epoch/{name}", step)), history[name][epoch], rtol=1e-6
            )
        assert shown.pop(("epoch/field_evaluations", step)) == 2 * step
        assert shown.pop(("epoch/seconds_per_step", step)) > 0
    for event in published:
        if hasattr(event, "pixels"):
            pixels = shown.pop(("samples (ema)", event.step))
            np.testing.assert_array_equal(pixels, event.pixels)
        else:
            value = shown.pop(("scores/mean_ema", event.step))
            np.testing.assert_allclose(value, event.result.value, rtol=1e-6)
    assert [event.step for event in published] == [2, 3, 4, 6, 6]
    assert not shown


@pytest.mark.slow
def test_resumed_run_has_the_lines_of_the_uninterrupted_one(tiny, image_gan, tmp_path):
    start = tiny.everything(image_gan)

    def train(place, *others):
        tiny.put_back(image_gan, start)
        run(
            tiny,
            image_gan,
            tgs.callbacks.Checkpoint(place / "checkpoints"),
            RunLog(place),
            tgs.callbacks.Evaluate(tiny.MeanScore(), every=1),
            *others,
            epochs=3,
        )

    train(tmp_path / "whole")
    with pytest.raises(tiny.Stop, match="after step"):
        train(tmp_path / "cut", tiny.kill(image_gan, 5))
    metrics = tmp_path / "cut" / "metrics.jsonl"
    assert tiny.lines(metrics)[-1]["step"] == 5  # The checkpoint is of step 3.
    with metrics.open("a") as file:
        file.write('{"step": 6, "ima')
    train(tmp_path / "cut")
    lines = {}
    for place in ("whole", "cut"):
        lines[place] = tiny.lines(tmp_path / place / "metrics.jsonl")
        for line in lines[place]:
            del line["seconds"]
    assert lines["cut"] == lines["whole"]
    assert [line["step"] for line in lines["whole"]] == sorted(list(range(1, 10)) * 3)


def test_scores_of_another_run_are_renamed(tiny, image_gan, tmp_path, capsys):
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore(), weights="live", at_start=True)
    start = tiny.everything(image_gan)
    written = []
    for epochs in (2, 1, 1):
        tiny.put_back(image_gan, start)
        run(tiny, image_gan, RunLog(tmp_path), evaluate, epochs=epochs)
        written.append((tmp_path / "metrics.jsonl").read_text())
    assert [line["step"] for line in tiny.lines(tmp_path / "metrics.jsonl")] == [0, 3]
    assert (tmp_path / "metrics.previous-1.jsonl").read_text() == written[0]
    assert (tmp_path / "metrics.previous-2.jsonl").read_text() == written[1]
    message = f"scores of an earlier run. They are in {tmp_path / 'metrics.previous-2.jsonl'} now."
    assert message in capsys.readouterr().out


def test_scores_of_step_0_are_written_again_once(tiny, image_gan, tmp_path):
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore(), weights="live", at_start=True)
    with pytest.raises(tiny.Stop, match="after step"):
        run(tiny, image_gan, RunLog(tmp_path), evaluate, tiny.kill(image_gan, 1))
    metrics = tmp_path / "metrics.jsonl"
    assert [line["step"] for line in tiny.lines(metrics)] == [0]
    with metrics.open("a") as file:
        file.write('{"step": 3, "ima')
    image_gan.start_over()
    run(tiny, image_gan, RunLog(tmp_path), evaluate, epochs=1)
    assert [line["step"] for line in tiny.lines(metrics)] == [0, 3]
    assert not list(tmp_path.glob("metrics.previous*"))


def test_each_line_is_written_once_after_an_exception(tiny, image_gan, tmp_path):
    log = RunLog(tmp_path)
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore(), weights="live")
    with pytest.raises(tiny.Stop, match="after step"):
        run(tiny, image_gan, log, evaluate, tiny.kill(image_gan, 3))
    run(tiny, image_gan, log, evaluate, epochs=1)
    run(tiny, image_gan, RunLog(tmp_path), evaluate, epochs=1)
    assert [line["step"] for line in tiny.lines(tmp_path / "metrics.jsonl")] == [3, 6, 9]
    assert not image_gan.listeners


@pytest.mark.parametrize("steps", [0, 6])
def test_foreign_line_is_refused_and_nothing_overwritten(tiny, image_gan, tmp_path, steps):
    metrics = tmp_path / "metrics.jsonl"
    image_gan._counters.steps.assign(steps)
    for line in (b"not json\n", b'{"epoch": 3}\n', b"[1]\n", b"\x00\x00\n", b'{"\xff": 3}\n'):
        metrics.write_bytes(b'{"step": 0}\n' + line)
        with pytest.raises(ValueError, match=r"in each line of .*metrics.jsonl. Received: "):
            run(tiny, image_gan, RunLog(tmp_path))
        assert metrics.read_bytes() == b'{"step": 0}\n' + line
    assert image_gan.steps == steps


def test_resumed_run_drops_events_that_come_again(tiny, image_gan, tmp_path):
    """Not those that a rollback has undone, which has a line after them."""
    events = tmp_path / "events.jsonl"
    lines = [f'{{"step": {step}}}\n' for step in (2, 9, 4, 7)]
    events.write_text("".join(lines) + '{"step": 8, "ev')
    image_gan._counters.steps.assign(6)
    run(tiny, image_gan, RunLog(tmp_path), epochs=1)
    assert events.read_text() == "".join(lines[:3])
    image_gan._counters.steps.assign(6)
    events.write_text("[4]\n")
    message = r"Expected an event with its step in each line of .*events.jsonl. Received: '\[4\]"
    with pytest.raises(ValueError, match=message):
        run(tiny, image_gan, RunLog(tmp_path), epochs=1)


def test_lines_reach_the_disk(tiny, image_gan, tmp_path, quick_disk):
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore(), weights="live")
    run(tiny, image_gan, RunLog(tmp_path), evaluate, epochs=1)
    assert tmp_path / "metrics.jsonl" in quick_disk


def test_unusable_directory_is_refused_before_training(tiny, image_gan, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"can be written to: .*file. Received: .*Allow writing"):
        run(tiny, image_gan, RunLog(tmp_path / "file"))
    monkeypatch.setattr("os.access", lambda *args, **kwargs: False)
    message = re.escape(f"no permission to write to {tmp_path}")
    with pytest.raises(OSError, match=message):
        run(tiny, image_gan, RunLog(tmp_path))
    assert image_gan.steps == 0


def test_full_disk_names_the_file(tiny, image_gan, tmp_path):
    class FullDisk(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                log._metrics_file.unlink()
                log._metrics_file.symlink_to("/dev/full")

    log = RunLog(tmp_path)
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore(), weights="live")
    message = r"add a score to .*metrics.jsonl. Received: .*No space left.*Free some space"
    with pytest.raises(OSError, match=message):
        run(tiny, image_gan, log, FullDisk(), evaluate)


def test_full_disk_names_the_tensorboard_folder(tiny, image_gan, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(hook):
        # The operating system refuses to make any file longer, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))

    log = RunLog(tmp_path)
    message = r"(?s)add events to .*tensorboard. Received: .*Free some space or allow writing"
    try:
        with pytest.raises(OSError, match=message):
            run(tiny, image_gan, tiny.Trace(fill, "on_epoch_end"), log)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run(tiny, image_gan, log)


@pytest.mark.parametrize("name", ["scalar", "image", "create_file_writer"])
def test_every_summary_explains_a_full_disk(tiny, image_gan, tmp_path, monkeypatch, name):
    def full(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    callbacks = [RunLog(tmp_path), tgs.callbacks.SampleGrid(tmp_path / "samples", 1, 1, every=1)]
    if name == "scalar":
        callbacks[1] = tgs.callbacks.Evaluate(tiny.MeanScore(), every=1)
    monkeypatch.setattr(f"tensorflow.summary.{name}", full)
    with pytest.raises(OSError, match="add events to .*tensorboard. Received: .*No space left"):
        run(tiny, image_gan, *callbacks)
    assert image_gan.steps == (0 if name == "create_file_writer" else 1)


def test_one_writer_at_a_time_is_open(tiny, image_gan, tmp_path, monkeypatch):
    make, opened = tf.summary.create_file_writer, []

    def noted(*args, **kwargs):
        opened.append(make(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr("tensorflow.summary.create_file_writer", noted)
    log = RunLog(tmp_path)
    with pytest.raises(tiny.Stop, match="after step"):
        run(tiny, image_gan, log, tiny.kill(image_gan, 3))
    run(tiny, image_gan, log, epochs=1)
    assert [writer._closed for writer in opened] == [True, True]
