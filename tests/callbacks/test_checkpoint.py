"""A run that is interrupted and resumed ends where the uninterrupted one ends, bit for bit."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.callbacks.base import ScoreEvent, TextEvent
from tfgan_stab.callbacks.checkpoint_files import checkpoints, owned_variables, read_json

Checkpoint = tgs.callbacks.Checkpoint
EPOCHS, STEPS = 3, 4


def run(tiny, gan, *callbacks, epochs=EPOCHS, steps=STEPS, data=None):
    data = tiny.images() if data is None else data
    return gan.fit(
        data, epochs=epochs, steps_per_epoch=steps, callbacks=list(callbacks), verbose=0
    ).history


def names(directory):
    return [path.name for path in sorted(directory.iterdir())]


def progress(path):
    metadata = json.loads((path / "progress.json").read_text())
    return metadata["step"], metadata["epoch"], metadata["step_in_epoch"]


@pytest.fixture(scope="module")
def whole(tiny, compiled_image_gan):
    """The uninterrupted run: how it ends, and all its scores."""
    gan, new = compiled_image_gan
    tiny.put_back(gan, new)
    scores = []
    gan.listeners.append(lambda event: scores.append(event._replace(seconds=0)))
    run(tiny, gan, tgs.callbacks.Evaluate(tiny.MeanScore(), every=1))
    return tiny.everything(gan), scores


@pytest.mark.cases(full=1)
@pytest.mark.slow
@pytest.mark.parametrize("every", ["epoch", 1, 3, 5])
def test_run_killed_twice_ends_bit_for_bit_the_same(tiny, image_gan, whole, tmp_path, every):
    ending, expected = whole
    scores = {}
    start = tiny.everything(image_gan)
    for kill in (5, 10, None):
        tiny.put_back(image_gan, start)
        image_gan.listeners.append(
            lambda event: (
                scores.update({(event.step, event.weights): event._replace(seconds=0)})
                if isinstance(event, ScoreEvent)
                else None
            )
        )
        callbacks = [
            Checkpoint(tmp_path, every),
            tgs.callbacks.Evaluate(tiny.MeanScore(), every=1),
        ]
        if kill:
            with pytest.raises(tiny.Stop, match="after step"):
                run(tiny, image_gan, *callbacks, tiny.kill(image_gan, kill))
            tiny.disturb(image_gan)
        else:
            run(tiny, image_gan, *callbacks)
    assert tiny.same(tiny.everything(image_gan), ending)
    assert list(scores.values()) == expected


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize("kill", [1, 3, 4, 6])
def test_run_killed_after_any_step_resumes_from_there(tiny, image_gan, tmp_path, kill):
    start = tiny.everything(image_gan)
    run(tiny, image_gan, epochs=2)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, start)
    with pytest.raises(tiny.Stop, match="after step"):
        run(tiny, image_gan, Checkpoint(tmp_path, 1), tiny.kill(image_gan, kill), epochs=2)
    newest = checkpoints(tmp_path)[0]
    assert progress(newest) == (kill, *divmod(kill, STEPS))
    tiny.disturb(image_gan)
    steps = []
    trace = tiny.Trace(lambda hook: steps.append(image_gan.steps), "on_train_batch_begin")
    run(tiny, image_gan, Checkpoint(tmp_path, 1), trace, epochs=2)
    assert steps == list(range(kill, 2 * STEPS))
    assert tiny.same(tiny.everything(image_gan), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("every", "hook"),
    [
        ("epoch", "on_epoch_end"),
        (1, "on_epoch_end"),
        (4, "on_epoch_end"),
        (4, "on_train_batch_end"),
    ],
)
def test_run_killed_at_an_epochs_end_repeats_its_callbacks(
    tiny, image_gan, whole, tmp_path, every, hook
):
    def die(hook):
        if image_gan.steps == 2 * STEPS:
            raise tiny.Stop("after step 8")

    with pytest.raises(tiny.Stop, match="after step"):
        run(tiny, image_gan, Checkpoint(tmp_path, every), tiny.Trace(die, hook))
    tiny.disturb(image_gan)
    epochs = []

    class Note(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append(epoch)

    run(tiny, image_gan, Checkpoint(tmp_path, every), Note())
    assert epochs == [1, 2]
    assert tiny.same(tiny.everything(image_gan), whole[0])


@pytest.mark.exhaustive
@pytest.mark.slow
def test_new_model_of_the_same_settings_resumes(tiny, tmp_path):
    """With several minibatches a step, in data without end."""
    data = tgs.data.mixture(batch_size=4)

    def make():
        return tiny.point_gan(eager=True, scheme=tgs.Alternating(2))

    first = make()
    start = tiny.everything(first)
    run(tiny, first, epochs=2, data=data)
    expected = tiny.everything(first)
    tiny.put_back(first, start)
    with pytest.raises(tiny.Stop, match="after step"):
        run(tiny, first, Checkpoint(tmp_path, 3), tiny.kill(first, 5), epochs=2, data=data)
    second = make()
    assert not tiny.same(tiny.everything(second), start)
    run(tiny, second, Checkpoint(tmp_path, 3), epochs=2, data=data)
    assert tiny.same(tiny.everything(second), expected)
    assert second.images_seen == 2 * STEPS * 2 * 4


def numbered_images(count):
    """Images that a plain data set gives in a fixed order."""
    pixels = np.random.RandomState(3).uniform(-1, 1, [count, 4, 8, 8, 1])
    return tf.data.Dataset.from_tensor_slices(pixels.astype("float32"))


@pytest.mark.cases(full=2)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "steps", "every"),
    [(4, None, 3), (4, 4, 3), (8, 4, 3), (3, 4, 5), (4, None, "epoch")],
)
def test_plain_datasets_resume(tiny, image_gan, tmp_path, count, steps, every):
    data = numbered_images(count)
    if count == 3:
        data = data.repeat()
    start = tiny.everything(image_gan)
    run(tiny, image_gan, steps=steps, data=data)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, start)
    with pytest.raises(tiny.Stop, match="after step"):
        run(
            tiny,
            image_gan,
            Checkpoint(tmp_path, every),
            tiny.kill(image_gan, 7),
            steps=steps,
            data=data,
        )
    tiny.disturb(image_gan)
    run(tiny, image_gan, Checkpoint(tmp_path, every), steps=steps, data=data)
    assert tiny.same(tiny.everything(image_gan), expected)


@pytest.mark.slow
def test_finished_run_trains_additional_epochs_only(tiny, image_gan, whole, tmp_path):
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=2)
    ending, files = tiny.everything(image_gan), names(tmp_path)
    for every in ("epoch", 3):
        tiny.disturb(image_gan)
        history = run(tiny, image_gan, Checkpoint(tmp_path, every), epochs=2)
        assert history == {}
        assert tiny.same(tiny.everything(image_gan), ending)
        assert names(tmp_path) == files
    tiny.disturb(image_gan)
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=3)
    assert tiny.same(tiny.everything(image_gan), whole[0])


def test_zero_epochs_save_nothing(tiny, image_gan, whole, tmp_path):
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=0)
    assert names(tmp_path) == []
    run(tiny, image_gan, Checkpoint(tmp_path))
    assert tiny.same(tiny.everything(image_gan), whole[0])


@pytest.mark.slow
@pytest.mark.parametrize("every", ["epoch", 1, 4, 5])
def test_run_stopped_by_another_callback_resumes_there(tiny, image_gan, whole, tmp_path, every):
    def stop(hook):
        image_gan.stop_training = image_gan.steps in (6, 8)

    for steps, epoch, step in ((6, 1, 2), (8, 2, 0), (12, 3, 0)):
        trace = tiny.Trace(stop, "on_train_batch_end")
        run(tiny, image_gan, Checkpoint(tmp_path, every), trace)
        assert progress(checkpoints(tmp_path)[0]) == (steps, epoch, step)
        ending = tiny.everything(image_gan)
        tiny.disturb(image_gan)
    assert tiny.same(ending, whole[0])


@pytest.mark.slow
def test_only_the_newest_are_kept(tiny, image_gan, tmp_path):
    for every, keep, expected in (
        ("epoch", 2, [8, 12]),
        (3, 3, [6, 9, 12]),
        (5, 9, [5, 10, 12]),
        ("epoch", 1, [12]),
    ):
        place = tmp_path / f"{every}-{keep}"
        image_gan.start_over()
        run(tiny, image_gan, Checkpoint(place, every, keep))
        assert names(place) == [f"step-{steps:010d}" for steps in expected]
        ends = {progress(path) for path in checkpoints(place)}
        assert ends == {(n, *divmod(n, STEPS)) for n in expected}


def test_there_is_an_intact_checkpoint_at_every_moment(tiny, image_gan, tmp_path, monkeypatch):
    """Even when a single one is kept: the previous one is removed after the new one is there."""
    import shutil

    remove = shutil.rmtree

    def watched(path, **kwargs):
        others = [p for p in checkpoints(tmp_path) if p != path]
        assert others or not checkpoints(tmp_path), f"{path} was the only one"
        remove(path, **kwargs)

    monkeypatch.setattr("tfgan_stab.callbacks.checkpoint_files.shutil.rmtree", watched)
    run(tiny, image_gan, Checkpoint(tmp_path, 2, keep=1))
    assert names(tmp_path) == ["step-0000000012"]


def test_trained_weights_are_saved_while_an_average_is_in_use(tiny, image_gan, whole, tmp_path):
    swap = tgs.callbacks.SwapWeights("ema", swap_on_epoch=True)
    with pytest.raises(tiny.Stop, match="after step"):
        run(tiny, image_gan, swap, Checkpoint(tmp_path), tiny.kill(image_gan, 2 * STEPS))
    tiny.disturb(image_gan)
    with image_gan.using("late"):
        run(tiny, image_gan, Checkpoint(tmp_path), swap)
        assert tiny.same(tiny.network(image_gan), tiny.average(image_gan, "late"))
    assert tiny.same(tiny.everything(image_gan), whole[0])


def test_saving_does_not_change_training(tiny, image_gan, whole, tmp_path):
    evaluate = tgs.callbacks.Evaluate(tiny.MeanScore())
    saved = []
    note = tiny.Trace(lambda hook: saved.append(len(names(tmp_path))), "on_epoch_end")
    run(tiny, image_gan, Checkpoint(tmp_path, keep=9), evaluate, note)
    assert saved == [0, 1, 2]
    assert tiny.same(tiny.everything(image_gan), whole[0])


def test_seconds_continue_after_a_resume(tiny, image_gan, tmp_path):
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=1)
    (path,) = checkpoints(tmp_path)
    counted = json.loads((path / "progress.json").read_text())["seconds"]
    assert 0 < counted <= image_gan.clock.seconds
    image_gan.clock.set(5000.0)
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=1)
    assert counted < image_gan.clock.seconds < counted + 100


def test_resumed_run_prints_its_checkpoint(tiny, image_gan, tmp_path, capsys):
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=1)
    assert "Resuming" not in capsys.readouterr().out
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=1)
    assert f"Resuming from {tmp_path}/step-0000000004: 4 steps" in capsys.readouterr().out


@pytest.mark.slow
def test_unordered_data_are_saved_at_epoch_ends_only(tiny, image_gan, tmp_path):
    pixels = np.zeros([8, 8, 8, 1], "float32")
    message = "inside epochs need data in a fixed order.*every=3 with other data.*every='epoch'"
    with pytest.raises(ValueError, match=message):
        image_gan.fit(pixels, batch_size=4, callbacks=[Checkpoint(tmp_path, 3)], verbose=0)
    image_gan.fit(pixels, batch_size=4, callbacks=[Checkpoint(tmp_path)], verbose=0)
    history = image_gan.fit(
        pixels, batch_size=4, epochs=3, callbacks=[Checkpoint(tmp_path)], verbose=0
    )
    assert history.epoch == [1, 2]
    assert image_gan.steps == 6


@pytest.mark.parametrize("keep", [0, -1, 2.0, True, None])
def test_keep_must_be_a_positive_integer(tmp_path, keep):
    with pytest.raises(ValueError, match=f"`keep` must be a number.*Received: {keep!r}. Use 3"):
        Checkpoint(tmp_path, keep=keep)


@pytest.mark.parametrize(
    ("scheme", "numbers"), [(tgs.Alternating(), []), (tgs.Extragradient(state="separate"), [1, 2])]
)
def test_each_variable_is_saved_once(tiny, scheme, numbers):
    gan = tiny.image_gan(scheme=scheme)
    owned = owned_variables(gan)
    assert len([name for name in owned if "extrapolation" in name]) == len(numbers)
    saved = [id(variable) for variables in owned.values() for variable in variables]
    assert len(saved) == len(set(saved))


@pytest.mark.parametrize(
    ("before", "after"), [(2, "2 replicas and goes on with 1"), (1, None), (None, None)]
)
def test_another_number_of_replicas_is_told(tiny, image_gan, tmp_path, capsys, before, after):
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=1, steps=1)
    file = tmp_path / "step-0000000001" / "progress.json"
    metadata = read_json(file)
    assert metadata.pop("replicas") == 1
    known = {} if before is None else {"replicas": before}  # Earlier versions did not note it.
    file.write_text(json.dumps(metadata | known))
    events = []
    image_gan.listeners.append(events.append)
    capsys.readouterr()
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=1, steps=1)
    said = capsys.readouterr().out
    told = [event for event in events if isinstance(event, TextEvent)]
    assert ("replicas" in said) == bool(told) == (after is not None)
    if after:
        assert f"The run was on {after}: each batch of 8 is shared anew." in said
        assert (told[0].kind, told[0].details) == ("replicas", {"before": 2, "now": 1})
