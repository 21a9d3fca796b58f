"""Compares penalties' derivatives with finite differences, and says what is wrong with them."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgan_stab.game.functional import Minibatch, NetworksAt
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.penalties.base import LossPenalty, WeightGradientPenalty
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.networks.spectral_normalization import SpectralNormalization
from tfgan_stab.training.exactness import INSISTING, exact
from tfgan_stab.training.finite_differences import (
    COARSE,
    FINE,
    ROUNDING,
    UNKNOWN,
    Trial,
    central_difference,
    compared,
    directions,
)
from tfgan_stab.training.layer_check import faulty_layers, replaceable_layers

DIRECTIONS, ENOUGH_RIGHT, ENOUGH_WRONG = 4, 3, 2
# Of the weights: one-sided penalties are flat until slopes are long.
SCALES = (1.0, 4.0)
OTHERWISE = "To train all the same, compile(..., check_derivatives=False)."


class WrongDerivativeError(ValueError):
    """A penalty's derivative is not the derivative of the penalty."""


class Setting(NamedTuple):
    """Where derivatives are checked.

    Attributes:
        field: The vector field, with all loss penalties.
        networks: `Players` of Keras models.
        params: `Players` of lists of tensors.
        state: The same for what is not trained.
        batch: A few examples, with all draws.
    """

    field: GameGradients
    networks: Players
    params: Players
    state: Players
    batch: Minibatch


def check(near: Callable[[float], Setting], penalties: Sequence[Any]) -> None:
    """Raises where a penalty's derivative disagrees with a finite difference.

    Args:
        near: Function from a scale of the weights to where to look; asked for the next scale only
            if a penalty is flat at those before.
        penalties: All that `compile` got.

    Raises:
        WrongDerivativeError: With the name of the layer to blame, and what to use instead.
    """
    loss_number = 0
    for penalty in penalties:
        number = loss_number
        loss_number += isinstance(penalty, LossPenalty)
        for payer in penalty.players:
            _check_one(near, penalty, number, payer)


def _check_one(near: Callable[[float], Setting], penalty: Any, number: int, payer: str) -> None:
    twice = BOTH if isinstance(penalty, WeightGradientPenalty) else ("discriminator",)
    for scale in SCALES:
        place = near(scale)
        verdict, layers = _looked_at(place, penalty, number, payer, twice)
        if verdict.outcome != "flat":
            break
    suspects = replaceable_layers(place.networks, twice)
    if verdict.outcome == "missing":
        raise _wrong(penalty, "no derivative at all in TensorFlow", layers, suspects)
    if verdict.outcome == "wrong":
        received = f"{verdict.claimed:.7g} where a finite difference gives {verdict.measured:.7g}"
        raise _wrong(penalty, received, layers, suspects)
    if verdict.outcome == "flat" and _is_blocked(place):
        received = "0, since no slope passes through the discriminator at all"
        raise _wrong(penalty, received, [], suspects)
    if verdict.outcome != "right":
        _warn(verdict.outcome, penalty, payer, suspects)


class Verdict(NamedTuple):
    """What finite differences say about a derivative.

    Attributes:
        outcome: "right", "wrong", "missing" (an operation has no derivative), "flat" (derivative
            and differences are 0), "not finite" or "undecided".
        claimed: The derivative along a direction.
        measured: The finite difference, where it is wrong.
    """

    outcome: str
    claimed: float = 0.0
    measured: float = 0.0


def _looked_at(
    setting: Setting, penalty: Any, number: int, payer: str, twice: Sequence[str]
) -> tuple[Verdict, list[str]]:
    """Returns a verdict, and the layers to blame if it is a bad one."""
    with exact(setting) as (precise, own):
        if precise and _computes(own, penalty, number, payer):
            return _judged(own, penalty, number, payer, twice, precise=True)
    return _judged(setting, penalty, number, payer, twice, precise=False)


def _computes(setting: Setting, penalty: Any, number: int, payer: str) -> bool:
    """Returns whether losses, augmentations and penalties of the user's compute in float64 too."""
    value, gradient = _functions(setting, penalty, number, payer)
    weights = getattr(setting.params, payer)
    try:
        exact_value = value(weights).dtype == tf.float64
        gradient(weights)
    except LookupError:  # An operation without a derivative has none in single precision either.
        return True
    except INSISTING:
        return False
    return exact_value


def _judged(
    setting: Setting,
    penalty: Any,
    number: int,
    payer: str,
    twice: Sequence[str],
    precise: bool,
) -> tuple[Verdict, list[str]]:
    value, gradient = _functions(setting, penalty, number, payer)
    trials = _trials(setting.networks, penalty)[not precise :]
    try:
        verdict = _verdict(value, gradient, getattr(setting.params, payer), trials)
    except LookupError:
        verdict = Verdict("missing")
    if verdict.outcome not in ("missing", "wrong"):
        return verdict, []
    layers = faulty_layers(setting, twice, least=0.0 if precise else COARSE.tolerance)
    if verdict.outcome == "wrong" and not precise and not layers:
        # Steps that are above single precision's rounding meet kinks: their word is not enough.
        return Verdict("undecided"), []
    return verdict, layers


