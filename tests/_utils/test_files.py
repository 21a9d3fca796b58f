"""Files are replaced whole or not at all."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tfgan_stab._utils import files


def test_text_is_utf8_and_bytes_stay_as_they_are(tmp_path):
    files.write_atomically(tmp_path / "text", "é")
    files.write_atomically(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9"
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_exception_keeps_the_previous_file(tmp_path):
    target = tmp_path / "run.json"
    target.write_text("previous")
    with pytest.raises(RuntimeError, match="midway"), files.replacing(target) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError("midway")
    assert target.read_text() == "previous"
    assert os.listdir(tmp_path) == ["run.json"]


def test_temporary_path_keeps_suffix_and_folder(tmp_path):
    with files.replacing(tmp_path / "generator.keras") as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path
        temporary.write_text("weights")


def test_users_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.user_path("~/runs/") == tmp_path / "runs"
    for name in ("~no-such-user/runs", "lr=[1,2]", "a\\b", "plain", "a~"):
        assert str(files.user_path(name)) == name


@pytest.mark.parametrize("temporary", ["plain", "with [brackets]"])
def test_plain_names_of_folders(monkeypatch, tmp_path, temporary):
    (tmp_path / temporary).mkdir()
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path / temporary))
    monkeypatch.chdir(tmp_path)
    for name in ("lr=[1,2]", "a\\b", "st*r", "wh?t"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "file").write_text(name)
        for path in (folder, folder.relative_to(tmp_path)):
            with files.under_plain_name(path) as plain:
                assert not set("[]*?\\") & set(str(plain))
                assert (plain / "file").read_text() == name
            assert not plain.exists() and (folder / "file").exists()
    with files.under_plain_name(tmp_path) as plain:
        assert plain == tmp_path


def test_missing_folder_is_named(tmp_path):
    target = tmp_path / "absent" / "config.gin"
    with pytest.raises(FileNotFoundError, match=f"Could not write {target}: No such file"):
        files.write_atomically(target, "text")


def test_full_disk_keeps_the_previous_file_and_names_it(tmp_path):
    target = tmp_path / "metrics.jsonl"
    target.write_text("previous")
    # A limit on file size makes the operating system refuse the write, as a full disk does.
    program = textwrap.dedent(
        """
        import resource, sys
        from tfgan_stab._utils import files
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        files.write_atomically(sys.argv[1], "x" * 5000)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(target)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"Could not write {target}: File too large" in done.stderr
    assert target.read_text() == "previous"
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


def age(path):
    """Makes a file or folder look as if nobody had written to it for over an hour."""
    long_ago = time.time() - files.ABANDONED - 60
    os.utime(path, (long_ago, long_ago))


def killed_while_writing(target):
    """Returns what a process leaves that is killed in the middle of replacing a file."""
    program = textwrap.dedent(
        """
        import os, signal, sys
        from tfgan_stab._utils import files
        with files.replacing(sys.argv[1]) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    command = [sys.executable, "-c", program, str(target)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    (left,) = (path for path in target.parent.iterdir() if path.name != target.name)
    return left


def test_leftover_of_a_killed_process_is_removed_by_the_next_write(tmp_path):
    target = tmp_path / "samples-1.png"
    target.write_text("previous")
    left = killed_while_writing(target)
    assert target.read_text() == "previous"
    age(left)
    files.write_atomically(tmp_path / "samples-2.png", "another")
    assert left.exists(), "another file's leftovers are not ours to remove"
    files.write_atomically(target, "whole")
    assert sorted(os.listdir(tmp_path)) == ["samples-1.png", "samples-2.png"]


def test_temporary_file_of_another_process_stays_while_it_is_fresh(tmp_path):
    target = tmp_path / "weights.npz"
    left = killed_while_writing(target)
    files.write_atomically(target, "mine")
    assert left.read_text() == "half"


def test_two_writers_at_once_leave_one_whole_file(tmp_path):
    target = tmp_path / "weights.npz"
    with files.replacing(target) as first:
        first.write_text("half of the first")
        with files.replacing(target) as second:
            second.write_text("second")
        assert target.read_text() == "second"
        first.write_text("first")
    assert target.read_text() == "first"
    assert os.listdir(tmp_path) == ["weights.npz"]


def test_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "samples"
    for name in ("previous", "new"):
        with files.replacing_folder(target) as temporary:
            assert list(temporary.iterdir()) == []
            (temporary / name).write_text(name)
            assert target.exists() == (name == "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["samples", "new"]


def test_exception_keeps_the_previous_folder(tmp_path):
    target = tmp_path / "samples"
    target.mkdir()
    (target / "previous").touch()
    with pytest.raises(RuntimeError, match="midway"), files.replacing_folder(target) as temporary:
        (temporary / "new").touch()
        raise RuntimeError("midway")
    assert [path.name for path in tmp_path.rglob("*")] == ["samples", "previous"]


def test_failed_rename_keeps_the_previous_folder(tmp_path, monkeypatch):
    target = tmp_path / "samples"
    target.mkdir()
    (target / "previous").touch()
    rename = os.rename

    def refused(here, there):
        if there == target and "previous" not in os.path.basename(here):
            raise OSError(28, "No space left on device")
        rename(here, there)

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(OSError, match=f"Could not write {target}: No space left on device"):
        with files.replacing_folder(target) as temporary:
            (temporary / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["samples", "previous"]


def test_leftover_folder_of_a_killed_process_is_removed(tmp_path):
    program = (
        "import os, pathlib, signal, sys\n"
        "from tfgan_stab._utils import files\n"
        "with files.replacing_folder(sys.argv[1]) as temporary:\n"
        "    (temporary / 'half').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path / "samples"], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    age(left)
    with files.replacing_folder(tmp_path / "samples"):
        assert not left.exists()
    assert os.listdir(tmp_path) == ["samples"]


def test_names_lead_nowhere_else(tmp_path):
    for name in ("fid_ema", "a.b", "日本 1", "...", "~"):
        assert files.named_in(tmp_path, name).parent == tmp_path
    for name in ("", ".", "..", "../x", "a/b", "/etc", "a\\b", "..\\b", "a\0"):
        with pytest.raises(ValueError, match="leads elsewhere. Choose a name without slashes"):
            files.named_in(tmp_path, name)
