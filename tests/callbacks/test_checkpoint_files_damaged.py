"""Damaged checkpoints, those of other models, full disks: the message, and what is left."""

import contextlib
import hashlib
import json
import os
import re
import shutil

import keras
import pytest
import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab.callbacks.checkpoint_files import (
    DamagedCheckpointError,
    checkpoints,
    read_json,
    read_metadata,
    remove,
    restore,
    save,
    write_sealed,
)
from tfgan_stab.training.resume import Progress

Checkpoint = tgs.callbacks.Checkpoint


def run(tiny, gan, *callbacks, epochs=3):
    gan.fit(tiny.images(), epochs=epochs, steps_per_epoch=2, callbacks=list(callbacks), verbose=0)


@pytest.fixture(scope="module")
def saved_once(tiny, compiled_image_gan, tmp_path_factory):
    """Checkpoints of steps 2, 4 and 6, and every number of the model in these steps."""
    directory = tmp_path_factory.mktemp("saved")
    gan, new = compiled_image_gan
    tiny.put_back(gan, new)
    numbers = {}
    note = tiny.Trace(
        lambda hook: numbers.update({gan.steps: tiny.everything(gan)}), "on_epoch_end"
    )
    run(tiny, gan, Checkpoint(directory), note)
    return directory, numbers


@pytest.fixture
def saved(tiny, image_gan, saved_once, tmp_path):
    """A directory with those checkpoints, whose model has forgotten everything; the numbers."""
    directory, numbers = saved_once
    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    tiny.disturb(image_gan)
    return tmp_path, numbers


def cut(path):
    """Halves a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    """Changes one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def replace(content):
    return lambda path: path.write_bytes(content)


DAMAGES = {
    "weights cut": ("state.data*", cut),
    "weights empty": ("state.data*", replace(b"")),
    "a bit of the weights flipped": ("state.data*", flip),
    "weights gone": ("state.data*", os.remove),
    "index cut": ("state.index", cut),
    "index gone": ("state.index", os.remove),
    "metadata cut": ("progress.json", cut),
    "metadata empty": ("progress.json", replace(b"")),
    "metadata zeroed": ("progress.json", replace(b"\0" * 300)),
    "metadata no object": ("progress.json", replace(b"[1, 2]")),
    "metadata without files": ("progress.json", replace(b'{"step": 6}')),
    "metadata of another kind": ("progress.json", replace(b'{"files": ["state.index"]}')),
    "metadata without progress": ("progress.json", replace(b'{"files": {}}')),
    "metadata gone": ("progress.json", os.remove),
}


@pytest.mark.cases(fast=5)
@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_newest_falls_back_to_the_previous_one(tiny, image_gan, saved, kind):
    directory, numbers = saved
    newest, previous, _ = checkpoints(directory)
    pattern, damage = DAMAGES[kind]
    (path,) = newest.glob(pattern)
    damage(path)
    message = re.escape(f"Checkpoint {newest} is damaged: ") + f".*Falling back to {previous}."
    with pytest.warns(UserWarning, match=message):
        assert tiny.resume(Checkpoint(directory), image_gan) == Progress(2, 0)
    assert tiny.same(tiny.everything(image_gan), numbers[4])


def test_training_replaces_the_damaged_one(tiny, image_gan, saved):
    directory, numbers = saved
    cut(checkpoints(directory)[0] / "state.index")
    with pytest.warns(UserWarning, match="is damaged"):
        run(tiny, image_gan, Checkpoint(directory))
    assert tiny.same(tiny.everything(image_gan), numbers[6])
    tiny.disturb(image_gan)
    assert tiny.resume(Checkpoint(directory), image_gan) == Progress(3, 0)
    assert tiny.same(tiny.everything(image_gan), numbers[6])


def test_plain_file_is_no_checkpoint(tiny, image_gan, saved):
    directory, numbers = saved
    (directory / "step-notes.txt").write_text("the third one looks best")
    run(tiny, image_gan, Checkpoint(directory, keep=1))
    assert tiny.same(tiny.everything(image_gan), numbers[6])
    assert (directory / "step-notes.txt").exists()


def test_damaged_ones_do_not_replace_intact_ones(tiny, image_gan, saved):
    directory, numbers = saved
    for newest in checkpoints(directory)[:2]:
        cut(newest / "progress.json")
    settings = {"every": 3, "keep": 1}
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(tiny.Stop, match="after step 3"),
    ):
        run(tiny, image_gan, Checkpoint(directory, **settings), tiny.kill(image_gan, 3))
    assert [path.name[-1] for path in checkpoints(directory)] == ["6", "4", "3"]
    tiny.disturb(image_gan)
    with pytest.warns(UserWarning, match="is damaged"):
        run(tiny, image_gan, Checkpoint(directory, **settings))
    assert [path.name[-1] for path in checkpoints(directory)] == ["6"]
    assert tiny.same(tiny.everything(image_gan), numbers[6])


