"""The best of a run is kept, by each score and for each weights, through kills and resumes."""

import json
import math
import os
import re
import shutil

import keras
import numpy as np
import pytest

import tfgan_stab as tgs
from tfgan_stab.callbacks.base import ScoreEvent
from tfgan_stab.callbacks.best_checkpoint import best_of
from tfgan_stab.evaluation.results import ScoreResult

BestCheckpoint, Checkpoint = tgs.callbacks.BestCheckpoint, tgs.callbacks.Checkpoint
STEPS = 2

# Keras' own, when it saves; what `pytest.warns` lets through no longer has its origin.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Scripted:
    """A score of given values: one per step and weights."""

    samples, seed = 2, 0

    def __init__(self, gan, values, name="fid", protocol="fid/a@1", larger_is_better=None):
        self.gan, self.values, self.name, self.protocol = gan, values, name, protocol
        if larger_is_better is not None:
            self.larger_is_better = larger_is_better
        self.asked = []

    def __call__(self, images):
        for _ in images:
            number = self.asked.count(self.gan.steps)
        self.asked.append(self.gan.steps)
        row = self.values[self.gan.steps]
        return ScoreResult(self.name, row[number % len(row)], self.protocol)


def run(tiny, gan, directory, values, *callbacks, epochs=3, weights=("live", "ema"), **settings):
    score = Scripted(gan, values, **settings)
    evaluate = tgs.callbacks.Evaluate(score, weights=weights)
    gan.fit(
        tiny.images(),
        epochs=epochs,
        steps_per_epoch=STEPS,
        callbacks=[BestCheckpoint(directory), evaluate, *callbacks],
        verbose=0,
    )


def found(directory):
    return {
        path.relative_to(directory).as_posix(): json.loads((path / "score.json").read_text())[
            "value"
        ]
        for path in sorted(directory.glob("*/step-*"))
    }


@pytest.mark.exhaustive
@pytest.mark.slow
def test_each_weights_have_their_own_best(tiny, image_gan, tmp_path):
    averages = {}
    note = tiny.Trace(
        lambda hook: averages.update({image_gan.steps: tiny.average(image_gan)}), "on_epoch_end"
    )
    run(tiny, image_gan, tmp_path, {2: (5.0, 9.0), 4: (7.0, 8.0), 6: (6.0, 8.0)}, note)
    assert found(tmp_path) == {"fid/step-0000000002": 5.0, "fid_ema/step-0000000004": 8.0}
    live, ema = best_of(tmp_path)
    assert (ema.result.name, ema.result.protocol, ema.weights) == ("fid", "fid/a@1", "ema")
    assert (live.step, ema.step) == (2, 4)
    saved = keras.saving.load_model(ema.generator)
    for mine, theirs in zip(saved.variables, averages[4], strict=True):
        if "seed" not in mine.path:  # Keras saves none.
            np.testing.assert_array_equal(mine.numpy(), theirs)
    assert image_gan.weights_in_use.current == "live"
    metadata = json.loads((ema.path / "score.json").read_text())
    assert (metadata["images"], metadata["larger_is_better"]) == (32, False)
    assert {path.name for path in ema.path.parent.iterdir()} == {ema.path.name}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("larger_is_better", "best"), [(None, 1.0), (False, 1.0), (True, 9.0)], ids=str
)
def test_larger_is_better_decides_the_direction(tiny, image_gan, tmp_path, larger_is_better, best):
    values = {2: (4.0,), 4: (9.0,), 6: (1.0,)}
    run(tiny, image_gan, tmp_path, values, weights="live", larger_is_better=larger_is_better)
    assert list(found(tmp_path).values()) == [best]
    # Another training knows it from the file.
    run(tiny, image_gan, tmp_path, {8: (5.0,)}, epochs=1, weights="live")
    assert list(found(tmp_path).values()) == [best]
    assert best_of(tmp_path)[0].larger_is_better == bool(larger_is_better)


@pytest.mark.slow
def test_nan_and_infinity_never_win(tiny, image_gan, tmp_path):
    values = {2: (math.nan, math.nan), 4: (3.0, -math.inf), 6: (math.nan, math.inf)}
    run(tiny, image_gan, tmp_path, values)
    assert found(tmp_path) == {"fid/step-0000000004": 3.0}


