"""Checks, before training, that the gradient of each penalty is the derivative of its value.

Some layers have a wrong second derivative in TensorFlow, or none: those known are looked up, and
the gradient of training must agree with finite differences. Input gradients jump at ReLU's kinks:
steps are small, by the gradient's signs (rounding matters least) and the weights (few kinks).
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.game.functional import Minibatch, NetworksAt, only
from tfgan_stab.game.gradients import ZERO, GameGradients
from tfgan_stab.game.losses import AdversarialLoss
from tfgan_stab.game.penalties.base import Penalty
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution
from tfgan_stab.training.minibatches import MinibatchMaker

# Layers of Keras, in whose network and when they are wrong. `tgs.networks` has right ones.
KNOWN = (
    (keras.layers.UpSampling2D, BOTH, lambda layer: layer.interpolation != "nearest"),
    (keras.layers.Resizing, BOTH, lambda layer: True),
    (keras.layers.BatchNormalization, BOTH[1:], lambda layer: layer.trainable),
    (keras.layers.LayerNormalization, BOTH[1:], lambda layer: not getattr(layer, "rms_scaling", 0)),
    (keras.layers.GroupNormalization, BOTH[1:], lambda layer: True),
)
OTHERWISE = "To train all the same, compile(..., check_derivatives=False)."
CONFIRMED = "it is right"
FLAT, INFINITE = "it contributes nothing near the start", "it is not finite near the start"
UNCLEAR = "finite differences do not tell it from rounding and kinks"
ROWS, SIDE = 4, 32  # Examples, and the pixels of their side for networks that take any.
SCALES = (1.0, 4.0, 16.0, 1.0)  # Of the weights, as one-sided penalties are 0 for short gradients.
# A penalty (|g| - 1)^2 is but a constant and rounding where no gradient along an example is longer
# than the first; outputs are then scaled for the longest to be the second, still a short one.
# Weights of spectrally normalized layers would be scaled in vain.
TOO_SHORT, SHORT = 0.01, 0.25
EPSILON = {"bfloat16": 2.0**-7, "float16": 2.0**-10}  # float32's for all others.
# Changes of the value that steps aim at, in units of sqrt(epsilon) of it; the largest of a weight.
CHANGES, FARTHEST = (0.3, 1.0, 3.0, 10.0), 0.2
# One more in float32: longer steps cross kinks, and most of a penalty (|g| - 1)^2 of short
# gradients is a constant.
FINE = 0.01
# Relative errors, beside sqrt(epsilon), that confirm in one step, and contradict in two that agree.
TOLERANCE, GROSS = 0.05, 0.1
PASSES = 10  # Until vectors of spectral normalization, held constant, hardly change.
LEAST = 0.1  # Part of the derivative by the gradient's signs; what is smaller counts as that large.


class WrongDerivativeError(ValueError):
    """A penalty's derivative is not the derivative of the penalty."""


def check_gradients(
    networks: Players, loss: AdversarialLoss, penalties: Sequence[Penalty], maker: MinibatchMaker
) -> None:
    """Raises a `WrongDerivativeError` if a penalty's gradient is wrong, on made-up examples."""
    shape = [side or SIDE for side in maker.pair.example_shape]
    images = 2.0 * random.uniform([ROWS, *shape], random.key(maker.seed, random.TESTING)) - 1.0
    labels = maker.pair.example_conditions(ROWS)
    minibatch = Minibatch(images, labels, maker.latents(images, random.TESTING))
    minibatch = dataclasses.replace(maker, top_k=None).prepare(
        minibatch, 0, *tf.zeros([2], tf.int64)
    )
    state = Players(*(distribution.read(n.non_trainable_variables) for n in networks))
    watched = Players(*map(_Watched, networks))
    game = GameGradients(watched, loss, maker.penalties, maker.augment)
    for penalty in penalties:
        alone = minibatch._replace(active=tuple(each is penalty for each in maker.penalties))
        for player in penalty.players:
            check(PenaltyFunction(game, watched, state, alone, penalty, player))


class _Watched:
    """A network that notes whether its outputs are differentiated, and may scale them."""

    def __init__(self, network: keras.Model):
        self.network, self.differentiated, self.factor = network, False, 1.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def __call__(self, *args: Any, **kwargs: Any) -> tf.Tensor:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            self.differentiated = True
            return upstream

        outputs = tf.custom_gradient(lambda x: (x, backward))(self.network(*args, **kwargs))
        return outputs * tf.cast(self.factor, outputs.dtype)


