"""What is measured: ratios of times, in turns, with their targets."""

import dataclasses
import functools
import importlib.util
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from contenders import LATENTS, Apart, Ours, PlainKeras, PyTorch, Several
from PIL import Image
from programs import PROGRAMS, dcgan

import tfgan_stab as tgs
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.players import Players
from tfgan_stab.training import distribution


@dataclasses.dataclass
class Row:
    """A figure.

    Attributes:
        figure: What it is of.
        value: The median over turns.
        low: The smallest of the turns' middle half.
        high: The largest of it.
        fastest: The ratio of both contenders' fastest turns, which slow moments do not reach.
        target: What it should be: at most, or with a minus at least; `None` for none.
        milliseconds: The medians that it comes from, by contender.
        note: What else is to be said.
    """

    figure: str
    value: float
    low: float
    high: float
    fastest: float
    target: float | None = None
    milliseconds: dict = dataclasses.field(default_factory=dict)
    note: str = ""

    @property
    def is_met(self):
        """Whether the target is met, by the median and by the fastest turns; `None` without one."""
        if self.target is None:
            return None
        return [
            value >= -self.target if self.target < 0 else value <= self.target
            for value in (self.value, self.fastest)
        ]


class Turns:
    """Times contenders in turns, in another order each time.

    Args:
        contenders: By name.
        turns: How many.
        seconds: About how long a turn of one contender takes.
    """

    def __init__(self, contenders, turns, seconds):
        self.times = {name: [] for name in contenders}
        counts = {}
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender.take(4)
            counts[name] = max(4, round(seconds / (time.perf_counter() - start) * 4))
        names = list(contenders)
        for turn in range(turns):
            first = turn % len(names)  # None is always timed after the same one.
            for name in [*names[first:], *names[:first]][:: 1 if turn % 2 else -1]:
                start = time.perf_counter()
                contenders[name].take(counts[name])
                elapsed = time.perf_counter() - start
                self.times[name].append(elapsed / counts[name] * 1e3)

    def medians(self):
        """Returns the milliseconds of a step of each."""
        return {name: statistics.median(own) for name, own in self.times.items()}

    def row(self, figure, above, below, target=None, note="", factor=1.0):
        """Returns the ratio of two contenders' times within each turn, times a factor."""
        return row_of(
            figure, self.times[above], self.times[below], target, self.medians(), note, factor
        )


def row_of(figure, above, below, target=None, milliseconds=None, note="", factor=1.0):
    """Returns the row of the ratios of two contenders in several turns."""
    values = sorted(factor * a / b for a, b in zip(above, below, strict=True))
    quarter = len(values) // 4
    low, high = values[quarter], values[-1 - quarter]
    value, fastest = statistics.median(values), factor * min(above) / min(below)
    return Row(figure, value, low, high, fastest, target, milliseconds or {}, note)


def default(name, turns, seconds):
    """Settings that nobody chose against the better of both."""

    def several(**settings):
        return Several(lambda: Apart(Ours, name, **settings))

    contenders = {
        "auto": several(jit_compile="auto"),
        "without XLA": several(decide=False, jit_compile=False),
        "with XLA": several(decide=False, jit_compile=True),
    }
    timed = Turns(contenders, turns, seconds)
    close(contenders)
    better = min(("without XLA", "with XLA"), key=lambda each: min(timed.times[each]))
    note = f"chose {', '.join(contenders['auto'].scopes)}"
    yield timed.row(f'"auto" over the better of both: {name}', "auto", better, 1.05, note)


def peers(turns, seconds):
    """PyTorch, eager, and the usual Keras example, over ours."""
    cases = [
        ("MLP 4x256, batch 256", "mlp", "MLP 4x256", -1.3, -2.0),
        ("DCGAN 32x32, batch 64", "dcgan", "DCGAN 32x32", -1.15, -1.3),
        ("RK4 and gradient norm", "rk4", "RK4 and gradient norm", -1.2, None),
    ]
    for name, peer, program, torch_target, keras_target in cases:
        contenders = {"ours": Several(functools.partial(Apart, Ours, program))}
        if keras_target is not None:
            contenders["Keras' example"] = Several(functools.partial(Apart, PlainKeras, program))
        if importlib.util.find_spec("torch") is not None:
            contenders["PyTorch"] = Several(functools.partial(PyTorch, peer))
        timed = Turns(contenders, turns, seconds)
        close(contenders)
        if "PyTorch" in contenders:
            yield timed.row(f"PyTorch eager / ours: {name}", "PyTorch", "ours", torch_target)
        if keras_target is not None:
            what = f"Keras' example / ours: {name}"
            yield timed.row(what, "Keras' example", "ours", keras_target)


