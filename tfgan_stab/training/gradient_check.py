"""Checks, before training, that the gradient of each penalty is the derivative of its value.

Some layers have a wrong second derivative in TensorFlow, or none, without a warning: a penalty on
gradients then does the wrong thing, or nothing. So, once before training:

1. No network that a penalty differentiates twice may have layers of Keras that are known to be
   wrong. Some err by less than a finite difference can show, so they are looked up.
2. The gradient that training will use must agree with finite differences, in the networks' own
   precision. This finds what errs grossly, such as an operation without a second derivative.

Input gradients jump at the kinks of a ReLU. So steps are as small as the precision allows, by the
gradient's signs, where rounding matters least, and along the weights, where few kinks are crossed.
"""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab._utils import random
from tfgan_stab.game.functional import Minibatch
from tfgan_stab.game.gradients import GameGradients
from tfgan_stab.game.penalties.base import loss_penalties
from tfgan_stab.game.players import BOTH, Players
from tfgan_stab.training import distribution

# Layers of Keras, in whose network and with what settings they are wrong; `tgs.networks` has right
# ones of the same names. In generators, penalties document the mean's missing derivative.
KNOWN = (
    (keras.layers.UpSampling2D, BOTH, lambda layer: layer.interpolation != "nearest"),
    (keras.layers.Resizing, BOTH, lambda layer: True),
    (keras.layers.BatchNormalization, BOTH[1:], lambda layer: layer.trainable),
    (keras.layers.LayerNormalization, BOTH[1:], lambda layer: not getattr(layer, "rms_scaling", 0)),
    (keras.layers.GroupNormalization, BOTH[1:], lambda layer: True),
)
OTHERWISE = "To train all the same, compile(..., check_derivatives=False)."
REASONS = {
    "flat": "it contributes nothing near the start",
    "not finite": "it is not finite near the start",
    "unclear": "finite differences do not tell it from rounding and kinks",
}
ROWS, SIDE = 4, 32  # Examples, and the pixels of their side for networks that take any.
# What the weights at each random point are multiplied by: one-sided penalties are 0 while gradients
# are short. In a direction one point can confirm a gradient, two must contradict it.
SCALES = (1.0, 4.0, 16.0, 1.0)
EPSILON = {"bfloat16": 2.0**-7, "float16": 2.0**-10}  # float32's for all others.
# How much a step is to change the value, in units of sqrt(epsilon) of it: rounding and curvature
# weigh about the same there. No weights move farther than that part of their size.
CHANGES, FARTHEST = (0.3, 1.0, 3.0, 10.0), 0.1
# Relative error up to which a step confirms a gradient, beside sqrt(epsilon). Right networks: 0.5 %
# in float32, 5 % with spectral normalization, 13 % in bfloat16.
TOLERANCE = 0.05
# From this one on, beside 6 sqrt(epsilon), two steps contradict a gradient that agree with each
# other ten times better than with it.
GROSS = 0.1
LEAST = 0.1  # Part of the derivative by the gradient's signs; what is smaller counts as that large.


class WrongDerivativeError(ValueError):
    """A penalty's derivative is not the derivative of the penalty."""


def check_once(gan: Any) -> None:
    """Checks a compiled GAN's penalties, on made-up examples; not if that was done or not wanted.

    Raises:
        WrongDerivativeError: If a gradient is wrong, with what to use instead where that is known.
    """
    if not gan.penalties or not gan.check_derivatives or gan.derivatives_checked:
        return
    shape = [side or SIDE for side in gan.pair.example_shape]
    key = random.key(gan.seed, random.TESTING)
    labels = tf.zeros([ROWS], tf.int32) if gan.pair.conditional else None
    batch = Minibatch(
        2.0 * random.uniform([ROWS, *shape], key) - 1.0, labels, gan.latents(ROWS, key)
    )
    zero = tf.constant(0, tf.int64)
    batch = dataclasses.replace(gan.maker, top_k=None).prepare(batch, 0, zero, zero)
    batch = batch._replace(active=(True,) * len(batch.active))
    state = Players(*(distribution.read(n.non_trainable_variables) for n in gan.networks))
    networks, on_losses = Players(*map(_Watched, gan.networks)), loss_penalties(gan.penalties)
    field = GameGradients(networks, gan.loss_pair, on_losses)
    for penalty in gan.penalties:
        number = next((n for n, each in enumerate(on_losses) if each is penalty), None)
        for player in penalty.players:
            check(PenaltyFunction(field, networks, state, batch, penalty, number, player))
    gan.derivatives_checked = True