def test_all_damaged_raises_and_loses_nothing(tiny, image_gan, saved):
    directory, _ = saved
    for path in checkpoints(directory):
        cut(path / "state.index")
    before = sorted(directory.rglob("*"))
    newest, previous, oldest = checkpoints(directory)
    message = (
        re.escape(f"intact checkpoint in {directory}. Received: 3 damaged. Checkpoint {oldest}")
        + " is damaged: .*Move what is in there away"
    )
    with (
        pytest.warns(UserWarning, match="is damaged") as warned,
        pytest.raises(DamagedCheckpointError, match=message),
    ):
        run(tiny, image_gan, Checkpoint(directory))
    shown = [str(warning.message) for warning in warned]
    assert [text.partition(" is ")[0] for text in shown] == [
        f"Checkpoint {newest}",
        f"Checkpoint {previous}",
    ]
    assert [text.rpartition(" Falling back to ")[2] for text in shown] == [
        f"{previous}.",
        f"{oldest}.",
    ]
    assert sorted(directory.rglob("*")) == before


def test_unfinished_ones_are_removed(tiny, image_gan, saved):
    directory, numbers = saved
    newest = checkpoints(directory)[0]
    for name in ("step-0000000008.unfinished", "step-0000000006.unfinished"):
        shutil.copytree(newest, directory / name)
    (directory / "step-0000000008.unfinished" / "progress.json").unlink()
    assert checkpoints(directory)[0] == newest
    run(tiny, image_gan, Checkpoint(directory))
    assert not list(directory.glob("*.unfinished"))
    assert tiny.same(tiny.everything(image_gan), numbers[6])


def test_other_networks_are_refused(tiny, saved):
    directory, _ = saved
    before = sorted(directory.rglob("*"))
    others = {
        "generator 0: ": tiny.point_gan(eager=True),
        "averages": tiny.image_gan({"ema": tgs.ExponentialAverage(0.75)}, eager=True),
    }
    for gan in others.values():
        start = tiny.everything(gan)
        with pytest.raises(ValueError, match="checkpoint of this model.*Received: other variables"):
            tiny.resume(Checkpoint(directory), gan)
        assert tiny.same(tiny.everything(gan), start)
    assert sorted(directory.rglob("*")) == before


def test_refusal_names_the_first_difference(tiny, image_gan, saved):
    directory, _ = saved
    point_gan = tiny.point_gan(eager=True)
    message = r"for example .*float32 \[3, 5\] here, .*float32 \[3, 12\] there"
    with pytest.raises(ValueError, match=message):
        tiny.resume(Checkpoint(directory), point_gan)


def flipped(content, place, bit):
    """Returns content with one bit changed."""
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def test_no_flipped_bit_of_the_metadata_goes_unnoticed(saved):
    directory, _ = saved
    path = checkpoints(directory)[0] / "progress.json"
    content, known = path.read_bytes(), read_json(path)
    for place in range(0, len(content), 11):
        path.write_bytes(flipped(content, place, bit=place % 5))
        with contextlib.suppress(ValueError):  # Else it is the word "checksum" that has changed.
            received = read_json(path)
            assert {key: received[key] for key in known} == known
    path.write_bytes(content.replace(b'"step_in_epoch": 0', b'"step_in_epoch": 1'))
    with pytest.raises(DamagedCheckpointError, match="is damaged: .*progress.json changed"):
        read_metadata(path.parent)


