"""Checkpoints of other versions: names of keys and owners do not matter, the layout does."""

import json
import pathlib

import pytest

from tfgan_stab.callbacks import checkpoint_files
from tfgan_stab.callbacks.checkpoint_files import (
    DamagedCheckpointError,
    owned_variables,
    read_json,
    restore,
    restore_newest,
    save,
)
from tfgan_stab.training.resume import Progress


@pytest.mark.slow
def test_owners_names_do_not_matter(tiny, image_gan, tmp_path, monkeypatch):
    def renamed(gan):
        return {f"old_{owner}": variables for owner, variables in owned_variables(gan).items()}

    image_gan.fit(tiny.images(), steps_per_epoch=2, verbose=0)
    expected = tiny.everything(image_gan)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, "owned_variables", renamed)
        path = save(image_gan, tmp_path, Progress(1, 0))
    assert read_json(path / "progress.json")["variables"][0].startswith("old_model 0: ")
    tiny.disturb(image_gan)
    assert restore(image_gan, path)["step"] == 2
    assert tiny.same(tiny.everything(image_gan), expected)


@pytest.mark.parametrize("change", ["owners", "fewer", "more"])
def test_another_layout_is_refused(tiny, image_gan, tmp_path, change):
    """Of the same shapes one after another, but of other owners; or of another number."""
    path = save(image_gan, tmp_path, Progress(0, 0))
    metadata = read_json(path / "progress.json")
    lines = metadata["variables"]
    if change == "owners":
        place = lines.index(next(line for line in lines if line.startswith("generator_optimizer")))
        lines[place] = lines[place].replace("generator_optimizer 0", "model 99")
    else:
        metadata["variables"] = lines[:-1] if change == "fewer" else [*lines, lines[-1]]
    (path / "progress.json").write_text(json.dumps(metadata))
    before = tiny.everything(image_gan)
    with pytest.raises(ValueError, match="Received: other variables, for example .* there. Use"):
        restore(image_gan, path)
    assert tiny.same(tiny.everything(image_gan), before)


NAMES = ["with space", "日本", "#1", "100%", "{y}", "st*r", "wh?t", "lr=[1,2]", "[", "a\\b", "~a"]


@pytest.mark.cases(fast=2)
@pytest.mark.parametrize("name", NAMES)
def test_folders_may_have_any_name(tiny, image_gan, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = pathlib.Path(name)
    folder.mkdir()
    expected = tiny.everything(image_gan)
    save(image_gan, folder, Progress(0, 0))
    for directory in (folder, tmp_path / name, f"{name}/"):
        tiny.disturb(image_gan)
        path, metadata = restore_newest(image_gan, directory)
        assert (path.name, metadata["step"]) == ("step-0000000000", 0)
        assert tiny.same(tiny.everything(image_gan), expected)
    (path / "state.index").write_bytes(b"")
    with pytest.raises(DamagedCheckpointError, match="is damaged: .'state.index'. changed"):
        restore(image_gan, path)


def test_keys_of_version_0_1_are_read(tmp_path):
    path = tmp_path / "file.json"
    for old, new in (
        (
            {"round": 8, "epoch": 1, "step": 3, "setbacks": {"rollbacks": 1, "rounds_lost": 2}},
            {
                "step": 8,
                "epoch": 1,
                "step_in_epoch": 3,
                "rollback_state": {"rollbacks": 1, "steps_lost": 2},
            },
        ),
        ({"round": 8, "rounds_played": 9}, {"step": 8, "steps_taken": 9}),
    ):
        for content in (old, new):
            path.write_text(json.dumps(content))
            assert read_json(path) == new


@pytest.mark.parametrize("name", ["../elsewhere", "/dev/zero", "a/../../b"])
def test_only_a_checkpoints_own_files_are_read(image_gan, tmp_path, name):
    path = save(image_gan, tmp_path, Progress(0, 0))
    metadata = read_json(path / "progress.json")
    metadata["files"] = {name: "0" * 64}
    (path / "progress.json").write_text(json.dumps(metadata))
    with pytest.raises(DamagedCheckpointError, match="is damaged: .*leads elsewhere"):
        restore(image_gan, path)
