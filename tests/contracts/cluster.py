"""Two workers on this machine, processes that scripts/launch_local.py knows how to start."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from launch_local import free_ports, start  # noqa: E402


def start_workers(command):
    """Starts the same program, a file and its flags, in two workers; returns the processes."""
    addresses = [f"localhost:{port}" for port in free_ports(2)]
    return [start(index, addresses, command) for index in range(2)]


def run_workers(command, timeout=500):
    """Runs the same program in two workers; returns what each has said."""
    processes = start_workers(command)
    try:
        said = [each.communicate(timeout=timeout)[0] for each in processes]
    finally:
        for each in processes:
            each.kill()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text[-3000:]
    return said
