"""Trains as scripts/train.py does, says which phase it is in, and may harm its own workdir.

A fault is "none", or what to do when a phase begins for the nth time: "fill@saving:2" fills the
disk, "remove@..." removes the workdir, "freeze@..." makes it read-only, "clock@..." lets Python's
clock jump ten years ahead, "clock-@..." back.
"""

import functools
import os
import shutil
import subprocess
import sys
import time

import keras

from tfgan_stab import callbacks
from tfgan_stab.callbacks import checkpoint, checkpoint_files
from tfgan_stab.cli import main
from tfgan_stab.cli.jobs import train as job

YEARS = 10 * 365 * 86400.0


class Phases:
    """Announces phases, and does what is wrong with this run."""

    def __init__(self, pipe, fault, left, workdir):
        self._pipe, self._left = pipe, left
        self._action, _, moment = fault.partition("@")
        self._phase, _, self._count = moment.partition(":")
        self._workdir = workdir
        self._seen = 0

    def begin(self, phase):
        """Announces that a phase begins, and does what is to be done then."""
        self._say("begin", phase)
        if phase == self._phase:
            self._seen += 1
            if self._seen == int(self._count):
                ACTIONS[self._action](self._workdir, self._left)

    def end(self, phase):
        """Announces that a phase has ended."""
        self._say("end", phase)

    def _say(self, what, phase):
        self._pipe.send((what, phase, time.monotonic()))

    def announce(self, owner, name, phase):
        """Has a function or method announce that it is called and has returned."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def announced(*args, **kwargs):
            self.begin(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.end(phase)

        setattr(owner, name, announced)


def fill(workdir, left):
    """Fills the disk that the workdir is on, but for a few bytes."""
    with open(workdir.parent / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - left))


def freeze(workdir, left):
    """Puts a read-only view of the workdir in its place; files that are open stay writable."""
    subprocess.run(["mount", "--bind", workdir, workdir], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", workdir], check=True)


def remove(workdir, left):
    """Removes the workdir and all that is in it."""
    shutil.rmtree(workdir)


def shift_clock(workdir, left, seconds=YEARS):
    """Lets the clock jump, as Python sees it."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)


ACTIONS = {
    "fill": fill,
    "freeze": freeze,
    "remove": remove,
    "clock": shift_clock,
    "clock-": functools.partial(shift_clock, seconds=-YEARS),
}


def announce_all(phases):
    """Has the parts of a run announce themselves."""
    phases.announce(job, "prepare", "building")
    phases.announce(checkpoint, "restore_newest", "restoring")
    phases.announce(checkpoint_files, "write", "saving")
    phases.announce(checkpoint, "remove", "removing")
    phases.announce(callbacks.BestCheckpoint, "_write", "keeping the best")
    phases.announce(callbacks.Evaluate, "measure", "evaluation")
    phases.announce(callbacks.RunLog, "_append", "logging")
    phases.announce(callbacks.SampleGrid, "act", "drawing samples")
    phases.announce(job, "_save_generator", "exporting")
    phases.announce(keras.callbacks.CallbackList, "on_epoch_end", "epoch end")
    announce_first_step(phases, keras.callbacks.CallbackList)


def announce_first_step(phases, calls):
    """The first step, with its trace, lies between two calls of callbacks."""
    begin, done = calls.on_train_batch_begin, calls.on_train_batch_end
    waiting = [True]

    def on_train_batch_begin(self, batch, logs=None):
        begin(self, batch, logs)
        if waiting[0]:
            phases.begin("first trace")

    def on_train_batch_end(self, batch, logs=None):
        if waiting[0]:
            phases.end("first trace")
            waiting[0] = False
        done(self, batch, logs)

    calls.on_train_batch_begin, calls.on_train_batch_end = on_train_batch_begin, on_train_batch_end


def train(pipe, output, fault, left, workdir, flags):
    """Trains in this process, and ends it.

    Args:
        pipe: Is sent ("begin" or "end", phase, seconds).
        output: The file for what is printed.
        fault: What goes wrong, as said above.
        left: Bytes that a full disk still has room for.
        workdir: Where to train.
        flags: Those of scripts/train.py.
    """
    with open(output, "ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    phases = Phases(pipe, fault, left, workdir)
    announce_all(phases)
    phases.begin("starting")
    phases.end("starting")
    sys.exit(main.run("train", ["train.py", *flags]))
