"""What XLA compiles, with the reason kept: decided by what is possible, and on CPUs by the clock.

Keras' own "auto" is off on CPUs and under any distribution strategy, and falls back without a word
elsewhere. Here the gradients are lowered to XLA's language once, which takes a fraction of a second
and shows whether every operation has a compiled form, those in penalties' derivatives included.
Whether the compiled form is the faster one, on a CPU only a trial can tell: for small images and
strided convolutions the plain graph has been 2 to 16 times as fast.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab import __version__
from tfgan_stab._utils import random, validation
from tfgan_stab._utils.files import cache_directory, write_atomically
from tfgan_stab._utils.model_hash import description
from tfgan_stab._utils.progress import milliseconds
from tfgan_stab.game.functional import Minibatch, only
from tfgan_stab.game.gradients import GameFunctions, GameGradients
from tfgan_stab.game.penalties.base import Penalty, WeightGradientPenalty
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution, workers
from tfgan_stab.training.minibatches import MinibatchMaker

# XLA copies the gradients into a step for each evaluation, and compiles as much longer.
MOST_COPIES = 2

# Of images, in pixels, for networks that take any; and how many, as some layers group examples.
SIDE, ROWS = 8, 16

# A run that takes less without XLA, in seconds, is over before a trial of XLA could pay.
SHORT_RUN = 10.0

# By how much XLA must be faster: less is noise, and compilation takes its time.
CLEARLY = 0.96

# Why replicas do not compare: each machine has a clock of its own, and all must do the same.
UNTRIED = "XLA is often the slower one there, and is compared on a single one only."

# A trial's timing, compilation not included, ends with a share of the run's time, in seconds at
# least and at most; or sooner, after so many turns that all say the same.
SHARE_OF_RUN = 0.05
SECONDS_OF_TRIAL = (1.0, 10.0)
AGREEING_TURNS = 8

# What makes TensorFlow faster or slower on the same machine.
SPEED_VARIABLES = (
    "OMP_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)

# What lines of TensorFlow's errors begin with that say where in a graph, and not what.
WHERE = ("Graph execution error", "Detected at node", "<stack traces", 'File "')

# What fewer turns say is of the run at hand only, which is short: longer ones have a trial too.
FEWEST_TURNS = 3


def use_deterministic_operations(seed: int) -> None:
    """Makes all operations of this process give the same bits each time, from now on.

    On CPUs they do so anyway. On GPUs sums may otherwise run in any order. One that has no
    deterministic form raises `tf.errors.UnimplementedError` with its name when it runs.

    Args:
        seed: For operations that have no seed of their own, such as those that shuffle arrays; they
            are refused without.
    """
    tf.random.set_seed(seed % 2**32)
    tf.config.experimental.enable_op_determinism()


class Compilation(NamedTuple):
    """What XLA compiles, and why.

    Attributes:
        scope: "step" (everything a step does), "field" (the gradients only, as under a distribution
            strategy with several replicas) or "off".
        reason: One sentence.
        candidate: The scope that is still to be compared with "off"; "" if nothing is.
    """

    scope: str
    reason: str
    candidate: str = ""

    def __str__(self) -> str:
        return f"XLA: {self.scope} ({self.reason.removesuffix('.')})"


def compile_functions(game: GameGradients, scope: str, run_eagerly: bool) -> GameFunctions:
    """Returns the game's functions, as graphs unless the user wants none.

    Args:
        game: The game's gradients.
        scope: What XLA compiles; it compiles these functions only where not the whole step.
        run_eagerly: Whether the user asked for eager execution.
    """
    plain = GameFunctions(game, game.vjp, game.realness)
    if run_eagerly:
        return plain
    compiled = True if scope == "field" else None
    return GameFunctions(
        *(tf.function(each, autograph=False, jit_compile=compiled) for each in plain)
    )


def choose_compilation(
    requested: bool | str,
    function: Callable[..., Any],
    example: Sequence[Any],
    networks: Sequence[keras.Model],
    replicas: int,
    evaluations: int,
    run_eagerly: bool,
) -> Compilation:
    """Returns what to compile.

    Args:
        requested: `True`, `False` or "auto".
        function: What a step does before the scheme's own arithmetic.
        example: Arguments to call it with, to try whether it can be lowered.
        networks: Both networks.
        replicas: How many replicas train.
        evaluations: How often the scheme evaluates the gradients in a step.
        run_eagerly: Whether the user asked for eager execution.

    Raises:
        ValueError: If `requested` is something else, or is `True` where XLA cannot be used.
    """
    validation.choice(
        "jit_compile",
        requested,
        (True, False, "auto"),
        'Use "auto" to compile where the networks allow it.',
    )
    if not requested:
        return Compilation("off", "jit_compile=False was asked for.")
    obstacle = _obstacle(function, example, networks, run_eagerly)
    if obstacle:
        if requested == "auto":
            return Compilation("off", obstacle)
        raise ValueError(
            f"`jit_compile=True` expects networks that XLA can compile. Received: {obstacle} "
            'Use jit_compile="auto", which falls back to the plain graph, or replace the layer.'
        )
    possible = _possible(replicas, evaluations)
    if requested == "auto" and not has_accelerator():
        if replicas > 1:
            return Compilation("off", f"{replicas} replicas on CPUs: {UNTRIED}")
        return Compilation("off", "`fit` compares both on its first batch.", possible.scope)
    return possible


def has_accelerator() -> bool:
    """Returns whether TensorFlow sees a GPU or a TPU."""
    return any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def _possible(replicas: int, evaluations: int) -> Compilation:
    """Returns how much XLA can compile of a step that it can lower."""
    if replicas > 1:
        return Compilation(
            "field",
            f"{replicas} replicas: XLA compiles the gradients on each, not the communication.",
        )
    if evaluations > MOST_COPIES and not has_accelerator():
        return Compilation(
            "field",
            f"{evaluations} evaluations a step: XLA compiles the gradients once, not a copy for "
            "each.",
        )
    return Compilation("step", "every operation of both networks has a compiled form.")


def _obstacle(
    function: Callable[..., Any],
    example: Sequence[Any],
    networks: Sequence[keras.Model],
    run_eagerly: bool,
) -> str | None:
    """Returns the sentence that says why XLA cannot be used, or `None`."""
    if run_eagerly:
        return "run_eagerly=True excludes compilation."
    for network in networks:
        for layer in network._flatten_layers():
            if not layer.supports_jit:
                return f"layer {layer.name!r} of {network.name!r} says it does not support XLA."
    lowered = tf.function(function, jit_compile=True, autograph=False)
    try:
        lowered.experimental_get_compiler_ir(*example)(stage="hlo")
    except (tf.errors.OpError, ValueError) as error:
        return f"XLA cannot lower the networks: {first_line(error)}"
    return None


def first_line(error: Exception) -> str:
    """Returns what an error says first."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(WHERE)]
    return lines[0][:300] if lines else type(error).__name__


