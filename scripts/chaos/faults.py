"""Faults of the disk, of files and of the clock: what a run says, and what it comes to afterwards.

Each function returns what is wrong with how the run took it: a list of lines, empty if nothing is.
"""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import tempfile

from small_run import Run, checkpoints, differences, unusable

SEED = 5


class NotPossible(Exception):
    """This machine does not allow that fault."""


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise NotPossible(f"cannot mount: {done.stderr.strip()}")


def unmount(place, check=True):
    subprocess.run(["umount", str(place)], check=check, capture_output=True)


@contextlib.contextmanager
def small_disk(size="24m"):
    """Yields a folder on a disk of its own, which can be filled."""
    with tempfile.TemporaryDirectory() as place:
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", place)
        try:
            yield pathlib.Path(place)
        finally:
            unmount(place)


def goes_on(whole, workdir):
    """Returns what is wrong after the same command has been run again."""
    Run(workdir).finish()
    return differences(whole, workdir)


def stops(run, *wanted):
    """Returns what is wrong with how a run stops that cannot go on."""
    code, output = run.ended()
    missing = [f"no {words!r} in: {output[-600:]}" for words in wanted if words not in output]
    if code != 1 or "Traceback" in output:
        missing.append(f"exit code {code}: {output[-2000:]}")
    return missing


def full_disk(whole, half, folder, moment, wanted=(), left=0):
    """The disk is full from a moment on, and then it is not."""
    with small_disk() as disk:
        workdir = shutil.copytree(half, disk / "run")
        wrong = stops(Run(workdir, f"fill@{moment}", left), "No space left", *wanted)
        wrong += unusable(workdir)
        (disk / "filler").unlink()
        return wrong + goes_on(whole, workdir)


def read_only(whole, half, folder, moment, wanted):
    """The workdir cannot be written to from a moment on, and then it can."""
    workdir = shutil.copytree(half, folder / "run")
    mount("--bind", workdir, workdir)  # Raises, if that is not possible.
    unmount(workdir)
    try:
        wrong = stops(Run(workdir, f"freeze@{moment}"), "Read-only", *wanted)
        wrong += unusable(workdir)
    finally:
        unmount(workdir, check=False)  # It may have come to no mount.
    return wrong + goes_on(whole, workdir)


def removed(whole, half, folder, moment):
    """The workdir is removed in the midst of the run; there is nothing to go on from."""
    workdir = shutil.copytree(half, folder / "run")
    wrong = stops(Run(workdir, f"remove@{moment}"), str(workdir), "is gone", "start over")
    shutil.rmtree(workdir, ignore_errors=True)
    return wrong + goes_on(whole, workdir)


def cut(path):
    """Halves a file."""
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    """Changes a single bit."""
    moments = random.Random(SEED)
    content = bytearray(path.read_bytes())
    content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
    path.write_bytes(bytes(content))


def flip_progress(path):
    """Changes a bit of a digit, after which the file can be read as before."""
    content = path.read_text()
    place = content.index('"step_in_epoch": ') + len('"step_in_epoch": ')
    digit = chr(ord(content[place]) ^ 1)
    path.write_text(content[:place] + digit + content[place + 1 :])


DAMAGES = {
    "index truncated": ("state.index", cut),
    "index: a bit flipped": ("state.index", flip),
    "index missing": ("state.index", os.unlink),
    "data truncated": ("state.data*", cut),
    "data: a bit flipped": ("state.data*", flip),
    "data missing": ("state.data*", os.unlink),
    "progress.json truncated": ("progress.json", cut),
    "progress.json: a bit flipped": ("progress.json", flip_progress),
    "progress.json missing": ("progress.json", os.unlink),
}


def damage(workdir, kind, count=1):
    """Damages the newest checkpoints; returns them."""
    pattern, harm = DAMAGES[kind]
    damaged = checkpoints(workdir)[:count]
    for checkpoint in damaged:
        (path,) = checkpoint.glob(pattern)
        harm(path)
    return damaged