def test_first_of_equal_values_is_kept(tiny, image_gan, tmp_path):
    run(tiny, image_gan, tmp_path, {2: (3.0,), 4: (3.0,), 6: (3.0,)}, weights="late")
    assert found(tmp_path) == {"fid_late/step-0000000002": 3.0}


@pytest.mark.slow
@pytest.mark.parametrize("every", ["epoch", 3])
def test_run_continues_from_the_best_bit_for_bit(tiny, image_gan, tmp_path, every):
    new = tiny.everything(image_gan)
    score = Scripted(image_gan, dict.fromkeys(range(9), (5.0,)) | {3: (1.0,), 4: (1.0,)})
    swap = tgs.callbacks.SwapWeights("ema", swap_on_epoch=True)
    evaluate = tgs.callbacks.Evaluate(score, every=every, weights="ema")
    settings = {"epochs": 4, "steps_per_epoch": STEPS, "verbose": 0}
    best = BestCheckpoint(tmp_path / "best")
    image_gan.fit(tiny.images(), callbacks=[swap, evaluate, best], **settings)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, new)
    tiny.disturb(image_gan)
    (kept,) = best_of(tmp_path / "best")
    assert kept.step == (4 if every == "epoch" else 3)
    shutil.copytree(kept.path, tmp_path / "new" / kept.path.name)
    image_gan.fit(tiny.images(), callbacks=[Checkpoint(tmp_path / "new")], **settings)
    assert image_gan.steps == 8
    assert tiny.same(tiny.everything(image_gan), expected)


@pytest.mark.slow
def test_resume_keeps_the_best_before_and_removes_later_steps(tiny, image_gan, tmp_path):
    values = {2: (5.0, 4.0), 4: (3.0, 6.0), 6: (4.0, 5.0)}
    place = tmp_path / "best"
    checkpoint = Checkpoint(tmp_path / "checkpoints")

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise tiny.Stop("before the checkpoint")

    with pytest.raises(tiny.Stop, match="before"):
        run(tiny, image_gan, place, values, Stop(), checkpoint)
    # Both are there: a resumed run begins after step 2, and may do worse this time.
    expected = {"fid/step-0000000002": 5.0, "fid/step-0000000004": 3.0}
    assert found(place) == expected | {"fid_ema/step-0000000002": 4.0}
    image_gan.listeners = []
    values[4] = (6.0, 7.0)
    run(tiny, image_gan, place, values, Checkpoint(tmp_path / "checkpoints"))
    assert found(place) == {"fid/step-0000000006": 4.0, "fid_ema/step-0000000002": 4.0}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "place"), [(3, (0, 3)), (6, (1, 2))])
def test_resume_inside_an_epoch_counts_its_steps(tiny, image_gan, tmp_path, number, place):
    new = tiny.everything(image_gan)
    settings = {"epochs": 2, "steps_per_epoch": 4, "verbose": 0}
    with pytest.raises(tiny.Stop, match="after step 1"):
        callbacks = [tiny.kill(image_gan, 1), Checkpoint(tmp_path / "a", every=1)]
        image_gan.fit(tiny.images(), callbacks=callbacks, **settings)
    score = Scripted(image_gan, dict.fromkeys(range(9), (5.0,)) | {number: (1.0,)})
    evaluate = tgs.callbacks.Evaluate(score, every=1, weights="live")
    callbacks = [BestCheckpoint(tmp_path / "best"), evaluate, Checkpoint(tmp_path / "a", every=99)]
    image_gan.fit(tiny.images(), callbacks=callbacks, **settings)
    expected = tiny.everything(image_gan)
    (kept,) = best_of(tmp_path / "best")
    metadata = json.loads((kept.path / "progress.json").read_text())
    assert (metadata["step"], metadata["epoch"], metadata["step_in_epoch"]) == (number, *place)
    tiny.put_back(image_gan, new)
    shutil.copytree(kept.path, tmp_path / "b" / kept.path.name)
    image_gan.fit(tiny.images(), callbacks=[Checkpoint(tmp_path / "b")], **settings)
    assert tiny.same(tiny.everything(image_gan), expected)


def test_another_protocol_moves_the_previous_best_aside(tiny, image_gan, tmp_path):
    run(tiny, image_gan, tmp_path, {2: (1.0,)}, epochs=1, weights="live")
    with pytest.warns(UserWarning, match=r"fid/a@1, which cannot be compared with fid/b@2\. It is"):
        values = {4: (8.0,)}
        run(tiny, image_gan, tmp_path, values, epochs=1, weights="live", protocol="fid/b@2")
    assert found(tmp_path) == {
        "fid.previous-1/step-0000000002": 1.0,
        "fid/step-0000000004": 8.0,
    }
    assert [best.result.value for best in best_of(tmp_path)] == [8.0]


