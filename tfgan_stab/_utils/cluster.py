"""The processes that train together, as the environment variables of a cluster name them.

TensorFlow reads TF_CONFIG. Slurm's variables say the same, and become a TF_CONFIG here:
TensorFlow's own reader of them needs nvidia-smi, sorts hosts by their names, which is not the order
of the ranks, and chooses the GPUs anew that Slurm has chosen.
"""

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["config_of", "host_names", "is_chief"]

# Jobs of other kinds, such as "ps" and "evaluator", do not train together.
_JOBS = ("chief", "worker")
_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
)
# Workers of Slurm's job J listen at ports from 12,000 + J % 10,000 on: jobs may share a host.
_FIRST_PORT, _PORTS = 12_000, 10_000


def config_of(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Returns TF_CONFIG, or what it would be in a Slurm step; `None` where nothing names processes.

    Args:
        environment: The environment variables.

    Raises:
        ValueError: If they name no cluster, or no place in it.

    Example:
        >>> config_of({}) is None
        True
    """
    if "TF_CONFIG" in environment:
        return _checked(environment["TF_CONFIG"])
    return _of_slurm(environment) if "SLURM_STEP_NODELIST" in environment else None


def is_chief(environment: Mapping[str, str]) -> bool:
    """Returns whether this process is the one of its cluster that writes.

    Args:
        environment: The environment variables.

    Raises:
        ValueError: If they name no cluster, or no place in it.

    Example:
        >>> is_chief({})
        True
    """
    config = config_of(environment)
    if not config or not config.get("cluster"):
        return True
    task = config["task"]
    first = "chief" if "chief" in config["cluster"] else "worker"
    return task["type"] == first and int(task["index"]) == 0


def host_names(nodes: str) -> list[str]:
    """Returns the hosts that Slurm's short form stands for, in Slurm's order.

    Args:
        nodes: Names with commas between them, of which brackets hold lists and ranges of numbers.

    Raises:
        ValueError: If something is neither.

    Example:
        >>> host_names("gpu[08-10,12],login")
        ['gpu08', 'gpu09', 'gpu10', 'gpu12', 'login']
    """
    if nodes.count("[") != nodes.count("]"):
        raise ValueError(f"Expected host names. Received: {nodes!r}. Close all brackets.")
    found: list[str] = []
    for name in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", nodes):
        pieces = re.split(r"\[([^\]]*)\]", name)  # Every other one was in brackets.
        choices = [_numbers(p) if place % 2 else [p] for place, p in enumerate(pieces)]
        found += map("".join, itertools.product(*choices))
    return found


def _numbers(ranges: str) -> list[str]:
    found = []
    for each in ranges.split(","):
        first, _, last = each.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        found += [str(number).zfill(len(first)) for number in numbers]
    return found


def _checked(text: str) -> dict[str, Any]:
    """Returns TF_CONFIG's content, if its task is one of its cluster's."""
    try:
        config = json.loads(text)
        if config.get("cluster"):
            task = config["task"]
            addresses = [a for job in _JOBS for a in config["cluster"].get(job, ())]
            own = config["cluster"][task["type"]]
            sound = task["type"] in _JOBS and 0 <= int(task["index"]) < len(own)
            sound = sound and len(set(addresses)) == len(addresses)
        else:
            sound = True  # A cluster of one.
    except (ValueError, LookupError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise ValueError(
            f"TF_CONFIG must be JSON with the address of each worker, all different, and which "
            f"one this is, such as {_EXAMPLE}. Received: {text:.500}. Correct it."
        )
    return config


def _of_slurm(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        port = _FIRST_PORT + int(environment["SLURM_JOB_ID"]) % _PORTS
        rank, node, local = (
            int(environment[f"SLURM_{n}"]) for n in ("PROCID", "NODEID", "LOCALID")
        )
        hosts = host_names(environment["SLURM_STEP_NODELIST"])
        counts = _tasks_per_node(environment["SLURM_STEP_TASKS_PER_NODE"])
        pairs = list(zip(hosts, counts, strict=True))
        own = f"{hosts[node]}:{port + local}"
    except (ValueError, LookupError) as error:
        received = {name: text for name, text in environment.items() if "SLURM_" in name}
        raise ValueError(
            f"Slurm's variables must name the step's nodes and this process's rank. Received: "
            f"{received!r:.500} ({error!r}). Start the workers by srun, or set TF_CONFIG in each."
        ) from error
    addresses = [f"{host}:{port + number}" for host, count in pairs for number in range(count)]
    if addresses[rank : rank + 1] != [own]:
        raise ValueError(
            f"Slurm must number a node's tasks in a row. Received: rank {rank} for {own}, which is "
            f"number {addresses.index(own) if own in addresses else None} of {addresses}. Start "
            "the workers by srun --distribution=block, or set TF_CONFIG in each."
        )
    return {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}


def _tasks_per_node(text: str) -> list[int]:
    """Returns what Slurm writes as "2(x3),1": [2, 2, 2, 1]."""
    found = []
    for each in text.split(","):
        count, _, times = each.partition("(x")
        found += [int(count)] * int(times.removesuffix(")") or 1)
    return found
