"""Finds the layers whose second derivatives are missing or wrong, each tried alone."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgan_stab.game.functional import NetworksAt
from tfgan_stab.game.players import BOTH
from tfgan_stab.training.finite_differences import COARSE, FINE, UNKNOWN, compared

MOST_NAMED = 3

# Layers of Keras for which there is another of the same values with right second derivatives.
INSTEAD = {
    "UpSampling2D": "tgs.networks.UpSampling2D",
    "Resizing": "tgs.networks.Resizing",
    "SpectralNormalization": "tgs.networks.SpectralNormalization",
    "BatchNormalization": "tgs.networks.BatchNormalization",
    "LayerNormalization": "tgs.networks.LayerNormalization",
    "GroupNormalization": "tgs.networks.GroupNormalization",
}


class Fault(NamedTuple):
    """What is wrong with a layer.

    Attributes:
        error: Relative error of its second derivative; 0 if it is right.
        phrase: What to tell the user.
    """

    error: float
    phrase: str


def faulty_layers(setting: Any, players: Sequence[str], least: float = 0.0) -> list[str]:
    """Returns a phrase for each layer whose second derivative is missing or wrong, worst first.

    Args:
        setting: A `Setting`; both networks are called once at its point.
        players: Names of those whose networks are tried.
        least: Relative error from which a derivative counts as wrong.
    """
    found: dict[str, Fault] = {}
    with _watched(setting.networks, players, found):
        networks = NetworksAt(setting.networks, setting.params, setting.state, setting.batch.labels)
        fakes = networks.generate(setting.batch.latents).values
        networks.discriminate(setting.batch.reals)
        networks.discriminate(fakes)
    faults = [fault for fault in found.values() if fault.error > least]
    return [fault.phrase for fault in sorted(faults, key=lambda f: -f.error)][:MOST_NAMED]


def replaceable_layers(networks: Any, players: Sequence[str]) -> list[str]:
    """Returns a phrase for each layer for which there is another with right second derivatives."""
    return [
        f"{_named(layer, player)}{_instead_of(layer)}"
        for player, network in zip(BOTH, networks, strict=True)
        if player in players
        for layer in network._flatten_layers(include_self=False)
        if _instead_of(layer)
    ][:MOST_NAMED]


def _named(layer: keras.layers.Layer, player: str) -> str:
    return f"layer {layer.name!r}, {type(layer).__name__}, of the {player}"


def _instead_of(layer: keras.layers.Layer) -> str:
    kind = type(layer).__name__
    ours = type(layer).__module__.startswith("tfgan_stab.")
    return f" (use {INSTEAD[kind]} instead)" if kind in INSTEAD and not ours else ""


@contextlib.contextmanager
def _watched(networks: Any, players: Sequence[str], found: dict[str, "Fault"]) -> Iterator[None]:
    """Tries each layer on what it is called with, inside."""
    owners = [
        (player, layer)
        for player, network in zip(BOTH, networks, strict=True)
        if player in players
        for layer in network._flatten_layers(include_self=False)
        if not layer._layers
    ]
    try:
        for player, layer in owners:
            vars(layer)["call"] = _trying(layer, player, layer.call, found)
        yield
    finally:
        for _, layer in owners:
            vars(layer).pop("call", None)


def _trying(
    layer: keras.layers.Layer, player: str, call: Callable[..., Any], found: dict[str, "Fault"]
) -> Callable[..., Any]:
    def call_and_try(*args: Any, **kwargs: Any) -> Any:
        before = [(v, v.value) for v in layer.variables]

        def again(inputs: tf.Tensor) -> tf.Tensor:
            # In a scope of its own a random layer draws the same in each trial.
            with keras.StatelessScope() as scope:
                for value in before:
                    scope.add_update(value)
                return call(inputs, *args[1:], **kwargs)

        outputs = call(*args, **kwargs)
        floats = all(tf.is_tensor(t) and t.dtype.is_floating for t in (*args[:1], outputs))
        if args and floats and layer.path not in found:
            error, fault = _fault(again, args[0])
            phrase = f"{_named(layer, player)} {fault}{_instead_of(layer)}"
            found[layer.path] = Fault(error, phrase)
        return outputs

    return call_and_try


def _fault(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tuple[float, str]:
    """Returns how wrong a layer's derivatives at x are, 0 if they are right, and in what way."""
    random = np.random.default_rng(0)

    def drawn(like: tf.Tensor) -> tf.Tensor:
        return tf.constant(random.standard_normal(like.shape), like.dtype)

    u, v = drawn(function(x)), drawn(x)
    along_x, along_u = drawn(x), drawn(u)

    def product(x: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
        """Returns <J(x)^T u, v>, which a penalty on slopes is made of."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            y = function(x)
        pulled = tape.gradient(y, x, output_gradients=u, unconnected_gradients="zero")
        return tf.reduce_sum(pulled * v)

    try:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([x, u])
            s = product(x, u)
        gradients = tape.gradient(s, [x, u], unconnected_gradients="zero")
    except LookupError:
        return math.inf, "has no second derivative in TensorFlow"
    claimed = [
        float(tf.reduce_sum(g * d)) for g, d in zip(gradients, (along_x, along_u), strict=True)
    ]

    def change_along_x(h: float) -> float:
        return float(product(x + h * along_x, u) - product(x - h * along_x, u)) / (2 * h)

    def change_along_u(h: float) -> float:
        # Linear in u: the derivative along u is J v, a difference of the layer itself.
        return float(tf.reduce_sum((function(x + h * v) - function(x - h * v)) * along_u)) / (2 * h)

    worst = (0.0, "")
    for own, measure in zip(claimed, (change_along_x, change_along_u), strict=True):
        found = compared(own, measure, (FINE, COARSE), float(s))
        if found is not None and found is not UNKNOWN:
            error = abs(found - own) / max(abs(found), abs(own))
            wrong = f"has a wrong second derivative ({own:.3g} instead of {found:.3g})"
            worst = max(worst, (error, wrong))
    return worst