def test_two_protocols_of_one_name_are_refused(tiny, image_gan, tmp_path):
    other = Scripted(image_gan, {2: (1.0,)}, protocol="fid/b@2")
    message = "share the folder .*fid, which.*one measured as fid/a@1, one as fid/b@2. Rename one"
    with pytest.raises(ValueError, match=message):
        evaluate = tgs.callbacks.Evaluate(other, weights="live")
        run(tiny, image_gan, tmp_path, {2: (5.0,)}, evaluate, epochs=1, weights="live")
    assert found(tmp_path) == {"fid/step-0000000002": 5.0}


def test_same_callback_accepts_another_protocol_in_another_fit(tiny, image_gan, tmp_path):
    best = BestCheckpoint(tmp_path)

    def train(protocol):
        score = Scripted(image_gan, {2: (5.0,), 4: (8.0,)}, protocol=protocol)
        callbacks = [best, tgs.callbacks.Evaluate(score, weights="live")]
        image_gan.fit(tiny.images(), callbacks=callbacks, steps_per_epoch=STEPS, verbose=0)

    train("fid/a@1")
    with pytest.warns(UserWarning, match="cannot be compared with fid/b@2"):
        train("fid/b@2")
    assert sorted(found(tmp_path).values()) == [5.0, 8.0]


def test_without_checkpoints_only_the_best_is_kept(tiny, image_gan, tmp_path):
    score = Scripted(image_gan, {2: (5.0,), 4: (3.0,)})
    callbacks = [BestCheckpoint(tmp_path / "best"), tgs.callbacks.Evaluate(score, weights="live")]
    for others in ([Checkpoint(tmp_path / "checkpoints")], []):
        callbacks = [*callbacks[:2], *others]
        image_gan.fit(tiny.images(), callbacks=callbacks, steps_per_epoch=STEPS, verbose=0)
    assert found(tmp_path / "best") == {"fid/step-0000000004": 3.0}


def test_best_of_step_0_is_not_kept_for_another_run(tiny, image_gan, tmp_path):
    for value in (3.0, 5.0):
        score = Scripted(image_gan, {0: (value,)})
        evaluate = tgs.callbacks.Evaluate(score, every=99, weights="live", at_start=True)
        callbacks = [BestCheckpoint(tmp_path), evaluate, tiny.kill(image_gan, 0)]
        with pytest.raises(tiny.Stop, match="after step 0"):
            image_gan.fit(tiny.images(), callbacks=callbacks, steps_per_epoch=STEPS, verbose=0)
    assert found(tmp_path) == {"fid/step-0000000000": 5.0}


@pytest.mark.slow
def test_new_run_moves_the_best_of_another_one_aside(tiny, image_gan, tmp_path, capsys):
    new = tiny.everything(image_gan)
    mine = tmp_path / "notes"
    mine.mkdir()
    (mine / "step-1").mkdir()
    for _ in range(2):
        tiny.put_back(image_gan, new)
        run(tiny, image_gan, tmp_path, {2: (5.0,)}, epochs=1, weights="ema")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"notes", "fid_ema", "fid_ema.previous-1"}
    assert "held the best of an earlier run. It is in" in capsys.readouterr().out
    assert list(mine.iterdir()) == [mine / "step-1"]