class PenaltyFunction(NamedTuple):
    """What a penalty costs one player, as a function of the weights."""

    game: GameGradients
    networks: Players  # Each a `_Watched`, as the game knows them.
    state: Players  # Of lists of tensors, what is not trained.
    minibatch: Minibatch  # A few examples with noise; of the loss penalties this one is active.
    penalty: Any
    player: str

    def __call__(self, params: Players) -> tuple[tf.Tensor, Callable[[], list]]:
        """Returns the value at `params`, and a function that gives the gradient of training."""
        game, at, minibatch, player = self.game, (params, self.state), self.minibatch, self.player
        if any(minibatch.active):
            weights = getattr(params, player)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                value = game.penalty_value(*at, minibatch, minibatch.active.index(True), player)
            return value, lambda: tape.gradient(value, weights, **ZERO)
        measures = self.penalty.measures
        measured = only(game(*at, minibatch, measures).gradients, measures)
        cotangents = self.penalty.cotangents(measured)
        value = self.penalty.value(measured, cotangents)
        return value, lambda: getattr(game.vjp(*at, minibatch, cotangents, [player]), player)

    def at(self, point: Players) -> tuple[float, Callable[[], np.ndarray]]:
        """Returns the same at `Players` of vectors, each of all weights of a network."""
        for network in self.networks:
            network.differentiated = False
        value, derive = self(Players(*map(_tensors, point, self.networks)))
        return float(value), lambda: np.hstack(
            [[], *(np.ravel(tf.convert_to_tensor(part)) for part in derive())]
        )


@np.errstate(all="ignore")  # Far away values may overflow.
def check(function: PenaltyFunction) -> None:
    """Raises if a penalty's gradient is wrong; warns if finite differences do not confirm it."""
    noise, outcomes, contradicted = np.random.default_rng(0), set(), set()
    unconfirmed, discriminator = ["signs", "weights"], function.networks.discriminator
    for scale in SCALES:
        discriminator.factor = 1.0
        point = Players(*(_near(network, scale, noise) for network in function.networks))
        function, length = _warmed_up(function, point)
        if 0.0 < length < TOO_SHORT:
            discriminator.factor = SHORT / length
        value, derive = function.at(point)
        _check_layers(function)
        try:
            gradient = derive()
        except LookupError as error:  # TensorFlow's registry of gradients lacks one.
            raise _wrong(function, f"none in TensorFlow ({error})") from error
        if not np.all(np.isfinite([value, *gradient])):
            outcomes.add(INFINITE)
            continue
        weights = getattr(point, function.player)
        signs = np.where(gradient, np.sign(gradient), noise.choice([-1.0, 1.0], gradient.size))
        directions = {"signs": np.abs(weights) * signs, "weights": weights}
        start = (point, value, gradient, gradient @ directions["signs"])
        for name in list(unconfirmed):
            found = _along(function, start, directions[name])
            outcomes.add(found)
            if found == CONFIRMED:  # One point can confirm a gradient, two must contradict it.
                unconfirmed.remove(name)
            elif found not in (FLAT, UNCLEAR):
                if name in contradicted:
                    raise _wrong(function, found)
                contradicted.add(name)
        if not unconfirmed:
            return
    if outcomes == {FLAT} and not length:
        raise _wrong(function, "0, since no gradient passes through the discriminator at all")
    what = f"The gradient of {function.penalty!r} along the {function.player}'s weights"
    reason = outcomes.pop() if len(outcomes) == 1 else UNCLEAR
    warnings.warn(f"{what} could not be checked: {reason}. {OTHERWISE}", stacklevel=2)


