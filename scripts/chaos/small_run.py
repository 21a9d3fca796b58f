"""The run that is disturbed: how it is started, and how it is compared with an undisturbed one."""

import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import pathlib
import signal
import tempfile
import threading
import time
import zipfile
from multiprocessing import forkserver

import child
import h5py
import numpy as np
import tensorflow as tf

from tfgan_stab.callbacks.checkpoint_files import read_metadata

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 600.0  # Seconds that a run may take.

# Checkpoints and scores fall inside epochs and periods of lookahead.
PARAMS = [
    "epochs = 2",
    "steps_per_epoch = 25",
    "decay_steps = 50",
    "batch_size = 16",
    "latents = 8",
    "generator_width = 8",
    "discriminator_width = 8",
    "tgs.FID.samples = 200",
    "tgs.train.score_every = 10",
    "tgs.train.checkpoint_every = 7",
    "tgs.train.scheme = @tgs.Lookahead()",
    "tgs.Lookahead.inner = @tgs.Simultaneous()",
    "tgs.Lookahead.sync_period = 6",
]


# Each run is a fork of a process that has imported everything, which takes most of the time else.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["child"])


def start_server():
    """Starts that process, unless it runs; it finds modules by the environment alone."""
    before = os.environ.get("PYTHONPATH")
    places = [str(pathlib.Path(__file__).parent), str(ROOT), *([before] if before else [])]
    os.environ["PYTHONPATH"] = os.pathsep.join(places)
    forkserver.ensure_running()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