class _Watched:
    """A network that notes whether its outputs are differentiated."""

    def __init__(self, network: keras.Model):
        self.network, self.differentiated = network, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def __call__(self, *args: Any, **kwargs: Any) -> tf.Tensor:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            self.differentiated = True
            return upstream

        return tf.custom_gradient(lambda x: (x, backward))(self.network(*args, **kwargs))


class PenaltyFunction(NamedTuple):
    """What a penalty costs one player, as a function of the weights."""

    field: GameGradients
    networks: Players  # Those that the field knows, each a `_Watched`.
    state: Players  # Of lists of tensors, what is not trained.
    batch: Minibatch  # A few examples with all noise.
    penalty: Any
    number: int | None  # Among the penalties on losses; `None` for one on weights' gradients.
    player: str

    def __call__(self, params: Players) -> tuple[tf.Tensor, Callable[[], list]]:
        """Returns the value at `params`, and a function that gives the gradient of training."""
        field, penalty, state, player = self.field, self.penalty, self.state, self.player
        if self.number is not None:
            weights = getattr(params, player)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                value = field.penalty_value(params, state, self.batch, self.number, player)
            return value, lambda: tape.gradient(value, weights, unconnected_gradients="zero")
        batch = self.batch.without_penalties()
        found = field(params, state, batch, penalty.measures).gradients._asdict()
        measured = Players(*(found[name] if name in penalty.measures else None for name in BOTH))
        cotangents = penalty.cotangents(measured)
        pairs = zip(tf.nest.flatten(cotangents), tf.nest.flatten(measured), strict=True)
        # P is quadratic in the gradients v: it is half of <dP/dv, v>.
        value = tf.add_n([tf.reduce_sum(c * v) for c, v in pairs if v is not None]) / 2.0
        return value, lambda: getattr(field.vjp(params, state, batch, cotangents, [player]), player)

    def at(self, point: Players) -> tuple[float, Callable[[], np.ndarray]]:
        """Returns the same at `Players` of vectors, each of all weights of a network."""
        params = []
        for vector, network in zip(point, self.networks, strict=True):
            network.differentiated, variables = False, network.trainable_variables
            parts = np.split(vector, np.cumsum([np.prod(v.shape, dtype=int) for v in variables]))
            pairs = zip(parts[:-1], variables, strict=True)
            params.append([tf.cast(tf.reshape(w, v.shape), v.dtype) for w, v in pairs])
        value, derive = self(Players(*params))
        return float(value), lambda: np.concatenate(
            [[], *(np.float64(np.ravel(tf.convert_to_tensor(part))) for part in derive())]
        )


def check(function: PenaltyFunction) -> None:
    """Raises if a penalty's gradient is wrong; warns if finite differences do not confirm it."""
    noise, outcomes, contradicted = np.random.default_rng(0), set(), set()
    unconfirmed = ["gradient", "weights"]
    for scale in SCALES:
        near = Players(*(_near(network, scale, noise) for network in function.networks))
        point = Players(*(np.float32(weights) for weights, _ in near))
        value, derive = function.at(point)
        _check_layers(function)
        try:
            gradient = derive()
        except LookupError as error:  # TensorFlow's registry of gradients lacks one.
            raise _wrong(function, f"none in TensorFlow ({error})") from error
        if not np.all(np.isfinite([value, *gradient])):
            outcomes.add("not finite")
            continue
        weights, sizes = getattr(near, function.player)
        signs = np.where(gradient, np.sign(gradient), noise.choice([-1.0, 1.0], gradient.size))
        directions = {"gradient": sizes * signs, "weights": weights}
        start = (point, value, gradient, gradient @ directions["gradient"])
        for name in list(unconfirmed):
            found = _along(function, start, directions[name])
            outcomes.add(found)
            if found == "confirmed":
                unconfirmed.remove(name)
            elif found not in REASONS:
                if name in contradicted:
                    raise _wrong(function, found)
                contradicted.add(name)
        if not unconfirmed:
            return
    if outcomes == {"flat"} and _is_blocked(function):
        raise _wrong(function, "0, since no gradient passes through the discriminator at all")
    reason = REASONS[outcomes.pop() if len(outcomes) == 1 else "unclear"]
    warnings.warn(
        f"The gradient of {function.penalty!r} along the {function.player}'s weights could not be "
        f"checked: {reason}. {OTHERWISE}",
        stacklevel=2,
    )