def step_without_scheme(
    game: GameGradients, maker: MinibatchMaker, penalties: Sequence[Penalty]
) -> Callable[..., Any]:
    """Returns what a step does before the scheme's own arithmetic, for XLA to be tried on."""

    def evaluated(params: Players, state: Players, minibatch: Minibatch) -> Any:
        zero = tf.constant(0, tf.int64)
        latents = maker.latents(minibatch.real_images, random.TRAINING, 0, 0)
        most = dataclasses.replace(maker, active=maker.patterns[-1])
        minibatch = most.prepare(minibatch._replace(latents=latents), 0, zero, zero)
        evaluation = game(params, state, minibatch, BOTH)
        products = []
        for penalty in penalties:
            if isinstance(penalty, WeightGradientPenalty):
                cotangents = penalty.cotangents(only(evaluation.gradients, penalty.measures))
                alone = minibatch.without_penalties()
                products.append(game.vjp(params, state, alone, cotangents, penalty.players))
        return evaluation, products

    return evaluated


def example_arguments(
    networks: Players, maker: MinibatchMaker
) -> tuple[Players, Players, Minibatch]:
    """Returns weights, state and a minibatch of zeros, as a step would see them."""
    images = tf.zeros([ROWS, *(side or SIDE for side in maker.pair.example_shape)])
    labels = maker.pair.example_conditions(ROWS)
    params = Players(*(distribution.read(n.trainable_variables) for n in networks))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in networks))
    return params, state, Minibatch(images, labels, maker.latents(images, random.SAMPLING))


# -- Trials ---------------------------------------------------------------------------------------


