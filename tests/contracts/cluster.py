"""Two workers on this machine, each a process of its own, as TF_CONFIG tells them."""

import contextlib
import json
import os
import socket
import subprocess


def free_ports(count):
    """Ports that nobody listens to now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]


def start_workers(command, count=2, **settings):
    """Starts the same command in each worker; returns the processes."""
    addresses = [f"localhost:{port}" for port in free_ports(count)]
    processes = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        processes.append(
            subprocess.Popen(
                command,
                env={**os.environ, "TF_CONFIG": config, "TF_CPP_MIN_LOG_LEVEL": "2", **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return processes


def run_workers(command, timeout=500):
    """Runs the same command in two workers; returns what each has said."""
    processes = start_workers(command)
    try:
        said = [each.communicate(timeout=timeout)[0] for each in processes]
    finally:
        for each in processes:
            each.kill()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text[-3000:]
    return said
