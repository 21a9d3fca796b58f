"""Checks, before anything is trained, that penalties' derivatives are what they should be.

Some layers have no second derivative in TensorFlow, or a wrong one, without a word: a penalty on
slopes then contributes nothing, or the wrong thing. So each penalty's derivative along the payers'
weights is compared with a finite difference along random directions, in float64 where the networks
can do that; where they disagree, each layer is tried alone to find the one to blame.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab import distribution
from tfgan_stab.data.randomness import uniform
from tfgan_stab.exactness import exact
from tfgan_stab.game import noise
from tfgan_stab.game.batch import Batch
from tfgan_stab.game.field import AdversarialField
from tfgan_stab.game.networks_at import NetworksAt
from tfgan_stab.game.penalties.contract import LossPenalty, SlopePenalty
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.layer_check import UNKNOWN, compared, faulty_layers

DIRECTIONS, ENOUGH_RIGHT, ENOUGH_WRONG = 4, 3, 2
ROWS = 4
SIDE = 32  # Of images, in pixels, for networks that take any.
# Steps, relative to the weights, and how much derivative and difference may differ, relative to the
# larger. Networks of straight pieces have kinks, a thousand of them within 1e-5 in a large one:
# steps are as small as rounding allows, and several; large ones where something rounds to float32.
FINE = ((1e-7, 1e-6, 1e-8, 1e-5), 0.02)
COARSE = ((1e-2, 3e-3, 3e-2), 0.3)
# Passes before the check: the vectors of spectral normalization, which count as constants, are then
# where their own change changes nothing.
WARM_UP = 20


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

    field: AdversarialField
    networks: Players
    params: Players
    state: Players
    batch: Batch


def check_once(gan: Any) -> None:
    """Checks a compiled GAN's penalties, unless that was done or is not wanted.

    Args:
        gan: The model. The examples are made up: what matters is the networks.

    Raises:
        WrongDerivativeError: If a penalty's derivative is wrong.
    """
    if not gan.penalties or not gan.check_derivatives or gan.derivatives_checked:
        return
    shape = [side or SIDE for side in gan.pair.example_shape]
    key = noise.key(gan.seed, noise.TESTING)
    labels = tf.zeros([ROWS], tf.int32) if gan.pair.conditional else None
    batch = Batch(2.0 * uniform([ROWS, *shape], key) - 1.0, labels, gan.latents(ROWS, key))
    zero = tf.constant(0, tf.int64)
    batch = gan.equipment._replace(selection=None).given_to(batch, 0, zero, zero)
    batch = batch._replace(due=(True,) * len(batch.due))
    networks = gan.networks
    params = Players(*(distribution.read(n.trainable_variables) for n in networks))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in networks))
    setting = Setting(gan.adversarial, networks, params, state, batch)
    check(_warmed_up(setting), gan.penalties)
    gan.derivatives_checked = True


def _warmed_up(setting: Setting) -> Setting:
    """Returns the setting with the state that the networks have after some passes."""
    state = setting.state
    moving = Players(*map(_has_a_say_in_training, setting.networks))
    for _ in range(WARM_UP if any(moving) else 0):
        networks = NetworksAt(setting.networks, setting.params, state, setting.batch.labels)
        if moving.generator:
            state = state._replace(generator=networks.generate(setting.batch.latents).state)
        if moving.discriminator:
            found = networks.discriminate(setting.batch.reals).state
            state = state._replace(discriminator=found)
    return setting._replace(state=state)


def _has_a_say_in_training(network: keras.Model) -> bool:
    """Returns whether there is state, batch statistics and seeds aside, that outputs depend on."""
    normalizations = [
        layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    passive = {id(v) for layer in normalizations for v in layer.non_trainable_variables}
    state = [v for v in network.non_trainable_variables if id(v) not in passive]
    return any("float" in str(v.dtype) for v in state)


def check(setting: Setting, penalties: Sequence[Any]) -> None:
    """Raises where a penalty's derivative disagrees with a finite difference.

    Args:
        setting: Where to look.
        penalties: All that `compile` got.

    Raises:
        WrongDerivativeError: With the name of the layer to blame, and what to use instead.
    """
    loss_number = 0
    for penalty in penalties:
        number = loss_number
        loss_number += isinstance(penalty, LossPenalty)
        for payer in penalty.payers:
            _check_one(setting, penalty, number, payer)


def _check_one(setting: Setting, penalty: Any, number: int, payer: str) -> None:
    with exact(setting) as (precise, own):
        value, gradient = _functions(own, penalty, number, payer)
        twice = BOTH if isinstance(penalty, SlopePenalty) else ("discriminator",)
        try:
            wrong = _disagreement(value, gradient, getattr(own.params, payer), precise)
        except LookupError as error:
            layers = faulty_layers(own, twice)
            raise _wrong(penalty, f"no derivative at all ({error})", layers) from error
        if wrong is None:
            return
        layers = faulty_layers(own, twice)
    claimed, measured = wrong
    received = f"{claimed:.4g} where a finite difference gives {measured:.4g}"
    raise _wrong(penalty, received, layers)


def _functions(
    setting: Setting, penalty: Any, number: int, payer: str
) -> tuple[Callable[[list], tf.Tensor], Callable[[list], list]]:
    """Returns a penalty as a function of the payer's weights, and the derivative that is used."""
    field, _, params, state, batch = setting

    def at(weights: list) -> Players:
        return params._replace(**{payer: weights})

    if not isinstance(penalty, SlopePenalty):

        def value(weights: list) -> tf.Tensor:
            return field.owed(at(weights), state, batch, number, payer)

        def gradient(weights: list) -> list:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                owed = value(weights)
            return tape.gradient(owed, weights, unconnected_gradients="zero")

        return value, gradient

    def slopes(weights: list) -> Players:
        found = field(at(weights), state, batch, penalty.measures).slopes
        named = zip(BOTH, found, strict=True)
        return Players(*(s if name in penalty.measures else None for name, s in named))

    def squared(weights: list) -> tf.Tensor:
        measured = slopes(weights)
        cotangents = penalty.cotangents(measured)
        pairs = zip(tf.nest.flatten(cotangents), tf.nest.flatten(measured), strict=True)
        return tf.add_n([tf.reduce_sum(c * v) for c, v in pairs if v is not None]) / 2.0

    def pulled(weights: list) -> list:
        cotangents = penalty.cotangents(slopes(weights))
        return getattr(field.pulled_back(at(weights), state, batch, cotangents, [payer]), payer)

    return squared, pulled