def damaged_newest(whole, half, folder, kind):
    """The checkpoint before it is used, and that is said."""
    workdir = shutil.copytree(half, folder / "run")
    (newest,) = damage(workdir, kind)
    older = checkpoints(workdir)[1]
    output = Run(workdir).finish()
    said = f"{newest} is damaged" in output and f"Resuming from {older}" in output
    return differences(whole, workdir) + ([] if said else [f"not said: {output[-2000:]}"])


def newest_missing(whole, half, folder):
    """The one before it is the newest."""
    workdir = shutil.copytree(half, folder / "run")
    shutil.rmtree(checkpoints(workdir)[0])
    return goes_on(whole, workdir)


def all_damaged(whole, half, folder):
    """The run stops, leaves all as it is, and goes on once one checkpoint is put back."""
    workdir = shutil.copytree(half, folder / "run")
    names = [path.name for path in damage(workdir, "data: a bit flipped", count=99)]
    wrong = stops(Run(workdir), "Expected an intact checkpoint", f"{len(names)} damaged", names[-1])
    if [path.name for path in checkpoints(workdir)] != names:
        wrong.append(f"other checkpoints than {names}")
    shutil.rmtree(workdir / "checkpoints" / names[0])
    shutil.copytree(half / "checkpoints" / names[0], workdir / "checkpoints" / names[0])
    return wrong + goes_on(whole, workdir)


def clock_jump(whole, half, folder, first, second):
    """The clock jumps in two runs; the first is killed, and all its files are of other times."""
    workdir, moments = shutil.copytree(half, folder / "run"), random.Random(SEED)
    run = Run(workdir, first)
    run.wait_for("saving", 2)
    run.kill()
    for path in workdir.rglob("*"):
        os.utime(path, (moments.uniform(0, 4e9),) * 2)
    Run(workdir, second).finish()
    return differences(whole, workdir)


OF_SAVING = ["Expected to save a checkpoint", "intact, the newest is step-0000000028"]
FILES = {
    "saving:2": OF_SAVING,
    "logging:1": ["metrics.jsonl"],
    "drawing samples:1": ["samples"],
}
FULL = {
    **FILES,
    "logging:1": [],
    "keeping the best:1": ["keep the best model"],
    "exporting:1": ["generator.keras"],
}
# What goes wrong, how it is tried, and the arguments of that.
FAULTS = {
    **{f"disk full at {m}": (full_disk, m, words) for m, words in FULL.items()},
    "disk full but for 30 kB at saving:2": (full_disk, "saving:2", (), 30_000),
    "disk full but for 3 kB at keeping the best:1": (full_disk, "keeping the best:1", (), 3_000),
    **{f"workdir read-only at {m}": (read_only, m, words) for m, words in FILES.items()},
    "workdir read-only at the start": (read_only, "starting:1", ["Cannot write to --workdir"]),
    **{f"workdir removed at {m}": (removed, m) for m in ("saving:2", "evaluation:2")},
    **{f"newest checkpoint, {kind}": (damaged_newest, kind) for kind in DAMAGES},
    "newest checkpoint missing": (newest_missing,),
    "all checkpoints damaged": (all_damaged,),
    "clock jumps ahead, then back": (clock_jump, "clock@saving:1", "clock-@building:1"),
    "clock jumps back": (clock_jump, "clock-@saving:1", "none"),
}


def half_done(workdir, saves=4):
    """Trains until some checkpoints are there, and kills the run before the next one."""
    run = Run(workdir)
    run.wait_for("saving", saves)
    run.kill()
    return workdir


def try_fault(name, whole, half, folder):
    """Returns what is wrong after a fault; nothing if the run survives it.

    Args:
        name: Of the fault.
        whole: The workdir of an undisturbed run.
        half: That of one that `half_done` has left; not changed.
        folder: An empty one.

    Raises:
        NotPossible: If this machine does not allow to try that.
    """
    function, *arguments = FAULTS[name]
    return function(whole, half, folder, *arguments)