def close(contenders):
    """Ends contenders' processes."""
    for contender in contenders.values():
        contender.close()


class _Field:
    """Bare evaluations in a graph: gradients, losses, networks' state."""

    def __init__(self, program):
        ours = Ours(program, decide=False, jit_compile=False)
        gan = ours.gan
        networks = (gan.generator, gan.discriminator)
        params = Players(*(distribution.read(n.trainable_variables) for n in networks))
        state = Players(*(distribution.read(n.non_trainable_variables) for n in networks))
        images = next(iter(ours.data))
        noise = tf.random.stateless_normal([len(images), LATENTS], [0, 0])
        minibatch = Minibatch(images, None, noise)

        @tf.function(autograph=False)
        def field(weights):
            return gan.game(weights, state, minibatch)

        @tf.function(autograph=False)
        def several(count):
            def again(i, weights, _):
                return i + 1, weights, field(weights)

            start = (0, params, field(params))
            return tf.while_loop(lambda i, *_: i < count - 1, again, start)[2]

        self._several = several

    def take(self, count):
        """Evaluates so many times."""
        self._several(tf.constant(count)).gradients.generator[0].numpy()


def schemes(turns, seconds):
    """A step of each scheme over its evaluations of the bare field."""
    kinds = {
        "simultaneous": tgs.Simultaneous(),
        "lookahead": tgs.Lookahead(tgs.Simultaneous(), sync_period=5),
        "Heun": tgs.RungeKutta("heun"),
        "RK4": tgs.RungeKutta("rk4"),
        "extragradient": tgs.Extragradient(),
        "optimistic": tgs.OptimisticGradient(),
    }
    contenders = {
        name: Apart(Ours, "DCGAN 32x32", decide=False, scheme=scheme, jit_compile=False)
        for name, scheme in kinds.items()
    }
    contenders["field"] = Apart(_Field, "DCGAN 32x32")
    timed = Turns(contenders, turns, seconds)
    close(contenders)
    for name, scheme in kinds.items():
        what = f"step / ({scheme.evaluations} x bare field): {name}"
        yield timed.row(what, name, "field", 1.05, factor=1 / scheme.evaluations)