def _disagreement(
    value: Callable, gradient: Callable, weights: list, precise: bool
) -> tuple[float, float] | None:
    """Returns derivative and finite difference if they disagree for sure."""
    slopes = [np.asarray(tf.convert_to_tensor(g), np.float64) for g in gradient(weights)]
    right, wrong = 0, []
    for direction in itertools.islice(_directions(weights), DIRECTIONS):
        pairs = zip(slopes, direction, strict=True)
        claimed = float(sum(np.sum(g * np.asarray(d, np.float64)) for g, d in pairs))

        def measure(step: float, direction: list = direction) -> float:
            return _difference(value, weights, direction, step)

        found = compared(claimed, measure, (FINE, COARSE) if precise else (COARSE,))
        right += found is None
        wrong += [] if found is None or found is UNKNOWN else [(claimed, found)]
        if right == ENOUGH_RIGHT or len(wrong) == ENOUGH_WRONG:
            break
    return wrong[0] if len(wrong) == ENOUGH_WRONG else None


def _directions(weights: list) -> Iterator[list]:
    """Yields random directions, each weight's part as large as the weight."""
    random = np.random.default_rng(0)
    while True:
        direction = []
        for own in weights:
            size = float(tf.sqrt(tf.reduce_mean(tf.square(own)))) or 0.02
            direction.append(tf.constant(size * random.standard_normal(own.shape), own.dtype))
        yield direction


def _difference(value: Callable, weights: list, direction: list, step: float) -> float:
    ends = []
    for sign in (1.0, -1.0):
        moved = [w + sign * step * d for w, d in zip(weights, direction, strict=True)]
        ends.append(float(value(moved)))
    return (ends[0] - ends[1]) / (2.0 * step)


def _wrong(penalty: Any, received: str, layers: Sequence[str]) -> WrongDerivativeError:
    blame = (
        f" To blame: {'; '.join(layers)}."
        if layers
        else " No layer alone is to blame: look for operations outside of layers."
    )
    return WrongDerivativeError(
        f"The derivative of {penalty!r} must agree with a finite difference. Received: {received}."
        f"{blame} To train all the same, compile(..., check_derivatives=False)."
    )
