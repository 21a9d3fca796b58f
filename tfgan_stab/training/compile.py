"""Whether XLA compiles the step, decided before training, with the reason kept.

Keras' own "auto" is off on CPUs and under any distribution strategy, and falls back without a word
elsewhere. Here the field is lowered to XLA's language once, which takes a fraction of a second and
shows whether every operation has a compiled form, those in penalties' derivatives included.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.gradients import AdversarialField
from tfgan_stab.game.penalties.base import loss_penalties, slope_penalties
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.game.top_k import TopK
from tfgan_stab.training import distribution
from tfgan_stab.training.penalizing import pulls_of

# XLA copies the field into a step for each evaluation, and compiles as much longer.
MOST_COPIES = 2


class Compilation(NamedTuple):
    """What XLA compiles, and why.

    Attributes:
        scope: "step" (everything a step does), "field" (the field only, as under a distribution
            strategy with several replicas) or "off".
        reason: One sentence.
    """

    scope: str
    reason: str


class FieldFunctions(NamedTuple):
    """The field and what belongs to it, each traced once and called at every evaluation.

    Attributes:
        field: Function `(params, state, batch, players) -> Evaluation`.
        pulled_back: Function `(params, state, batch, cotangents, payers) -> Players`.
        realness: Function `(params, state, batch) -> scores`.
    """

    field: Callable[..., Any]
    pulled_back: Callable[..., Any]
    realness: Callable[..., Any]


def functions(
    field: AdversarialField, scope: str, run_eagerly: bool, lazy: bool = False
) -> FieldFunctions:
    """Returns the field's functions, as graphs unless the user wants none.

    Args:
        field: The vector field.
        scope: What XLA compiles; it compiles these functions only where not the whole step.
        run_eagerly: Whether the user asked for eager execution.
        lazy: Whether some penalties rest in most steps.
    """
    plain = FieldFunctions(field, field.pulled_back, field.realness)
    if not run_eagerly:
        compiled = True if scope == "field" else None
        plain = FieldFunctions(
            *(tf.function(each, autograph=False, jit_compile=compiled) for each in plain)
        )
    if not lazy:
        return plain
    return FieldFunctions(_settled(plain.field), _settled(plain.pulled_back), plain.realness)


def _settled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that is called with what is due now as Python booleans.

    So a step in which a lazy penalty rests is a step without it, with a graph of its own.
    """

    def call(params: Players, state: Players, batch: Batch, *rest: Any) -> Any:
        open_ends = [due for due in batch.due if tf.is_tensor(due)]
        if not open_ends:
            return function(params, state, batch, *rest)
        structures: list[Any] = []

        def branch(now: bool) -> list[tf.Tensor]:
            due = tuple(now if each is open_ends[0] else each for each in batch.due)
            result = call(params, state, batch._replace(due=due), *rest)
            structures.append(result)
            return [each for each in tf.nest.flatten(result) if each is not None]

        found = iter(tf.cond(open_ends[0], lambda: branch(True), lambda: branch(False)))
        return tf.nest.map_structure(lambda e: None if e is None else next(found), structures[0])

    return call


def choose(
    requested: bool | str,
    field: Callable[..., Any],
    example: Sequence[Any],
    networks: Sequence[keras.Model],
    replicas: int,
    evaluations: int,
    run_eagerly: bool,
    selection: TopK | None = None,
    lazy: bool = False,
) -> Compilation:
    """Returns what to compile.

    Args:
        requested: `True`, `False` or "auto".
        field: The pure vector field.
        example: Arguments to call it with, to try whether it can be lowered.
        networks: Both networks.
        replicas: How many replicas train.
        evaluations: How often the scheme evaluates the field in a step.
        run_eagerly: Whether the user asked for eager execution.
        selection: Which fakes the generator learns from.
        lazy: Whether some penalties rest in most steps.

    Raises:
        ValueError: If `requested` is something else, or is `True` where XLA cannot be used.
    """
    if requested not in (True, False, "auto"):
        raise ValueError(
            f'`jit_compile` must be True, False or "auto". Received: {requested!r}. Use "auto" to '
            "compile where the networks allow it."
        )
    if not requested:
        return Compilation("off", "jit_compile=False was asked for.")
    obstacle = _obstacle(field, example, networks, run_eagerly, selection)
    if obstacle:
        if requested == "auto":
            return Compilation("off", obstacle)
        raise ValueError(
            f"`jit_compile=True` expects networks that XLA can compile. Received: {obstacle} "
            'Use jit_compile="auto", which falls back to the plain graph, or replace the layer.'
        )
    if replicas > 1:
        return Compilation(
            "field",
            f"{replicas} replicas: XLA compiles the field on each, not the communication.",
        )
    if evaluations > MOST_COPIES:
        return Compilation(
            "field",
            f"{evaluations} evaluations a step: XLA compiles the field once, not a copy for each.",
        )
    if lazy:
        return Compilation(
            "field", "lazy penalties: XLA compiles the field with and without them, not the choice."
        )
    return Compilation("step", "every operation of both networks has a compiled form.")


