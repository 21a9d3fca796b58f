"""Computes what training on several devices communicates; docs/several_devices.md has the tables.

    .venv/bin/python scripts/benchmarks/communication.py

Bytes are counted by letting each scheme take a step in a game that notes which gradients it is
asked for. Times are computed from them, not measured; the constants below are the assumptions.
"""

from typing import NamedTuple

import tensorflow as tf

import tfgan_stab as tgs
from tfgan_stab import networks
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.updates.scheme import Game, Scheme

SCHEMES = {
    "Euler": tgs.Simultaneous(),
    "Alternating(1)": tgs.Alternating(),
    "Alternating(5)": tgs.Alternating(5),
    "Extragradient": tgs.Extragradient(),
    "RK4": tgs.RungeKutta("rk4"),
}
NETWORKS = {
    "DCGAN 8x8 (digits)": lambda: [
        networks.dcgan_generator(8, 1, latents=64, width=32, base_size=2),
        networks.dcgan_discriminator(8, 1, width=64, base_size=2),
    ],
    "DCGAN 32x32": lambda: [networks.dcgan_generator(32), networks.dcgan_discriminator(32)],
    "DCGAN 64x64": lambda: [networks.dcgan_generator(64), networks.dcgan_discriminator(64)],
    "ResNet 32x32 (SNGAN)": lambda: [
        networks.resnet_generator(32, architecture="sngan"),
        networks.resnet_discriminator(32, architecture="sngan"),
    ],
    "BigGAN 32x32": lambda: [
        networks.resnet_generator(32, architecture="biggan"),
        networks.resnet_discriminator(32, architecture="biggan"),
    ],
    "R3GAN 32x32": lambda: [networks.r3gan_generator(32), networks.r3gan_discriminator(32)],
}

# What a step takes on one H200 (2026-11-27, TensorFlow 2.21, TF32 on), in milliseconds, with the
# rows of its batch. Of RK4 XLA compiled the gradients alone, as it does on several replicas; of the
# others the whole step.
MEASURED = {
    ("DCGAN 32x32", "Euler"): (3.46, 64),
    ("DCGAN 32x32", "RK4"): (14.3, 64),
    ("DCGAN 64x64", "Euler"): (6.26, 128),
    ("ResNet 32x32 (SNGAN)", "Euler"): (12.6, 64),
}


class Link(NamedTuple):
    """How devices are connected.

    Attributes:
        bandwidth: Of each device, in one direction, bytes a second.
        latency: Of a message to the next device, seconds.
        most: How many devices it connects at most.
    """

    bandwidth: float
    latency: float
    most: int = 1024


LINKS = {
    "NVLink": Link(400e9, 3e-6, most=8),
    "InfiniBand": Link(50e9, 5e-6),
    "10 GbE": Link(1.25e9, 30e-6),
}
DEVICES = (8, 64, 256, 1024)


class Noting(Game):
    """A game without gradients that notes whose are asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    @property
    def step_sizes(self) -> Players:
        """Learning rates, as schemes use them."""
        return Players(0.1, 0.1)

    def field(self, params: Players, minibatch: int = 0, players: tuple = BOTH) -> Players:
        """Returns zeros for the players asked for."""
        self.asked.append(tuple(players))
        zeros = tf.nest.map_structure(tf.zeros_like, params)
        return Players(*(getattr(zeros, name) if name in players else None for name in BOTH))

    def update(self, params: Players, slopes: Players) -> Players:
        """Returns the weights as they are."""
        return params


class Numbers(NamedTuple):
    """What there is of a pair of networks, each a number of floats.

    Attributes:
        generator: Its trained weights.
        discriminator: Its trained weights.
        state: Batch statistics and spectral-norm vectors of both.
    """

    generator: int
    discriminator: int
    state: int


def evaluations(scheme: Scheme) -> list[tuple[str, ...]]:
    """Returns whose gradients each evaluation of a step computes."""
    game, params = Noting(), Players([tf.zeros([])], [tf.zeros([])])
    scheme.step(game, params, scheme.init(params))
    return game.asked


def numbers_of(pair: list) -> Numbers:
    """Counts the floats of a generator and a discriminator."""
    trained = [sum(v.shape.num_elements() for v in n.trainable_variables) for n in pair]
    state = [v for n in pair for v in n.non_trainable_variables if v.dtype.startswith("float")]
    return Numbers(*trained, sum(v.shape.num_elements() for v in state))


def size_of_step(numbers: Numbers, scheme: Scheme) -> int:
    """Returns the bytes that each replica has reduced in a step, logs left out.

    4 for each trained weight of the players whose gradients are computed, in each evaluation; the
    first one carries the state too.
    """
    asked = [getattr(numbers, name) for players in evaluations(scheme) for name in players]
    return 4 * (sum(asked) + numbers.state)


def reductions(scheme: Scheme) -> int:
    """Returns how many reductions a step takes: one for each evaluation, and one for the logs."""
    return scheme.evaluations + 1


def seconds_of_communication(size: int, messages: int, devices: int, link: Link) -> float:
    """Returns the seconds of all-reduces in a ring, nothing overlapped.

    `2 (N - 1) / N bytes / bandwidth + 2 (N - 1) latency` for each.
    """
    hops = 2 * (devices - 1)
    return hops / devices * size / link.bandwidth + messages * hops * link.latency


def table_of_bytes(found: dict[str, Numbers]) -> str:
    """Returns the first table, in Markdown."""
    counts = " | ".join(str(reductions(scheme)) for scheme in SCHEMES.values())
    lines = [
        "| networks | generator | discriminator | state | " + " | ".join(SCHEMES) + " |",
        "|---|--:|--:|--:|" + "--:|" * len(SCHEMES),
        f"| *reductions a step* | | | | {counts} |",
    ]
    for name, numbers in found.items():
        sizes = [f"{size_of_step(numbers, s) / 1e6:,.1f} MB" for s in SCHEMES.values()]
        counts = " | ".join(f"{count:,}" for count in numbers)
        lines.append(f"| {name} | {counts} | {' | '.join(sizes)} |")
    return "\n".join(lines)


def table_of_times(found: dict[str, Numbers]) -> str:
    """Returns the second table, in Markdown."""
    lines = [
        "| step | rows a device | link | 1 device (measured) | "
        + " | ".join(f"{count:,}" for count in DEVICES)
        + " |",
        "|---|--:|---|--:|" + "--:|" * len(DEVICES),
    ]
    for (name, scheme), (milliseconds, rows) in MEASURED.items():
        size, messages = size_of_step(found[name], SCHEMES[scheme]), reductions(SCHEMES[scheme])
        for label, link in LINKS.items():
            times = []
            for count in DEVICES:
                more = 1e3 * seconds_of_communication(size, messages, count, link)
                total = milliseconds + more
                known = count <= link.most
                times.append(f"{total:,.1f} ({more / total:.0%})" if known else "-")
            start = f"| {name}, {scheme} | {rows} | {label} | {milliseconds:.1f} |"
            lines.append(f"{start} {' | '.join(times)} |")
    return "\n".join(lines)


def tables() -> tuple[str, str]:
    """Returns both tables."""
    found = {name: numbers_of(make()) for name, make in NETWORKS.items()}
    return table_of_bytes(found), table_of_times(found)


if __name__ == "__main__":
    print(*tables(), sep="\n\n")
