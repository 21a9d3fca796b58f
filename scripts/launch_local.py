r"""Starts a command in several workers on this machine, to try what runs on several machines.

  .venv/bin/python scripts/launch_local.py --workers=2 -- \
    scripts/train.py --distribution=multi_worker --gin_file=... --workdir=...

Each gets TF_CONFIG with the addresses of all and its own number; lines of other workers than the
first are marked with theirs. SIGTERM, Ctrl-C and SIGHUP, of a terminal that is closed, go on to
all; a second Ctrl-C ends them at once.
Should one fail, the others have a minute to notice, and are ended then. The exit code is 0 if all
of them end well, or that of the first that does not.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

GRACE = 60.0  # Seconds.
MOST = 100  # Each is a process with a TensorFlow of its own.
READING = 10.0  # Seconds; a process that a worker has left behind may never end.


def main() -> None:
    """Reads the flags, runs the workers, and ends with their exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2, help=f"How many, 1 to {MOST}.")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="A Python file and its flags.")
    given = parser.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not 1 <= given.workers <= MOST:
        expected = f"expected --workers from 1 to {MOST}"
        parser.error(f"{expected}. Received: {given.workers}. Leave it out for two.")
    if not command or not (command[0].startswith("-") or os.path.isfile(command[0])):
        received = f"{command[0]}, which is no file" if command else "nothing"
        parser.error(
            f"expected a Python file and its flags after --. Received: {received}. This Python "
            "runs it: write -- scripts/train.py --flags, without `python`, or -- -m and a module."
        )
    sys.exit(run(given.workers, command))


def run(count: int, command: list[str]) -> int:
    """Runs a command in so many workers; returns the exit code."""
    addresses = [f"localhost:{port}" for port in free_ports(count)]
    workers = [start(index, addresses, command) for index in range(count)]
    received: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        again = number == signal.SIGINT and number in received
        received.append(number)
        send(workers, signal.SIGKILL if again else number)
        if number == signal.SIGINT and not again:
            say("Ctrl-C goes on to all workers; once more ends them at once.")

    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # As under `nohup`.
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, pass_on)
    shown = [threading.Thread(target=show, args=pair, daemon=True) for pair in enumerate(workers)]
    for thread in shown:
        thread.start()
    first_failure, deadline = 0, float("inf")
    while None in (codes := [worker.poll() for worker in workers]):
        if any(codes) and not first_failure:
            index, first_failure = next((i, code) for i, code in enumerate(codes) if code)
            deadline = time.monotonic() + GRACE
            if not received:
                ended = f"worker {index} ended with exit code {shell_code(first_failure)}"
                say(f"{ended}; the others have {GRACE:.0f} s to end.")
        if time.monotonic() > deadline:
            send(workers, signal.SIGKILL)
        time.sleep(0.1)
    for thread in shown:  # The last lines say why a worker ended.
        thread.join(READING)
    return shell_code(first_failure or next((code for code in codes if code), 0))


def shell_code(code: int) -> int:
    """Returns an exit code as shells tell it: of the end by a signal, 128 and its number."""
    return code if code >= 0 else 128 - code


def say(text: str) -> None:
    """Prints what this program does, beside what the workers say."""
    print(f"launch_local.py: {text}", file=sys.stderr, flush=True)


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine that nobody listens to now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(index: int, addresses: list[str], command: list[str]) -> "subprocess.Popen[str]":
    """Starts one worker."""
    task = {"type": "worker", "index": index}
    config = {"cluster": {"worker": addresses}, "task": task}
    return subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "TF_CONFIG": json.dumps(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",  # Nobody would read on, and the worker wait for a reader without end.
        start_new_session=True,  # Ctrl-C reaches it once, from here.
    )


def show(index: int, worker: "subprocess.Popen[str]") -> None:
    """Prints what a worker says."""
    for line in worker.stdout or ():
        print(line if index == 0 else f"[{index}] {line}", end="", flush=True)


def send(workers: list["subprocess.Popen[str]"], number: int) -> None:
    """Sends a signal to the workers that still run."""
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)


if __name__ == "__main__":
    main()