def compare(
    plain: Callable[[int], int],
    compiled: Callable[[], Callable[[int], int]],
    planned: int | None,
    steps_per_call: Callable[[float], int],
) -> dict[str, float]:
    """Returns the seconds of a step without and with XLA, taken in turns.

    Without, it is the median; with, the same times the median of the turns' ratios: in a slow
    moment of the machine both take longer, and one of many turns may happen to be fast. The ones
    with XLA, and how many turns there were, are missing if the run is too short for a trial to pay.

    Args:
        plain: Takes at most so many steps without XLA; returns how many, when they are done.
        compiled: Returns the same with XLA.
        planned: The run's steps; `None` if that is not known.
        steps_per_call: Returns how many steps of so many seconds the run takes in one call: as
            many are timed together, since a call has a cost of its own.
    """
    plain(1)  # Traced.
    once = min(_seconds(plain, 1) for _ in range(2))
    if planned is not None and planned * once < SHORT_RUN:
        return {"plain": once}
    candidate = compiled()
    candidate(1)  # Traced and compiled.
    count = steps_per_call(once)
    least, most = SECONDS_OF_TRIAL
    share = most if planned is None else SHARE_OF_RUN * planned * once
    end = time.perf_counter() + min(max(share, least), most)
    seconds: list[float] = []
    ratios: list[float] = []
    while not ratios or (time.perf_counter() < end and not _agree(ratios)):
        seconds.append(_seconds(plain, count))
        ratios.append(_seconds(candidate, count) / seconds[-1])
    typical = statistics.median(seconds)
    with_xla = typical * statistics.median(ratios)
    return {"plain": typical, "compiled": with_xla, "turns": len(ratios)}


def _agree(ratios: Sequence[float]) -> bool:
    """Returns whether enough turns all say that XLA is clearly the faster one, or all not."""
    return len(ratios) >= AGREEING_TURNS and (max(ratios) < CLEARLY or min(ratios) >= CLEARLY)


def _seconds(steps: Callable[[int], int], count: int) -> float:
    start = time.perf_counter()
    taken = steps(count)
    return (time.perf_counter() - start) / taken


def chosen(times: Mapping[str, float], candidate: str, earlier: bool = False) -> Compilation:
    """Returns what to compile.

    Args:
        times: Seconds of a step, "plain" and, where there was a trial, "compiled".
        candidate: What XLA would compile.
        earlier: Whether an earlier run has measured them.
    """
    plain = f"{milliseconds(times['plain'])} ms a step without XLA"
    if "compiled" not in times:
        reason = f"{plain}; the run is too short for a trial to pay off."
        return Compilation("off", reason, candidate)
    scope = candidate if times["compiled"] < CLEARLY * times["plain"] else "off"
    by = "an earlier run measured" if earlier else "measured"
    return Compilation(scope, f"{by} {plain}, {milliseconds(times['compiled'])} ms with.")


def trial_key(networks: Sequence[keras.Model], settings: Sequence[Any], spec: Any) -> str:
    """Returns what the outcome of a trial depends on, as a hash.

    Args:
        networks: Both networks.
        settings: What else decides a step's work; their `repr` counts, without addresses.
        spec: Shapes and types of a batch; its `repr` counts.
    """
    described = [description(network) for network in networks]
    variables = [(v.shape, v.dtype, v.trainable) for n in networks for v in n.variables]
    versions = [__version__, tf.__version__, keras.__version__]
    parts = [described, variables, settings, spec, versions, _machine()]
    text = workers.ADDRESS.sub("", repr(parts))  # Of objects of the user's own.
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _machine() -> list[Any]:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.is_file() else ""
    models = sorted({line for line in text.splitlines() if line.startswith("model name")})
    threads = tf.config.threading
    numbers = (
        threads.get_intra_op_parallelism_threads(),
        threads.get_inter_op_parallelism_threads(),
    )
    affinity = getattr(os, "sched_getaffinity", None)
    cores = os.cpu_count() if affinity is None else len(affinity(0))
    chosen = [os.environ.get(name) for name in SPEED_VARIABLES]
    return [platform.machine(), models, cores, numbers, chosen]


def remembered(key: str) -> dict[str, float] | None:
    """Returns what a trial of this key measured earlier on this machine; `None` without one."""
    path = _memory(key)
    try:
        times = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(times[name]) for name in ("plain", "compiled")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        warnings.warn(f"{path} cannot be read, XLA is measured again: {error!r}", stacklevel=2)
        return None


def remember(key: str, times: Mapping[str, float]) -> None:
    """Keeps what a trial of several turns measured for later runs; warns if it cannot."""
    if times.get("turns", 0) < FEWEST_TURNS:
        return
    path = _memory(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(dict(times)) + "\n")
    except OSError as error:
        warnings.warn(
            f"The next run will have to measure XLA again: {error}. Set TFGAN_STAB_CACHE to a "
            "folder that can be written.",
            stacklevel=2,
        )


def _memory(key: str) -> pathlib.Path:
    return cache_directory() / "xla" / f"{key}.json"
