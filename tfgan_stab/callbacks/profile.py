"""Where the time of a step goes: a trace for TensorBoard, and a table of operations."""

import collections
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from tfgan_stab._utils.files import user_path, write_atomically
from tfgan_stab._utils.validation import integer
from tfgan_stab.callbacks.base import GANCallback, usable_directory

ROWS = 10
TABLE = "operations.txt"

# On the host, events of TensorFlow's operations are called "some/path/Conv2D:Conv2D".
TF_OPERATION = re.compile(r"[^:]+:_?[A-Z]\w*")
# Functions and loops only contain operations.
CONTAINERS = re.compile(
    r".*:(StatefulPartitionedCall|PartitionedCall|While|StatelessWhile|If|Case)"
)
WRAPPERS = re.compile(
    r"(^|/)(while|body|_\d+|cond|then|else|StatefulPartitionedCall|PartitionedCall)(?=/)"
)
NO_OPERATIONS = {"Steps", "XLA Modules", "XLA TraceMe", "Framework Name Scope", "Source code"}


class Profile(GANCallback):
    """Profiles some steps: writes a trace for TensorBoard, and prints the costliest operations.

    `tensorboard --logdir <directory>` shows the trace, with its plugin for profiles installed.
    `operations.txt` has the table: for each operation how often it ran in a step, its time in a
    step without that of others inside, and its share of all.

    Args:
        directory: Where to write; made if it is not there.
        steps: How many steps, an integer >= 1.
        start: After how many steps of this training, an integer >= 1: the first ones trace,
            compile, and decide on XLA.

    Raises:
        ValueError: If a number is out of range.
        OSError: If the directory cannot be written to.

    Example:
        >>> import tfgan_stab as tgs
        >>> tgs.callbacks.Profile("runs/digits/profile").steps
        20

    Source: ours.
    """

    counterpart = "keras.callbacks.TensorBoard"
    chief_only = True

    def __init__(self, directory: str | os.PathLike[str], steps: int = 20, start: int = 10):
        super().__init__()
        self.directory = user_path(directory)
        self.steps = integer("steps", steps, unit="steps", fix="Use 20.")
        self.start = integer("start", start, unit="steps", fix="Use 10.")
        self._begin, self._first = 0, 0
        self._is_running, self._is_done = False, False

    def steps_until_needed(self) -> int | None:
        """Returns the steps until the profile starts or ends; `None` once it is written."""
        if self._is_done:
            return None
        due = self._first + self.steps if self._is_running else self.start
        return max(1, self._begin + due - self.gan.steps_taken)

    def on_train_begin(self, logs: Any = None) -> None:
        """Counts from here."""
        usable_directory(self.directory)
        self._begin, self._is_running, self._is_done = self.gan.steps_taken, False, False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Starts or ends the profile, if it is time."""
        taken = self.gan.steps_taken - self._begin
        if not self._is_running and not self._is_done and taken >= self.start:
            tf.profiler.experimental.start(str(self.directory))
            self._is_running, self._first = True, taken
        elif self._is_running and taken >= self._first + self.steps:
            self._finish(taken - self._first)

    def on_train_end(self, logs: Any = None) -> None:
        """Ends a profile that is not finished; says if there is none."""
        taken = self.gan.steps_taken - self._begin
        if self._is_running:
            self._finish(max(1, taken - self._first))
        elif not self._is_done:
            print(f"\nProfile: none. It starts after {self.start} steps; {taken} were taken.")

    def _finish(self, steps: int) -> None:
        tf.profiler.experimental.stop()
        self._is_running, self._is_done = False, True
        trace = max(self.directory.glob("plugins/profile/*/*.xplane.pb"), key=os.path.getmtime)
        text = table(operations(trace), steps)
        write_atomically(self.directory / TABLE, text)
        print(f"\nProfile of {steps} steps in {self.directory}:\n{text}", end="")


class Operation(NamedTuple):
    """What an operation took in a profile.

    Attributes:
        name: Its kind and where it is, or what XLA calls it.
        calls: How often it ran.
        seconds: Its time, without that of operations inside it.
    """

    name: str
    calls: int
    seconds: float


def operations(trace: pathlib.Path) -> list[Operation]:
    """Returns the operations of a trace, the costliest first.

    Args:
        trace: A file that TensorFlow's profiler has written, `*.xplane.pb`.
    """
    # Not part of TensorFlow's public interface: only a profile needs it to be there.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(trace.read_bytes())
    counts: collections.Counter[str] = collections.Counter()
    times: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for name, picoseconds in own_times(_events(plane, line)):
                counts[name] += 1
                times[name] += picoseconds
    return [Operation(name, counts[name], time * 1e-12) for name, time in times.most_common()]


def _events(plane: Any, line: Any) -> Iterator[tuple[str, int, int]]:
    """Yields name, begin and end of a line's operations, in picoseconds."""
    on_host = plane.name.startswith("/host")
    if not on_host and (not plane.name.startswith("/device") or line.name in NO_OPERATIONS):
        return
    for event in line.events:
        name = plane.event_metadata[event.metadata_id].name
        if on_host and not _is_by_xla(plane, event):
            if not TF_OPERATION.fullmatch(name) or CONTAINERS.fullmatch(name):
                continue
            path, _, kind = name.rpartition(":")
            name = f"{kind} {readable(path)}"
        yield name, event.offset_ps, event.offset_ps + event.duration_ps


def _is_by_xla(plane: Any, event: Any) -> bool:
    return any(plane.stat_metadata[stat.metadata_id].name == "hlo_op" for stat in event.stats)


def readable(path: str) -> str:
    """Returns the end of an operation's path, without loops and calls around it.

    Example:
        >>> readable("while/body/_1/while/PartitionedCall/dis/dense/MatMul")
        'dis/dense/MatMul'
    """
    while (shorter := WRAPPERS.sub("", path).lstrip("/")) != path:
        path = shorter
    return "/".join(path.split("/")[-3:])


def own_times(events: Iterator[tuple[str, int, int]]) -> Iterator[tuple[str, int]]:
    """Yields each event's name and its time without that of events inside it.

    Args:
        events: Name, begin and end of each event; those of one line lie one in the other, or apart.

    Example:
        >>> sorted(own_times(iter([("outer", 0, 10), ("inner", 2, 6)])))
        [('inner', 4), ('outer', 6)]
    """
    opened: list[list[Any]] = []  # Name, end, and own time of those that are not over.
    for name, begin, end in sorted(events, key=lambda event: (event[1], -event[2])):
        while opened and opened[-1][1] <= begin:
            done = opened.pop()
            yield done[0], done[2]
        if opened:
            opened[-1][2] -= end - begin
        opened.append([name, end, end - begin])
    for name, _, own in opened:
        yield name, own


def table(found: list[Operation], steps: int) -> str:
    """Returns the costliest operations as text.

    Args:
        found: All operations, the costliest first.
        steps: Steps that were profiled.
    """
    total = sum(each.seconds for each in found) or 1.0
    lines = [f"{'ms per step':>12}{'share':>8}{'per step':>10}  operation"]
    for each in found[:ROWS]:
        milliseconds = each.seconds / steps * 1e3
        share = each.seconds / total
        lines.append(f"{milliseconds:12.3f}{share:8.1%}{each.calls / steps:10.1f}  {each.name}")
    others = sum(each.seconds for each in found[ROWS:])
    lines.append(f"{others / steps * 1e3:12.3f}{others / total:8.1%}{'':10}  all others")
    return "\n".join(lines) + "\n"