def _along(function: PenaltyFunction, start: tuple, direction: np.ndarray) -> str:
    """Returns "confirmed", one of `REASONS`, or how differences contradict the gradient."""
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
        return f"{least:.3g} where the value changes by {change:.3g}" if lost else "flat"
    previous = np.inf
    for step in sorted({min(FARTHEST, change * small / least) for change in CHANGES}):
        (ahead, high, derive_high), (behind, low, derive_low) = at(step), at(-step)
        exact = (ahead - np.float64(behind)) / (2.0 * step)
        slopes = np.full(3, gradient @ exact)
        if resolution > 1e-3:  # On such long ways the gradient changes: Simpson's rule.
            slopes[::2] = derive_low() @ exact, derive_high() @ exact
        claimed, measured = slopes @ (1, 4, 1) / 6.0, (high - low) / (2.0 * step)
        scale = max(abs(measured), abs(claimed), LEAST * largest)
        error = abs(measured - claimed) / scale
        if error <= TOLERANCE + resolution:
            return "confirmed"
        if error <= GROSS + 6.0 * resolution or np.ptp(slopes) > scale / 2.0:
            measured = np.inf
        elif abs(measured - previous) <= error * scale / 10.0:
            return f"{claimed:.3g} where a difference gives {measured:.3g}"
        previous = measured
    return "unclear"


def _check_layers(function: PenaltyFunction) -> None:
    """Raises for layers known to be wrong in networks whose gradients make up the value."""
    wrong = [
        f"layer {layer.name!r}, {kind.__name__}, of the {player} (use tgs.networks."
        f"{kind.__name__} instead)"
        for player, network in zip(BOTH, function.networks, strict=True)
        if network.differentiated
        for layer in network._flatten_layers(include_self=False)
        for kind, players, is_wrong in KNOWN
        if type(layer).call is kind.call and player in players and is_wrong(layer)
    ]
    if wrong:
        raise WrongDerivativeError(
            f"{function.penalty!r} needs layers with right second derivatives. Received: "
            f"{'; '.join(wrong[:3])}, wrong or missing in TensorFlow. {OTHERWISE}"
        )


def _wrong(function: PenaltyFunction, received: str) -> WrongDerivativeError:
    return WrongDerivativeError(
        f"The gradient of {function.penalty!r} along the {function.player}'s weights must agree "
        f"with finite differences. Received: {received}. Look for an operation that has no second "
        "derivative, or a wrong one, in losses and layers of your own: tf.image.resize, "
        f"tf.stop_gradient, tf.custom_gradient. {OTHERWISE}"
    )


def _is_blocked(function: PenaltyFunction) -> bool:
    """Returns whether the discriminator's output has no gradient along any example."""
    images, labels = function.batch.real_images, function.batch.labels
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        logits = function.networks.discriminator(images if labels is None else [images, labels])
    return not np.any(tape.gradient(logits, images, unconnected_gradients="zero"))


def _near(network: Any, scale: float, noise: np.random.Generator) -> np.ndarray:
    """Returns `[2, weights]`: weights near the start, where no last layer is 0, and their sizes."""
    found = [np.zeros([2, 0])]
    for variable in distribution.read(network.trainable_variables):
        start = np.float64(np.ravel(variable))
        size = np.sqrt(np.mean(np.square(start))) or 0.02
        moved = start + 0.5 * size * noise.standard_normal(start.size)
        found.append(scale * np.stack([moved, np.full(start.size, size)]))
    return np.concatenate(found, axis=1)
