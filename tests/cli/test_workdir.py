"""A workdir holds one run, and whatever does not fit it is refused with nothing changed."""

import os
import subprocess
import sys

import pytest

from tfgan_stab.cli.workdir import Workdir, WorkdirError


def files_in(path):
    return {
        each: (path / each).read_bytes() for each in os.listdir(path) if (path / each).is_file()
    }


def test_new_workdir_is_made_with_its_parents(tmp_path):
    workdir = Workdir(tmp_path / "deep" / "run")
    assert workdir.path.is_dir()
    assert not workdir.holds_run
    assert os.listdir(workdir.path) == []


def test_settle_writes_the_configuration_once(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.settle("train.epochs = 20\n")
    assert workdir.holds_run
    workdir.settle("# The same, with a comment.\ntrain.epochs = 20\n")
    assert workdir.config.read_text() == "train.epochs = 20\n"


def test_settle_refuses_other_settings(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.settle("train.epochs = 20\ntrain.seed = 0\n")
    (tmp_path / "checkpoints" / "step-0000000200").mkdir(parents=True)
    before = files_in(tmp_path)
    with pytest.raises(
        WorkdirError, match="other settings.*\n  train.epochs: 20 -> 30\n"
    ) as caught:
        workdir.settle("train.epochs = 30\ntrain.seed = 0\n")
    assert "seed" not in str(caught.value)
    assert f"--gin_file={workdir.config}" in str(caught.value)
    assert files_in(tmp_path) == before


def test_settle_shows_what_is_damaged_in_the_configuration(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.settle("train.epochs = 20\n")
    (tmp_path / "checkpoints" / "step-0000000200").mkdir(parents=True)
    workdir.config.write_bytes(b"train.epochs = 2\xb0\n")
    with pytest.raises(WorkdirError, match="train.epochs: 2\N{REPLACEMENT CHARACTER} -> 20"):
        workdir.settle("train.epochs = 20\n")


@pytest.mark.parametrize("left", [None, "checkpoints", "checkpoints/step-0000000200.unfinished"])
def test_settle_replaces_settings_of_a_run_without_checkpoint(tmp_path, capsys, left):
    workdir = Workdir(tmp_path)
    workdir.settle("train.rate = '1'\n")
    if left:
        (tmp_path / left).mkdir(parents=True)
    assert capsys.readouterr().out == ""
    workdir.settle("train.rate = 1\n")
    assert workdir.config.read_text() == "train.rate = 1\n"
    assert capsys.readouterr().out == (
        f"{tmp_path} has no checkpoint yet. Its settings were replaced:\n  train.rate: '1' -> 1\n"
    )


def test_new_workdir_is_removed_if_nothing_was_written(tmp_path):
    for name in ("new", "deep/new"):
        with pytest.raises(KeyError, match="in between"), Workdir(tmp_path / name):
            raise KeyError("in between")
        assert not (tmp_path / name).exists()
    with Workdir(tmp_path / "kept"):
        pass
    assert (tmp_path / "kept").is_dir()


def test_existing_or_filled_workdir_is_not_removed(tmp_path):
    (tmp_path / "previous").mkdir()
    for name in ("previous", "written"):
        with pytest.raises(KeyError, match="in between"), Workdir(tmp_path / name) as workdir:
            if name == "written":
                workdir.settle("train.epochs = 20\n")
            raise KeyError("in between")
        assert (tmp_path / name).is_dir()
    assert workdir.config.exists()


def test_folder_of_checkpoints_is_no_workdir(tmp_path):
    step = tmp_path / "checkpoints" / "step-0000000200"
    step.mkdir(parents=True)
    (step / "progress.json").touch()
    with pytest.raises(WorkdirError, match=f"holds a run.s checkpoints. Use --workdir={tmp_path},"):
        Workdir(tmp_path / "checkpoints")
    assert Workdir(tmp_path).holds_checkpoint


def test_resume_never_refuses_a_run(tmp_path):
    (tmp_path / "config.gin").write_text("")
    with pytest.raises(WorkdirError, match="already holds a run, and --resume=never"):
        Workdir(tmp_path, "never")
    assert os.listdir(tmp_path) == ["config.gin"]


def test_resume_never_accepts_a_folder_with_other_files(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    assert not Workdir(tmp_path, "never").holds_run


def test_resume_must_needs_a_checkpoint(tmp_path):
    with pytest.raises(WorkdirError, match="holds no checkpoint to continue from"):
        Workdir(tmp_path / "absent", "must")
    assert os.listdir(tmp_path) == []


def test_resume_must_accepts_a_checkpoint(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "something").write_text("")
    assert Workdir(tmp_path, "must").holds_checkpoint


def test_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match="Cannot write to --workdir=.*Not a directory"):
        Workdir(tmp_path / "file" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WorkdirError, match="Cannot write to --workdir=.*Permission denied"):
        Workdir(tmp_path)


def refusal_of_another_process(path, before=""):
    """Opens the workdir in a process of its own, and returns its error."""
    program = (
        f"import sys\n{before}\n"
        "from tfgan_stab.cli.workdir import Workdir\n"
        "with Workdir(sys.argv[1]):\n"
        "    print('mine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    return done.stderr


def test_full_disk(tmp_path):
    # A limit on file size makes the operating system refuse to write, as a full disk does.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    assert "Cannot write to --workdir" in refusal_of_another_process(tmp_path, limit)
    assert os.listdir(tmp_path) == []


def test_second_process_is_refused(tmp_path):
    with Workdir(tmp_path):
        message = refusal_of_another_process(tmp_path)
    assert f"Another process is training in {tmp_path}" in message
    assert refusal_of_another_process(tmp_path) == ""


def test_other_workers_write_nothing_into_a_folder_in_use(tmp_path):
    with Workdir(tmp_path / "run") as first, Workdir(tmp_path / "run", "never", False) as second:
        first.settle("train.epochs = 2")
        second.settle("train.epochs = 3")
        assert first.config.read_text() == "train.epochs = 2"