def _obstacle(
    field: Callable[..., Any],
    example: Sequence[Any],
    networks: Sequence[keras.Model],
    run_eagerly: bool,
    selection: TopK | None,
) -> str | None:
    """Returns the sentence that says why XLA cannot be used, or `None`."""
    if run_eagerly:
        return "run_eagerly=True excludes compilation."
    if selection is not None and selection.compute == "selected":
        return 'TopK(compute="selected") has shapes that change with k.'
    for network in networks:
        for layer in network._flatten_layers():
            if not layer.supports_jit:
                return f"layer {layer.name!r} of {network.name!r} says it does not support XLA."
    lowered = tf.function(field, jit_compile=True, autograph=False)
    try:
        lowered.experimental_get_compiler_ir(*example)(stage="hlo")
    except (tf.errors.OpError, ValueError) as error:
        return f"XLA cannot lower the networks: {_first_line(error)}"
    return None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


# DOC: """Puts networks, loss, penalties and top-k together to the field that a GAN trains on."""
#
# Of images, in pixels, for networks that take any.
SIDE = 8


class Assembled(NamedTuple):
    """What a GAN trains on.

    Attributes:
        field: The vector field.
        compilation: What XLA compiles, and why.
        functions: The field's functions, as graphs unless the user wants none.
    """

    field: AdversarialField
    compilation: Compilation
    functions: FieldFunctions


def assembled(gan: Any, jit_compile: bool | str, run_eagerly: bool) -> Assembled:
    """Returns the field of a GAN whose settings are known, and how it is compiled.

    Args:
        gan: The model.
        jit_compile: `True`, `False` or "auto".
        run_eagerly: Whether the user asked for eager execution.

    Raises:
        ValueError: If XLA is asked for where it cannot be used.
    """
    field = AdversarialField(gan.networks, gan.loss_pair, loss_penalties(gan.penalties))

    def drawn_and_evaluated(params: Players, state: Players, batch: Batch) -> Any:
        """Does what a step does before the scheme's own arithmetic, for XLA to be tried on."""
        zero = tf.constant(0, tf.int64)
        batch = batch._replace(latents=gan.draw(2, random.TRAINING, 0, 0))
        batch = gan.equipment.given_to(batch, 0, zero, zero)
        batch = batch._replace(due=(True,) * len(batch.due))
        evaluation = field(params, state, batch, BOTH)
        pulls = pulls_of(slope_penalties(gan.penalties), evaluation.slopes)
        bare = batch.without_penalties()
        return evaluation, [field.pulled_back(params, state, bare, *each) for each in pulls]

    lazy = any(penalty.interval > 1 for penalty in loss_penalties(gan.penalties))
    chosen = choose(
        jit_compile,
        drawn_and_evaluated,
        _example(gan),
        gan.networks,
        gan.distribute_strategy.num_replicas_in_sync,
        gan.scheme.evaluations,
        run_eagerly,
        gan.top_k,
        lazy,
    )
    compiled = functions(field, chosen.scope, run_eagerly, lazy)
    return Assembled(field, chosen, compiled)


def _example(gan: Any) -> tuple[Players, Players, Batch]:
    examples = tf.zeros([2, *(side or SIDE for side in gan.pair.example_shape)])
    labels = tf.zeros([2], tf.int32) if gan.pair.conditional else None
    params = Players(*(distribution.read(n.trainable_variables) for n in gan.networks))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in gan.networks))
    return params, state, Batch(examples, labels, gan.draw(2, random.SAMPLING))