def test_tensorflow_notices_each_flipped_bit_too(image_gan, saved):
    """Weights that our hash has seen damaged already are refused by the checksums of tensors."""
    newest = checkpoints(saved[0])[0]
    (path,) = newest.glob("state.data*")
    content = path.read_bytes()
    places = range(3, len(content), len(content) // 25)
    for place in places:
        path.write_bytes(flipped(content, place, bit=place % 8))
        reader = tf.train.load_checkpoint(str(newest / "state"))
        with pytest.raises(tf.errors.OpError, match="Checksum does not match"):
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
    metadata = read_json(newest / "progress.json")
    metadata["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_sealed(newest / "progress.json", metadata)
    with pytest.raises(DamagedCheckpointError, match="is damaged: (?s:.)*Checksum does not match"):
        restore(image_gan, newest)


@pytest.fixture
def kills(monkeypatch):
    """Ends whatever removes a folder, in the midst of that."""

    def killed_in_the_midst(path, **settings):
        if path.exists():
            (path / "state.index").unlink()
            raise KeyboardInterrupt("killed")

    @contextlib.contextmanager
    def context():
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match="killed"):
            patch.setattr("shutil.rmtree", killed_in_the_midst)
            yield

    return context


def test_kill_while_replacing_leaves_a_whole_one(image_gan, saved, kills):
    """A guard that stops saves the step of the newest checkpoint again, and of keep=1 the only."""
    directory, _ = saved
    newest, *older = checkpoints(directory)
    for path in older:
        remove(path)
    restore(image_gan, newest)
    with kills():
        save(image_gan, directory, Progress(1, 0))
    assert checkpoints(directory) == [newest]
    assert read_metadata(newest)["epoch"] == 1


def test_kill_while_removing_leaves_no_damaged_one(tiny, image_gan, saved, kills):
    directory, _ = saved
    newest, *older = checkpoints(directory)
    with kills():
        remove(newest)
    assert checkpoints(directory) == older
    shutil.copytree(older[0], newest)
    remove(newest)  # Beside what the kill has left.
    assert checkpoints(directory) == older
    tiny.resume(Checkpoint(directory), image_gan)
    assert sorted(directory.iterdir(), reverse=True) == older


def test_removed_directory_is_named(image_gan, tmp_path):
    place = re.escape(str(tmp_path / "gone"))
    message = rf"save a checkpoint in {place}(?s:.)*{place} is gone: put it back, or run the same"
    with pytest.raises(OSError, match=message):
        save(image_gan, tmp_path / "gone", Progress(0, 0))


def disk_full(*args, **kwargs):
    raise OSError(28, "No space left on device")


def exhausted(*args, **kwargs):
    raise tf.errors.ResourceExhaustedError(None, None, "No space left on device; WriteFile")


FULL = {
    "while the weights are written": ("tensorflow.train.Checkpoint.write", exhausted),
    "while the metadata are written": (
        "tfgan_stab.callbacks.checkpoint_files.write_atomically",
        disk_full,
    ),
    "while waiting for the disk": ("tfgan_stab.callbacks.checkpoint_files.flush", disk_full),
    "while making the folder": ("pathlib.Path.mkdir", disk_full),
    "while giving the name": ("tfgan_stab.callbacks.checkpoint_files.os.replace", disk_full),
}


@pytest.mark.slow
@pytest.mark.parametrize("when", FULL)
def test_full_disk_keeps_previous_checkpoints(tiny, image_gan, tmp_path, monkeypatch, when):
    start = tiny.everything(image_gan)
    run(tiny, image_gan)
    expected = tiny.everything(image_gan)
    tiny.put_back(image_gan, start)
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=2)
    fill = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: monkeypatch.setattr(*FULL[when])
    )
    message = re.escape(f"save a checkpoint in {tmp_path}. Received: ") + (
        "(?s:.)*No space left(?s:.)*before it are intact, the newest is step-0000000004. Free some"
    )
    with pytest.raises(OSError, match=message):
        run(tiny, image_gan, Checkpoint(tmp_path), fill)
    monkeypatch.undo()
    assert [path.name[-1] for path in checkpoints(tmp_path)] == ["4", "2"]
    assert not list(tmp_path.glob("*.unfinished"))
    tiny.disturb(image_gan)
    run(tiny, image_gan, Checkpoint(tmp_path))
    assert tiny.same(tiny.everything(image_gan), expected)


@pytest.mark.slow
def test_kill_while_saving_keeps_previous_checkpoints(tiny, image_gan, tmp_path, monkeypatch):
    """Whatever of a save has been done: nothing of it counts before the name is given."""
    start = tiny.everything(image_gan)
    run(tiny, image_gan)
    expected = tiny.everything(image_gan)
    for function in ("os.replace", "write_atomically", "_hash", "flush"):
        place = tmp_path / function
        tiny.put_back(image_gan, start)
        run(tiny, image_gan, Checkpoint(place), epochs=1)
        with monkeypatch.context() as patch:
            patch.setattr(f"tfgan_stab.callbacks.checkpoint_files.{function}", interrupted)
            with pytest.raises(KeyboardInterrupt, match="killed"):
                run(tiny, image_gan, Checkpoint(place))
        assert [path.name[-1] for path in checkpoints(place)] == ["2"]
        tiny.disturb(image_gan)
        run(tiny, image_gan, Checkpoint(place))
        assert tiny.same(tiny.everything(image_gan), expected)


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt("killed")


def test_files_are_flushed_before_the_rename(tiny, image_gan, tmp_path, quick_disk, monkeypatch):
    rename, found = os.replace, []

    def watched(source, target):
        if str(source).endswith(".unfinished"):
            assert {p for p in source.iterdir() if p.name != "progress.json"} <= set(quick_disk)
            # The metadata were written atomically, which flushes the draft they were written to.
            assert any(p.parent == source and "progress" in p.name for p in quick_disk)
            quick_disk.clear()
            found.append(source)
        rename(source, target)

    monkeypatch.setattr("os.replace", watched)
    run(tiny, image_gan, Checkpoint(tmp_path), epochs=1)
    assert len(found) == 1
    assert quick_disk == [tmp_path]


def test_unusable_directory_is_refused_before_training(tiny, image_gan, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"can be written to: .*/file/in. Received"):
        run(tiny, image_gan, Checkpoint(tmp_path / "file" / "in"))
    monkeypatch.setattr("os.access", lambda *args, **kwargs: False)
    with pytest.raises(OSError, match="no permission to write to"):
        run(tiny, image_gan, Checkpoint(tmp_path))
    assert image_gan.steps == 0


def test_metadata_list_every_file_with_its_hash(saved):
    directory, _ = saved
    for path in checkpoints(directory):
        metadata = json.loads((path / "progress.json").read_text())
        assert metadata["files"] == {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in path.iterdir()
            if file.name != "progress.json"
        }
        assert len(metadata["files"]) >= 2
