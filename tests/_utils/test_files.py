"""Files are replaced whole or not at all."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tfgan_stab._utils import files


def test_text_is_written_as_utf8_and_bytes_as_they_are(tmp_path):
    files.write_atomically(tmp_path / "text", "é")
    files.write_atomically(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9"
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_an_exception_in_between_leaves_the_former_file_and_no_draft(tmp_path):
    target = tmp_path / "run.json"
    target.write_text("former")
    with pytest.raises(RuntimeError, match="midway"), files.replacing(target) as draft:
        draft.write_text("half of the n")
        raise RuntimeError("midway")
    assert target.read_text() == "former"
    assert os.listdir(tmp_path) == ["run.json"]


def test_the_draft_keeps_the_suffix_and_the_folder(tmp_path):
    with files.replacing(tmp_path / "generator.keras") as draft:
        assert draft.suffix == ".keras"
        assert draft.parent == tmp_path
        draft.write_text("weights")


def test_a_missing_folder_is_named(tmp_path):
    target = tmp_path / "absent" / "config.gin"
    with pytest.raises(FileNotFoundError, match=f"Could not write {target}: No such file"):
        files.write_atomically(target, "text")


def test_a_disk_that_is_full_keeps_the_former_file_and_says_which_one_failed(tmp_path):
    target = tmp_path / "metrics.jsonl"
    target.write_text("former")
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
    assert target.read_text() == "former"
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path):
    target = tmp_path / "samples-1.png"
    program = textwrap.dedent(
        """
        import os, signal, sys
        from tfgan_stab._utils import files
        with files.replacing(sys.argv[1]) as draft:
            draft.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    command = [sys.executable, "-c", program, str(target)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    files.write_atomically(tmp_path / "samples-2.png", "another")
    assert len(os.listdir(tmp_path)) == 2, "another file's drafts are not ours to remove"
    files.write_atomically(target, "whole")
    assert sorted(os.listdir(tmp_path)) == ["samples-1.png", "samples-2.png"]


def test_the_draft_of_a_living_process_stays(tmp_path):
    target = tmp_path / "cache.npz"
    with files.replacing(target) as draft:
        draft.write_text("mine")
        # The parent process lives, whoever it belongs to.
        other = draft.with_name(draft.name.replace(str(os.getpid()), str(os.getppid())))
        other.write_text("theirs")
        files.write_atomically(tmp_path / "cache2.npz", "text")
    assert target.read_text() == "mine"
    files.write_atomically(target, "newer")
    assert other.read_text() == "theirs"


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "samples"
    for name in ("former", "new"):
        with files.replacing_folder(target) as draft:
            assert list(draft.iterdir()) == []
            (draft / name).write_text(name)
            assert target.exists() == (name == "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["samples", "new"]


def test_an_exception_in_between_leaves_the_former_folder_and_no_draft(tmp_path):
    target = tmp_path / "samples"
    target.mkdir()
    (target / "former").touch()
    with pytest.raises(RuntimeError, match="midway"), files.replacing_folder(target) as draft:
        (draft / "new").touch()
        raise RuntimeError("midway")
    assert [path.name for path in tmp_path.rglob("*")] == ["samples", "former"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_former_one(tmp_path, monkeypatch):
    target = tmp_path / "samples"
    target.mkdir()
    (target / "former").touch()
    rename = os.rename

    def refused(here, there):
        if there == target and "former" not in os.path.basename(here):
            raise OSError(28, "No space left on device")
        rename(here, there)

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(OSError, match=f"Could not write {target}: No space left on device"):
        with files.replacing_folder(target) as draft:
            (draft / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["samples", "former"]


def test_the_folder_that_a_killed_process_left_is_removed(tmp_path):
    program = (
        "import os, pathlib, signal, sys\n"
        "from tfgan_stab._utils import files\n"
        "with files.replacing_folder(sys.argv[1]) as draft:\n"
        "    (draft / 'half').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path / "samples"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    with files.replacing_folder(tmp_path / "samples"):
        assert len(os.listdir(tmp_path)) == 1
    assert os.listdir(tmp_path) == ["samples"]