def _along(function: PenaltyFunction, start: tuple, direction: np.ndarray) -> str:
    """Returns `CONFIRMED`, `FLAT`, `UNCLEAR`, or how differences contradict the gradient."""
    point, value, gradient, largest = start
    layers = [layer for network in function.networks for layer in network._flatten_layers()]
    resolution = max(EPSILON.get(layer.compute_dtype, 2.0**-23) for layer in layers) ** 0.5
    small, least = resolution * abs(value), max(abs(gradient @ direction), LEAST * largest)

    def at(step: float) -> tuple:
        moved = np.float32(getattr(point, function.player) + step * direction)
        return moved, *function.at(point._replace(**{function.player: moved}))

    if least * FARTHEST <= CHANGES[0] * small:
        change = at(FARTHEST)[1] - value
        lost = abs(change) > CHANGES[2] * small > 0.0
        return f"{least:.3g} where the value changes by {change:.3g}" if lost else FLAT
    previous = np.inf
    changes = CHANGES if resolution > 1e-3 else (FINE, *CHANGES)
    for step in sorted({min(FARTHEST, change * small / least) for change in changes}):
        (ahead, high, derive_high), (behind, low, derive_low) = at(step), at(-step)
        exact = (ahead - np.float64(behind)) / (2.0 * step)
        claims = np.full(3, gradient @ exact)
        if resolution > 1e-3:  # On such long ways the gradient changes: Simpson's rule.
            claims[::2] = derive_low() @ exact, derive_high() @ exact
        claimed, measured = claims @ (1, 4, 1) / 6.0, (high - low) / (2.0 * step)
        scale = max(abs(measured), abs(claimed), LEAST * largest)
        error = abs(measured - claimed) / scale
        if error <= TOLERANCE + resolution:
            return CONFIRMED
        if error <= GROSS + 6.0 * resolution or np.ptp(claims) > scale / 2.0:
            measured = np.inf
        elif abs(measured - previous) <= error * scale / 10.0:
            return f"{claimed:.3g} where a difference gives {measured:.3g}"
        previous = measured
    return UNCLEAR


def _check_layers(function: PenaltyFunction) -> None:
    """Raises for layers known to be wrong in networks whose gradients make up the value."""
    wrong = [
        f"layer {layer.name!r} of the {player} (use tgs.networks.{kind.__name__} instead)"
        for player, network in zip(BOTH, function.networks, strict=True)
        if network.differentiated
        for layer in network._flatten_layers(include_self=False)
        for kind, players, is_wrong in KNOWN
        if type(layer).call is kind.call and player in players and is_wrong(layer)
    ]
    needs = f"{function.penalty!r} needs layers with right second derivatives. Received: "
    if wrong:
        raise WrongDerivativeError(f"{needs}{'; '.join(wrong[:3])}. {OTHERWISE}")


def _wrong(function: PenaltyFunction, received: str) -> WrongDerivativeError:
    return WrongDerivativeError(
        f"The gradient of {function.penalty!r} along the {function.player}'s weights must agree "
        f"with finite differences. Received: {received}. Look for an operation that has no second "
        f"derivative in losses and layers of your own, such as tf.image.resize. {OTHERWISE}"
    )


def _near(network: Any, scale: float, noise: np.random.Generator) -> np.ndarray:
    """Returns weights near the start, as a vector: there no last layer is 0, which hides all."""
    found = []
    for start in map(np.float64, distribution.read(network.trainable_variables)):
        size = np.sqrt(np.mean(np.square(start))) or 0.02
        found.append(scale * (start + 0.5 * size * noise.standard_normal(start.shape)))
    return np.float32(np.hstack([[], *map(np.ravel, found)]))


def _tensors(vector: np.ndarray, network: Any) -> list[tf.Tensor]:
    """Returns a vector of all trainable weights, cut into tensors like the network's variables."""
    variables = network.trainable_variables
    parts = np.split(vector, np.cumsum([np.prod(v.shape, dtype=int) for v in variables]))[:-1]
    pairs = zip(parts, variables, strict=True)
    return [tf.cast(tf.reshape(part, v.shape), v.dtype) for part, v in pairs]


def _warmed_up(function: PenaltyFunction, point: Players) -> tuple[PenaltyFunction, float]:
    """Returns it after passes of power iterations, and the longest gradient along an example."""
    _, networks, state, (images, labels, latents, *_), *_ = function
    layers = [layer for network in networks for layer in network._flatten_layers()]
    params = Players(*map(_tensors, point, networks))
    for _ in range(PASSES if any(hasattr(layer, "power_iterations") for layer in layers) else 1):
        passes = NetworksAt(networks, params, state, labels)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            seen = passes.discriminate(images)
        state = Players(passes.generate(latents).state, seen.state)
    gradients = np.float64(tape.gradient(seen.values, images, **ZERO)).reshape(len(images), -1)
    return function._replace(state=state), np.linalg.norm(gradients, axis=1).max()