def compilation(turns, seconds):
    """Tracing and compiling RK4 with a penalty over Euler with it."""
    del seconds
    times = {"euler": [], "rk4": []}
    for _ in range(max(3, turns // 3)):
        for name, own in times.items():
            program = functools.partial(
                dcgan,
                32,
                16,
                32,
                scheme=tgs.RungeKutta(name),
                penalties=[tgs.GeneratorGradientNorm(0.01)],
            )
            own.append(Ours(program, False, jit_compile=True).first_seconds)
    milliseconds = {name: statistics.median(own) * 1e3 for name, own in times.items()}
    what = "trace and compile: RK4 over Euler, both penalized"
    yield row_of(what, times["rk4"], times["euler"], 1.5, milliseconds)


def methods(turns, seconds):
    """Averages and lazy penalties over a plain step."""
    several = {f"ema_{i}": tgs.ExponentialAverage(d) for i, d in enumerate((0.9, 0.99, 0.999))}
    program = functools.partial(dcgan, 32, 32, 64, jit_compile=False)
    contenders = {
        "plain": Ours(program, False),
        "one average": Ours(program, False, averages={"ema": tgs.ExponentialAverage(0.999)}),
        "three averages": Ours(program, False, averages=several),
        "R1 every 16": Ours(program, False, penalties=[tgs.R1(10.0, interval=16)]),
        "top-k": Ours(program, False, top_k=tgs.TopK(decay=0.5, every=1, floor=0.5)),
    }
    timed = Turns(contenders, max(turns, 30), seconds)
    targets = {"one average": 1.02, "three averages": 1.05, "R1 every 16": 1.10, "top-k": None}
    for name, target in targets.items():
        yield timed.row(f"{name} over a plain step", name, "plain", target)


MEMORY = """
import functools, pathlib, sys
sys.path.insert(0, {folder!r})
from contenders import Ours
from programs import dcgan
import tfgan_stab as tgs
program = functools.partial(dcgan, 32, 64, 64, scheme=tgs.RungeKutta({name!r}))
Ours(program, False, jit_compile=False)
lines = pathlib.Path("/proc/self/status").read_text().splitlines()
print([line.split()[1] for line in lines if line.startswith("VmHWM")][0])
"""


def precision(turns, seconds):
    """Half precision over float32."""
    contenders = {}
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        program = functools.partial(dcgan, 32, 32, 64)
        contenders[policy] = Ours(program, False, jit_compile=False)
    keras.config.set_dtype_policy("float32")
    timed = Turns(contenders, turns, seconds)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        yield timed.row(f"{policy} over float32, DCGAN 32x32", policy, "float32")


def memory(turns, seconds):
    """The largest memory of a process that trains by RK4 over one that trains by Euler."""
    del turns, seconds
    folder = str(pathlib.Path(__file__).parent)
    found = {"euler": [], "rk4": []}
    for _ in range(3):
        for name, own in found.items():
            program = MEMORY.format(folder=folder, name=name)
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True
            )
            own.append(int(done.stdout.split()[-1]) / 1024)
    note = ", ".join(f"{name} {statistics.median(own):.0f} MB" for name, own in found.items())
    yield row_of("memory of RK4 over Euler", found["rk4"], found["euler"], 1.15, note=note)


@dataclasses.dataclass
class _Fed:
    """One GAN, which several contenders train, each on data of its own."""

    gan: tgs.GAN
    data: tf.data.Dataset

    def take(self, count):
        """Takes so many steps."""
        self.gan.fit(self.data, steps_per_epoch=count, verbose=0)


def input_of_images(turns, seconds):
    """Training from 10,000 JPEG files over training from memory."""
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.RandomState(0)
        small = random.randint(0, 256, [10_000, 8, 8, 3], np.uint8)
        for number, pixels in enumerate(small):
            picture = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)
            picture.save(f"{folder}/{number:05}.jpg", quality=90)
        files = tgs.data.image_folder(folder, batch_size=32)
        array = random.randint(0, 256, [10_000, 64, 64, 3], np.uint8)
        gan = Ours(functools.partial(dcgan, 64, 16, 32), False, jit_compile=False).gan
        sources = {"memory": tgs.data.arrays(array, batch_size=32), "files": files}
        timed = Turns({name: _Fed(gan, data) for name, data in sources.items()}, turns, seconds)
        yield timed.row(
            "training from JPEG files over memory, DCGAN 64x64", "files", "memory", 1.05
        )


def growth(turns, seconds):
    """The time of a step by batch, by width and by number of penalties."""
    axes = {
        "batch": {n: functools.partial(dcgan, 32, 16, n) for n in (8, 16, 32, 64, 128, 256, 512)},
        "width": {n: functools.partial(dcgan, 32, n, 32) for n in (8, 16, 32, 64)},
        "penalties": {
            n: functools.partial(dcgan, 32, 16, 32, penalties=[tgs.R1(1.0)] * n) for n in range(4)
        },
    }
    for axis, programs in axes.items():
        contenders = {n: Ours(each, False, jit_compile=False) for n, each in programs.items()}
        timed = Turns(contenders, max(3, turns // 2), seconds)
        fastest = {name: min(own) for name, own in timed.times.items()}
        fitted = linear_fit(fastest)
        note = "over a line through the fastest turns"
        yield Row(f"step by {axis}", *fitted, fitted[0], milliseconds=fastest, note=note)


def linear_fit(points):
    """Returns the median, least and largest ratio of points to a line fitted to their ratios."""
    x, y = (np.array(each, float) for each in zip(*points.items(), strict=True))
    line = np.polyfit(x, y, 1, w=1 / y)
    ratios = y / np.polyval(line, x)
    return float(np.median(ratios)), float(ratios.min()), float(ratios.max())


FIGURES = {
    **{f"auto: {name}": functools.partial(default, name) for name in PROGRAMS},
    "peers": peers,
    "schemes": schemes,
    "compilation": compilation,
    "methods": methods,
    "precision": precision,
    "memory": memory,
    "input": input_of_images,
    "growth": growth,
}