def failing(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("place", ["os.replace", "write_sealed", "flush", "write"])
def test_kill_while_writing_keeps_the_previous_best(tiny, image_gan, tmp_path, monkeypatch, place):
    values = {2: (5.0,), 4: (3.0,)}
    run(tiny, image_gan, tmp_path, values, epochs=1, weights="ema")
    with monkeypatch.context() as patch:
        patch.setattr(
            f"tfgan_stab.callbacks.best_checkpoint.{place}", failing(KeyboardInterrupt("killed"))
        )
        with pytest.raises(KeyboardInterrupt, match="killed"):
            run(tiny, image_gan, tmp_path, values, epochs=1, weights="ema")
    assert found(tmp_path) == {"fid_ema/step-0000000002": 5.0}
    run(tiny, image_gan, tmp_path, values | {6: (4.0,)}, epochs=1, weights="ema")
    assert found(tmp_path) == {"fid_ema/step-0000000006": 4.0}
    assert [path.name for path in (tmp_path / "fid_ema").iterdir()] == ["step-0000000006"]


def test_full_disk_is_explained(tiny, image_gan, tmp_path, monkeypatch):
    full = failing(OSError(28, "No space left on device"))
    monkeypatch.setattr("tfgan_stab.callbacks.best_checkpoint.write_sealed", full)
    place = re.escape(str(tmp_path))
    message = f"keep the best model in {place}(?s:.)*No space left(?s:.)*Free some space"
    with pytest.raises(OSError, match=message):
        run(tiny, image_gan, tmp_path, {2: (5.0,)}, epochs=1, weights="ema")


def test_nothing_else_is_left_after_the_last_checkpoint(tiny, image_gan, tmp_path):
    checkpoint = tgs.callbacks.Checkpoint(tmp_path / "checkpoints", every=3)
    values = {2: (5.0,), 4: (3.0,)}  # Of steps 3 and 4 are checkpoints, the last one at the end.
    run(tiny, image_gan, tmp_path / "best", values, checkpoint, epochs=2, weights="ema")
    assert found(tmp_path / "best") == {"fid_ema/step-0000000004": 3.0}
    assert not image_gan.listeners


def test_kill_while_removing_leaves_nothing_that_seems_damaged(
    tiny, image_gan, tmp_path, monkeypatch
):
    remove = shutil.rmtree

    def killed_in_the_midst(path, **settings):
        if str(path).endswith(".removed.unfinished") and path.exists():
            (path / "state.index").unlink()
            raise KeyboardInterrupt("killed")
        remove(path, **settings)

    values = {2: (5.0,), 4: (3.0,)}
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed_in_the_midst)
        with pytest.raises(KeyboardInterrupt, match="killed"):
            run(tiny, image_gan, tmp_path, values, epochs=2, weights="ema")
    assert list(tmp_path.glob("fid_ema/*.removed.unfinished"))
    run(tiny, image_gan, tmp_path, {6: (9.0,)}, epochs=1, weights="ema")  # And warns of nothing.
    assert [path.name for path in (tmp_path / "fid_ema").iterdir()] == ["step-0000000004"]


@pytest.mark.parametrize(
    "name", ["score.json", "score.json: value", "progress.json", "state.index"]
)
def test_damaged_best_does_not_count(tiny, image_gan, tmp_path, name):
    run(tiny, image_gan, tmp_path, {2: (1.0,)}, epochs=1, weights="ema")
    (path,) = tmp_path.glob(f"fid_ema/step-*/{name.partition(':')[0]}")
    path.write_text(path.read_text().replace("1.0", "0.0") if "value" in name else "{")
    with pytest.warns(UserWarning, match="is damaged.*It no longer counts, and is .*damaged-step"):
        run(tiny, image_gan, tmp_path, {4: (5.0,)}, epochs=1, weights="ema")
    assert [best.result.value for best in best_of(tmp_path)] == [5.0]
    assert {path.name for path in (tmp_path / "fid_ema").iterdir()} == {
        "step-0000000004",
        "damaged-step-0000000002.previous-1",
    }


def test_unusable_directory_is_refused_before_training(tiny, image_gan, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="Expected a directory that can be written to"):
        run(tiny, image_gan, tmp_path / "file", {}, epochs=1)
    assert image_gan.steps == 0


def test_keeping_the_best_does_not_change_training(tiny, image_gan, tmp_path):
    new = tiny.everything(image_gan)
    image_gan.fit(tiny.images(), epochs=2, steps_per_epoch=STEPS, verbose=0)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, new)
    run(tiny, image_gan, tmp_path, {2: (5.0, 5.0), 4: (3.0, 2.0)}, epochs=2)
    assert tiny.same(tiny.everything(image_gan), expected)
    assert os.listdir(tmp_path)
    assert not image_gan.listeners


def test_scores_names_stay_in_the_folder(image_gan, tmp_path):
    best = BestCheckpoint(tmp_path / "run" / "best")
    best.set_model(image_gan)
    best.on_train_begin()
    for name in ("../../outside", "/outside", "a/b"):
        result = ScoreResult(name, 5.0, "fid/a@1")
        with pytest.raises(ValueError, match=f"name of something in .*best. Received: '{name}"):
            best.on_event(ScoreEvent(0, 0, 0.0, "live", result))
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "best"]