class Run:
    """A process that trains in a workdir, and what it has announced.

    Args:
        workdir: Where it trains.
        fault: What it does to itself; see child.py.
        left: Bytes that a full disk still has room for.

    Attributes:
        phases: Lists of [phase, begin, end], in seconds of the monotonic clock; `end` is `None`
            where the process ended inside.
    """

    def __init__(self, workdir, fault="none", left=0):
        flags = [f"--workdir={workdir}", f"--gin_file={ROOT / 'gin_configs/runs/digits.gin'}"]
        flags += [f"--gin_param={param}" for param in PARAMS]
        start_server()
        self._output = tempfile.NamedTemporaryFile(mode="r", suffix=".txt", errors="replace")
        self._pipe, other_end = CONTEXT.Pipe(duplex=False)
        arguments = (other_end, self._output.name, fault, left, pathlib.Path(workdir), flags)
        self._process = CONTEXT.Process(target=child.train, args=arguments)
        self._process.start()
        other_end.close()
        self.phases = []
        self._changed = threading.Condition()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self):
        with contextlib.suppress(EOFError, OSError):
            while True:
                what, phase, moment = self._pipe.recv()
                with self._changed:
                    if what == "begin":
                        self.phases.append([phase, moment, None])
                    else:
                        self.open_phases()[phase][2] = moment
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def open_phases(self):
        """Returns the phases that have begun and not ended, by name."""
        return {each[0]: each for each in self.phases if each[2] is None}

    def wait_for(self, phase, count):
        """Waits until a phase begins for the nth time; returns whether that came."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._count(phase) >= count or not self._listener.is_alive(), LIMIT
            )
            return self._count(phase) >= count

    def _count(self, phase):
        return sum(each[0] == phase for each in self.phases)

    def kill(self):
        """Ends the process at once; returns whether it was still at work."""
        self._process.kill()
        if self.ended()[0] == -signal.SIGKILL:
            return True
        self.finish()
        return False

    def ended(self):
        """Waits for the end; returns the exit code and what was printed."""
        self._process.join(LIMIT)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"A run took more than {LIMIT} seconds.")
        self._listener.join()
        self._output.seek(0)
        return self._process.exitcode, self._output.read()

    def finish(self):
        """Waits for the end, which must be a good one; returns what was printed."""
        code, output = self.ended()
        if code:
            raise RuntimeError(f"Exit code {code}:\n{output[-3000:]}")
        return output


def checkpoints(workdir):
    """Returns the complete checkpoints, the newest first."""
    return sorted((workdir / "checkpoints").glob("step-*[0-9]"), reverse=True)


def differences(whole, other):
    """Returns in what the results of two runs differ, a line each; nothing if they are the same."""
    ours, theirs = results(whole), results(other)
    names = sorted(ours.keys() | theirs.keys())
    return [name for name in names if ours.get(name) != theirs.get(name)]


def results(workdir):
    """Returns all that a run has come to but what is of its clock, by name, as bytes or text."""
    newest = checkpoints(workdir)[0]
    found = {f"newest: {key}": value for key, value in variables_in(newest).items()}
    found["checkpoints"] = [path.name for path in checkpoints(workdir)]
    found["progress"] = progress(newest)
    for path in sorted(workdir.glob("*.jsonl")):
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        found[path.name] = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    for path in sorted((workdir / "samples").iterdir()):
        found[f"samples: {path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted((workdir / "best").glob("*/*")):
        found[f"best: {path.name} of {path.parent.name}"] = True
    for path in [workdir / "generator.keras", *sorted((workdir / "best").glob("*/*/*.keras"))]:
        for key, value in weights_in(path).items():
            found[f"{path.relative_to(workdir)}: {key}"] = value
    # Temporary files of a killed process are removed after an hour: they may be another one's.
    leftovers = [path.name for path in workdir.rglob("*.unfinished") if path.is_dir()]
    return found | {"leftovers": leftovers, "config": (workdir / "config.gin").read_text()}


def unusable(workdir):
    """Returns which files a fault has left that cannot be read, a line each; nothing if all can."""
    found = []
    for pattern, read in READERS.items():
        for path in sorted(workdir.glob(pattern)):
            try:
                read(path)
            except Exception as error:
                found.append(f"{path.relative_to(workdir)} cannot be read: {error!r}")
    return found


def read_picture(path):
    """Raises if a PNG file is not whole."""
    if not path.read_bytes().endswith(b"IEND\xaeB`\x82"):
        raise ValueError("it has no end")


def read_config(path):
    """Raises if a file of settings is not whole."""
    if not path.read_text().endswith("\n"):
        raise ValueError("it has no end")


def progress(checkpoint):
    """Returns how far a checkpoint's run had come."""
    content = json.loads((checkpoint / "progress.json").read_text())
    return {key: content[key] for key in ("step", "epoch", "step_in_epoch", "rollback_state")}


def variables_in(checkpoint):
    """Returns the bytes of all variables in a checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(checkpoint / "state"))
    names = reader.get_variable_to_shape_map()
    return {name: np.asarray(reader.get_tensor(name)).tobytes() for name in names}


def weights_in(path):
    """Returns the bytes of all weights in a `.keras` file, by name."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with zipfile.ZipFile(path) as archive:
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(note)
    return found


# What a run has written that must be whole at any time, and how that is read.
READERS = {
    "checkpoints/step-*[0-9]": read_metadata,
    "best/*/step-*[0-9]": read_metadata,
    "*.keras": weights_in,
    "best/*/step-*[0-9]/*.keras": weights_in,
    "best/*/step-*[0-9]/score.json": lambda path: json.loads(path.read_text()),
    "run.json": lambda path: json.loads(path.read_text()),
    "samples/step-*.png": read_picture,
    "config.gin": read_config,
}


def undisturbed(workdir):
    """Trains without any fault; returns how long each phase took at most, and the whole training.

    The latter is from the end of "building" to the end, in seconds.
    """
    run = Run(workdir)
    run.finish()
    ended = time.monotonic()
    longest = {}
    for phase, begin, end in run.phases:
        longest[phase] = max(longest.get(phase, 0.0), end - begin)
    built = next(end for phase, _, end in run.phases if phase == "building")
    return longest, ended - built