def _trials(networks: Players, penalty: Any) -> Sequence[Trial]:
    """Returns what to try: in double precision, and where something steps to single.

    Spectral normalization takes its vectors for constants, as its paper does: exact for the slope
    of the norm, not for the slope of that slope.
    """
    layers = [layer for network in networks for layer in network._flatten_layers()]
    constant = any(isinstance(layer, SpectralNormalization) for layer in layers)
    if constant and isinstance(penalty, WeightGradientPenalty):
        return FINE._replace(same=FINE.loose, tolerance=COARSE.tolerance), COARSE
    return FINE, COARSE


def _functions(
    setting: Setting, penalty: Any, number: int, payer: str
) -> tuple[Callable[[list], tf.Tensor], Callable[[list], list]]:
    """Returns a penalty as a function of the payer's weights, and the derivative that is used."""
    field, _, params, state, batch = setting

    def at(weights: list) -> Players:
        return params._replace(**{payer: weights})

    if not isinstance(penalty, WeightGradientPenalty):

        def value(weights: list) -> tf.Tensor:
            return field.penalty_value(at(weights), state, batch, number, payer)

        def gradient(weights: list) -> list:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                owed = value(weights)
            return tape.gradient(owed, weights, unconnected_gradients="zero")

        return value, gradient

    bare = batch.without_penalties()

    def slopes(weights: list) -> Players:
        found = field(at(weights), state, bare, penalty.measures).gradients
        named = zip(BOTH, found, strict=True)
        return Players(*(s if name in penalty.measures else None for name, s in named))

    def squared(weights: list) -> tf.Tensor:
        measured = slopes(weights)
        cotangents = penalty.cotangents(measured)
        pairs = zip(tf.nest.flatten(cotangents), tf.nest.flatten(measured), strict=True)
        return tf.add_n([tf.reduce_sum(c * v) for c, v in pairs if v is not None]) / 2.0

    def pulled(weights: list) -> list:
        cotangents = penalty.cotangents(slopes(weights))
        return getattr(field.vjp(at(weights), state, bare, cotangents, [payer]), payer)

    return squared, pulled


def _verdict(
    value: Callable, gradient: Callable, weights: list, trials: Sequence[Trial]
) -> Verdict:
    slopes = [np.asarray(tf.convert_to_tensor(g), np.float64) for g in gradient(weights)]
    if not all(np.all(np.isfinite(slope)) for slope in slopes):
        return Verdict("not finite")
    scale = float(value(weights))
    right, wrong = 0, []
    for direction in itertools.islice(directions(weights), DIRECTIONS):
        pairs = zip(slopes, direction, strict=True)
        claimed = float(sum(np.sum(g * np.asarray(d, np.float64)) for g, d in pairs))

        def measure(step: float, direction: list = direction) -> float:
            return central_difference(value, weights, direction, step)

        found = compared(claimed, measure, trials, scale)
        if abs(claimed) <= ROUNDING * abs(scale) and (found is None or found is UNKNOWN):
            return Verdict("flat")
        right += found is None
        wrong += [] if found is None or found is UNKNOWN else [(claimed, found)]
        if right == ENOUGH_RIGHT:
            return Verdict("right")
        if len(wrong) == ENOUGH_WRONG:
            return Verdict("wrong", *wrong[0])
    return Verdict("right" if right > len(wrong) else "undecided")


def _is_blocked(setting: Setting) -> bool:
    """Returns whether the discriminator's output has no slope along any example."""
    networks = NetworksAt(setting.networks, setting.params, setting.state, setting.batch.labels)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(setting.batch.real_images)
        logits = networks.discriminate(setting.batch.real_images).values
    slopes = tape.gradient(logits, setting.batch.real_images, unconnected_gradients="zero")
    return not np.any(slopes)


def _warn(outcome: str, penalty: Any, payer: str, suspects: Sequence[str]) -> None:
    reason = {
        "flat": f"it is flat along the {payer}'s weights, at two points near the start, and "
        "contributes nothing there",
        "not finite": "it is not finite near the start",
        "undecided": "finite differences of several steps do not agree with each other",
    }[outcome]
    warnings.warn(
        f"The derivative of {penalty!r} along the {payer}'s weights could not be checked: "
        f"{reason}.{_hint(suspects)} {OTHERWISE}",
        stacklevel=2,
    )


def _wrong(
    penalty: Any, received: str, layers: Sequence[str], suspects: Sequence[str]
) -> WrongDerivativeError:
    blame = f"To blame: {'; '.join(layers)}."
    if not layers:
        blame = (
            f"No layer alone is to blame: look for operations outside of layers.{_hint(suspects)}"
        )
    return WrongDerivativeError(
        f"The derivative of {penalty!r} must agree with a finite difference. Received: {received}. "
        f"{blame} {OTHERWISE}"
    )


def _hint(suspects: Sequence[str]) -> str:
    return f" Layers that may be the reason: {'; '.join(suspects)}." if suspects else ""
